//! Handles messages that say that an attempt is due: claims the attempt, calls the partner, records the result, and
//! sends the next message.
//!
//! The domain decides what to do ([`domain::outbound::delivery`]). This module carries out the decisions in the right
//! order.
//!
//! **A crash anywhere is harmless**, because a message is acknowledged last. A worker may be killed
//!
//! - before the claim is stored: nothing has happened, and the message comes back.
//! - after the claim, with or without the request: nobody else may make the attempt until the claim expires, and a
//!   claim lasts longer than its worker can live. Then the message comes back and the attempt is made again. Only in
//!   this case, a crash in the middle of an attempt, is a request repeated.
//! - after the record, before the next message is sent: the message comes back, finds its attempt recorded under its
//!   own ticket, and sends the next message.
//! - after the next message is sent: the message comes back and sends the next message again. Two messages of one
//!   attempt make only one request, because the second one finds the claim or the record of the first.
//!
//! **An attempt costs two writes and no read.** A message names the revision that the delivery had when the message was
//! made. As long as the delivery has that revision, everything in the message is true. The claim is therefore stored
//! without a read, on condition that the revision is the same, and the store returns the delivery. If the revision has
//! changed, the store returns the delivery as it is now, and the domain decides by that.
//!
//! A message is never acknowledged before the next message is sent. If an attempt cannot be recorded, the worker tries
//! again until the function's time is nearly over, so a store that is down for a minute causes no second request.

mod worker;

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    outbound::{
        attempt,
        campaign::CampaignState,
        delivery::{DeliveryPace, Ending, Message, NoWorkReason},
    },
    values::{ids::Provider, time::UnixMillis},
};
use futures_util::future::join_all;
use thiserror::Error;

use self::worker::Worker;
use crate::{
    cache::Cache,
    ports::{Clock, DeadLetters, KnownRecipient, Ports, Randomness, ResendQueue, Unavailable},
};

/// A message of `webhooks` or `webhook-retries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The queue's id of the message.
    pub id: String,
    /// The message, or the reason why it cannot be read.
    pub message: Result<Message, String>,
    /// The whole body, unchanged.
    pub whole: String,
}

/// The result of handling a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageOutcome {
    /// The attempt was made and recorded, and the message of the next attempt, if any, was sent.
    Attempted(Attempted),
    /// The message was sent again with a delay, because it is not due yet or its campaign is paused.
    Hopped {
        /// The delay, 1 to 900.
        delay_seconds: u16,
    },
    /// The attempt was recorded before. The message of the next attempt was sent now.
    SentNext,
    /// The delivery was cancelled, because its campaign is archived.
    Cancelled,
    /// The message needed no work.
    Done(NoWorkReason),
    /// The message must be redelivered after another worker's claim has expired.
    Waits {
        /// The instant at which that claim expires.
        until: UnixMillis,
    },
    /// The message cannot be read and was set aside for this reason.
    SetAside(String),
    /// The message must be redelivered.
    Failed(MessageFailure),
}

/// A recorded attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The partner's status, or the fault.
    pub outcome: attempt::AttemptOutcome,
    /// The duration of the attempt.
    pub duration_ms: u32,
    /// How the delivery ended, if this attempt ended it.
    pub ending: Option<Ending>,
}

/// The reason why a message must be redelivered. The partner is never the cause, and no attempt is spent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageFailure {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The partner is unknown.
    #[error("there is no partner of this name")]
    UnknownPartner,
    /// The partner has no such campaign.
    #[error("the partner has no campaign of this name")]
    UnknownCampaign,
    /// The campaign's webhook must not be called from this machine.
    #[error("the campaign's webhook cannot be called: {0}")]
    Misconfigured(String),
    /// The delivery is unknown.
    #[error("there is no delivery of this id")]
    NoDelivery,
    /// Others changed the delivery at each try.
    #[error("the delivery was changed by others {} times in a row", worker::TRIES)]
    Contended,
    /// Too little of the function's time is left for an attempt.
    #[error("too little of the function's time is left")]
    OutOfTime,
}

