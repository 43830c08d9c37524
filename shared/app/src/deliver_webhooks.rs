//! A message says that an attempt is due: claim it, call the partner, record what came back, send the next message.
//!
//! What is to be done is the domain's to say ([`domain::outbound::delivery`]); here is who does it, and in which order. **Why a crash
//! anywhere is harmless.** A message is acknowledged last. Killed
//!
//! - before the claim is stored: nothing has happened, and the message comes back;
//! - after it, with or without the request: nobody else may make the attempt until the claim expires, and a claim is held
//!   for longer than its worker can live. Then the message that comes back makes the attempt again: the one repeated
//!   request that a crash in mid-attempt costs;
//! - after the record, before the next message is sent: the message comes back, finds its attempt recorded under its own
//!   ticket, and sends the next one;
//! - after that: the message comes back, and sends the next one once more. Two messages of one attempt make one request,
//!   since one of them finds the other's claim or record.
//!
//! **Two writes an attempt, and no read.** A message says which revision of the delivery it was made for. While that
//! stands, all that the message says is so: the claim is stored unread, on condition of the revision, and the store answers
//! with the delivery. Where it has changed the store answers with what it is now, and the rules decide about that.
//!
//! A failed re-enqueue is never acknowledged, and what cannot be recorded is tried again for as long as the function
//! lives: a store that is down for a minute costs no second request.

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
    ports::{DeadLetters, KnownRecipient, Ports, ResendQueue, Surroundings, Unavailable},
};

/// A message of either queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What it is called when it must come again.
    pub id: String,
    /// What it says, or why it cannot be read.
    pub message: Result<Message, String>,
    /// The whole message as it came.
    pub whole: String,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The attempt was made and is recorded; the next one's message is sent, if there is one.
    Attempted(Attempted),
    /// It is sent again with this delay: its time has not come, or its campaign is paused.
    Hopped {
        /// 1 to 900.
        delay_seconds: u16,
    },
    /// Its attempt was recorded already; the next one's message is sent now.
    SentNext,
    /// Its campaign is over: the delivery is cancelled.
    Cancelled,
    /// There was nothing to do for it.
    Done(NoWorkReason),
    /// It must come again after somebody else's claim, which lives until then.
    Waits {
        /// When that claim expires.
        until: UnixMillis,
    },
    /// It cannot be read, and has been set aside for this reason.
    SetAside(String),
    /// It must come again.
    Failed(Failure),
}

/// An attempt, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// What it ended with.
    pub outcome: attempt::AttemptOutcome,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// How the delivery ended with it; none if it is sent again.
    pub ending: Option<Ending>,
}

/// Why a message must come again. None of it is the partner's fault, and none spends an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// There is no such partner.
    #[error("there is no partner of this name")]
    UnknownPartner,
    /// The partner has no such campaign.
    #[error("the partner has no campaign of this name")]
    UnknownCampaign,
    /// The campaign's webhook cannot be called from here.
    #[error("the campaign's webhook cannot be called: {0}")]
    Misconfigured(String),
    /// The message is of no delivery.
    #[error("there is no delivery of this id")]
    NoDelivery,
    /// Others changed the delivery all the time.
    #[error("the delivery was changed by others {} times in a row", worker::TRIES)]
    Contended,
    /// The function's time would not do for an attempt.
    #[error("too little of the function's time is left")]
    OutOfTime,
}

/// The use case, over its ports.
pub struct DeliverWebhooks<P: Ports> {
    /// The partners, in memory for less than a minute.
    pub recipients: Cache<P::Recipients>,
    /// The deliveries.
    pub deliveries: P::Deliveries,
    /// The queue of resends, and of everything that waits.
    pub resends: P::Resends,
    /// The partners' servers.
    pub partners: P::Servers,
    /// Where messages go that cannot be read.
    pub dead_letters: P::DeadLetters,
    /// The clock and the dice.
    pub surroundings: P::Surroundings,
    /// How long claims are held and paused messages wait.
    pub pace: DeliveryPace,
    /// How long an attempt and what belongs to it may take.
    pub time: AttemptTime,
}

/// How long the parts of an attempt may take at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptTime {
    /// The request.
    pub request: std::time::Duration,
    /// One operation of the store or the queue, the client's own repeats included.
    pub operation: std::time::Duration,
}

impl AttemptTime {
    /// The operations around one attempt that follow each other: the claim; a record that loses against another, its
    /// read and its second write; the next message. Before them, the partner's configuration.
    pub const OPERATIONS: u32 = 6;

    /// How much of the function's time an attempt needs in all.
    pub fn whole(&self) -> std::time::Duration {
        self.request + self.operation * Self::OPERATIONS
    }

    /// How much of it when the claim is about to be stored.
    fn claim_onwards(&self) -> std::time::Duration {
        self.request + self.operation * (Self::OPERATIONS - 1)
    }
}

impl<P: Ports> DeliverWebhooks<P> {
    /// Handles a batch, all of it at the same time: one outcome for each message, in order. None waits for another's
    /// partner. `deadline` is when the function is ended.
    pub async fn handle(&self, batch: &[Received], deadline: UnixMillis) -> Vec<Outcome> {
        self.read_recipients(batch).await;
        join_all(batch.iter().map(|received| self.one(received, deadline))).await
    }

    /// Each partner of a batch is read once, however many of its messages have come together.
    async fn read_recipients(&self, batch: &[Received]) {
        let now = self.surroundings.now();
        let due =
            batch.iter().filter_map(|received| received.message.as_ref().ok()).filter(|due| due.hop(now).is_none());
        let providers: BTreeSet<&Provider> = due.map(|message| &message.provider).collect();
        // What fails here is asked for again, and told, for each message.
        let _ = join_all(providers.into_iter().map(|provider| self.recipients.get(provider, now.timestamp()))).await;
    }

    async fn one(&self, received: &Received, deadline: UnixMillis) -> Outcome {
        let message = match &received.message {
            Ok(message) => message,
            Err(reason) => {
                return match self.dead_letters.set_aside(&received.whole, reason).await {
                    Ok(()) => Outcome::SetAside(reason.clone()),
                    Err(unavailable) => Outcome::Failed(unavailable.into()),
                };
            }
        };
        self.deliver(message, deadline).await.unwrap_or_else(Outcome::Failed)
    }

    async fn deliver(&self, message: &Message, deadline: UnixMillis) -> Result<Outcome, Failure> {
        let now = self.surroundings.now();
        // The message says when it is due: until then nothing need be read.
        if let Some(delay_seconds) = message.hop(now) {
            return self.hop(message, delay_seconds).await;
        }
        let partner = self.recipients.get(&message.provider, now.timestamp()).await?;
        let partner: Arc<KnownRecipient> = partner.ok_or(Failure::UnknownPartner)?;
        let callee = partner.recipient.campaign(&message.campaign).ok_or(Failure::UnknownCampaign)?;
        if callee.state() == CampaignState::Paused {
            return self.hop(message, self.pace.paused_hop_seconds()).await;
        }
        let mark = self.surroundings.mark()?;
        Worker { ports: self, message, callee, secrets: &partner.secrets, mark, deadline }.work().await
    }

    async fn hop(&self, message: &Message, delay_seconds: u16) -> Result<Outcome, Failure> {
        self.resends.send(message, delay_seconds).await?;
        Ok(Outcome::Hopped { delay_seconds })
    }
}

#[cfg(test)]
pub(crate) mod tests;