/// Delivers webhooks.
pub struct DeliverWebhooks<P: Ports> {
    /// Reads partners with the secrets of their webhooks.
    pub recipients: Cache<P::Recipients>,
    /// Changes deliveries.
    pub deliveries: P::Deliveries,
    /// Sends the messages of resends and all messages that wait.
    pub resends: P::Resends,
    /// Calls partners' servers.
    pub partners: P::Servers,
    /// Sets unreadable messages aside.
    pub dead_letters: P::DeadLetters,
    /// Tells the time.
    pub clock: P::Clock,
    /// Draws random values.
    pub randomness: P::Randomness,
    /// Says how long claims last, and how long messages of paused campaigns wait.
    pub pace: DeliveryPace,
    /// Limits the time of an attempt.
    pub time: AttemptTime,
}

/// Limits the time of each part of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptTime {
    /// The limit of the request.
    pub request: std::time::Duration,
    /// The limit of one operation of the store or the queue, including the client's retries.
    pub operation: std::time::Duration,
}

impl AttemptTime {
    /// Counts the operations of an attempt that follow each other in the worst case. These are reading the partner's
    /// configuration, storing the claim, a record that another change prevents, the read after it, the second record,
    /// and sending the next message.
    pub const OPERATIONS: u32 = 6;

    /// Returns how long a whole attempt may take.
    pub fn whole(&self) -> std::time::Duration {
        self.request + self.operation * Self::OPERATIONS
    }

    /// Returns how long an attempt may take once it begins to store the claim.
    fn claim_onwards(&self) -> std::time::Duration {
        self.request + self.operation * (Self::OPERATIONS - 1)
    }
}

impl<P: Ports> DeliverWebhooks<P> {
    /// Handles all messages of a batch at the same time, so that no message waits for the partner of another message.
    /// Returns one outcome for each message, in order. The platform ends the function at `deadline`.
    pub async fn handle(&self, batch: &[ReceivedMessage], deadline: UnixMillis) -> Vec<MessageOutcome> {
        self.read_recipients(batch).await;
        join_all(batch.iter().map(|received| self.one(received, deadline))).await
    }

    /// Reads each partner of a batch once, even if several messages name the partner.
    async fn read_recipients(&self, batch: &[ReceivedMessage]) {
        let now = self.clock.now();
        let due =
            batch.iter().filter_map(|received| received.message.as_ref().ok()).filter(|due| due.hop(now).is_none());
        let providers: BTreeSet<&Provider> = due.map(|message| &message.provider).collect();
        // A failed read is repeated, and reported, for each message.
        let _ = join_all(providers.into_iter().map(|provider| self.recipients.get(provider, now.timestamp()))).await;
    }

    async fn one(&self, received: &ReceivedMessage, deadline: UnixMillis) -> MessageOutcome {
        let message = match &received.message {
            Ok(message) => message,
            Err(reason) => {
                return match self.dead_letters.set_aside(&received.whole, reason).await {
                    Ok(()) => MessageOutcome::SetAside(reason.clone()),
                    Err(unavailable) => MessageOutcome::Failed(unavailable.into()),
                };
            }
        };
        self.deliver(message, deadline).await.unwrap_or_else(MessageOutcome::Failed)
    }

    async fn deliver(&self, message: &Message, deadline: UnixMillis) -> Result<MessageOutcome, MessageFailure> {
        let now = self.clock.now();
        // A message that is not due yet costs no read.
        if let Some(delay_seconds) = message.hop(now) {
            return self.hop(message, delay_seconds).await;
        }
        let partner = self.recipients.get(&message.provider, now.timestamp()).await?;
        let partner: Arc<KnownRecipient> = partner.ok_or(MessageFailure::UnknownPartner)?;
        let callee = partner.recipient.campaign(&message.campaign).ok_or(MessageFailure::UnknownCampaign)?;
        if callee.state() == CampaignState::Paused {
            return self.hop(message, self.pace.paused_hop_seconds()).await;
        }
        let mark = self.randomness.mark()?;
        Worker { ports: self, message, callee, secrets: &partner.secrets, mark, deadline }.work().await
    }

    async fn hop(&self, message: &Message, delay_seconds: u16) -> Result<MessageOutcome, MessageFailure> {
        self.resends.send(message, delay_seconds).await?;
        Ok(MessageOutcome::Hopped { delay_seconds })
    }
}

#[cfg(test)]
pub(crate) mod tests;
