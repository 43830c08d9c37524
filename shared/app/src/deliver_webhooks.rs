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
//!
//! **Endpoints** ([`domain::outbound::endpoint`]) are asked once for a whole batch before its attempts, if their partner
//! wants that, and told once after them what the attempts have shown. A message that must wait for its endpoint hops,
//! like a message of a paused campaign.

mod endpoints;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    outbound::{
        attempt,
        campaign::CampaignState,
        delivery::{Delivery, DeliveryPace, Ending, Message, NoWorkReason},
        endpoint::{self, EndpointPolicy, Observation},
        notice::{NOTICES, Notice},
        retry,
    },
    partner::recipient::Callee,
    values::{ids::Provider, time::UnixMillis},
};
use futures_util::future::join_all;
use thiserror::Error;
use tracing::warn;

pub use self::endpoints::KnownEndpoints;
use self::{
    endpoints::{Pass, Shown, Wanted},
    worker::Worker,
};
use crate::{
    cache::Cache,
    ports::{
        Clock, DeadLetters, EndpointKey, KnownRecipient, NewDeliveries, Ports, Put, Randomness, ResendQueue,
        Unavailable,
    },
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
    /// The message was sent again with a delay.
    Hopped {
        /// The delay, 1 to 900.
        delay_seconds: u16,
        /// The reason.
        why: HopReason,
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

/// The reason why a message was sent again with a delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopReason {
    /// The attempt is not due yet, or its place has not come.
    NotDue,
    /// The campaign is paused.
    Paused,
    /// The endpoint is suspected or down, and the partner's file says that its webhooks wait then.
    EndpointDown,
    /// As many webhooks as the endpoint's rate allows are sent before it.
    Rate,
}

impl HopReason {
    /// Returns the reason's name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotDue => "not_due",
            Self::Paused => "paused",
            Self::EndpointDown => "endpoint_down",
            Self::Rate => "rate",
        }
    }
}

/// A recorded attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The partner's status, or the fault.
    pub outcome: attempt::AttemptOutcome,
    /// The instant at which the attempt ended.
    pub ended_at: UnixMillis,
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
    /// Makes notices owed.
    pub new_deliveries: P::NewDeliveries,
    /// Knows and changes endpoints.
    pub endpoints: KnownEndpoints<P::Endpoints>,
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
    /// Counts the operations before the claim that follow each other in the worst case: reading the partner's
    /// configuration, reading its endpoint, and a write to the endpoint.
    const BEFORE_CLAIM: u32 = 3;
    /// Counts the operations of an attempt that follow each other in the worst case. These are those before the claim,
    /// storing the claim, a record that another change prevents, the read after it, the second record, and sending the
    /// next message.
    pub const OPERATIONS: u32 = Self::BEFORE_CLAIM + 5;

    /// Returns how long a whole attempt may take.
    pub fn whole(&self) -> std::time::Duration {
        self.request + self.operation * Self::OPERATIONS
    }

    /// Returns how long an attempt may take once it begins to store the claim.
    fn claim_onwards(&self) -> std::time::Duration {
        self.request + self.operation * (Self::OPERATIONS - Self::BEFORE_CLAIM)
    }
}

/// The messages of a batch that are due at one endpoint, and what may be done about them.
struct AtEndpoint {
    policy: EndpointPolicy,
    wants_notices: bool,
    /// The messages by their numbers in the batch.
    wanted: Vec<(usize, Wanted)>,
}

impl<P: Ports> DeliverWebhooks<P> {
    /// Handles all messages of a batch at the same time, so that no message waits for the partner of another message.
    /// Returns one outcome for each message, in order. The platform ends the function at `deadline`.
    pub async fn handle(&self, batch: &[ReceivedMessage], deadline: UnixMillis) -> Vec<MessageOutcome> {
        self.read_recipients(batch).await;
        let endpoints = self.endpoints_of(batch).await;
        let passes = self.admit(batch.len(), &endpoints).await;
        let outcomes = batch.iter().zip(&passes).map(|(received, pass)| self.one(received, pass, deadline));
        let outcomes = join_all(outcomes).await;
        self.tell(&endpoints, (batch, &passes, &outcomes), deadline).await;
        outcomes
    }

    /// Reads each partner of a batch once, even if several messages name the partner.
    async fn read_recipients(&self, batch: &[ReceivedMessage]) {
        let providers: BTreeSet<&Provider> = self.due(batch).map(|(_, message)| &message.provider).collect();
        let now = self.clock.now().timestamp();
        // A failed read is repeated, and reported, for each message.
        let _ = join_all(providers.into_iter().map(|provider| self.recipients.get(provider, now))).await;
    }

    /// Returns the messages that are due, by their numbers in the batch.
    fn due<'a>(&self, batch: &'a [ReceivedMessage]) -> impl Iterator<Item = (usize, &'a Message)> {
        let now = self.clock.now();
        let messages = batch.iter().map(|received| received.message.as_ref().ok()).enumerate();
        messages
            .filter_map(move |(number, message)| message.filter(|due| due.hop(now).is_none()).map(|due| (number, due)))
    }

    /// Groups the messages whose attempts may be due by their endpoints.
    async fn endpoints_of(&self, batch: &[ReceivedMessage]) -> BTreeMap<EndpointKey, AtEndpoint> {
        let mut endpoints = BTreeMap::<EndpointKey, AtEndpoint>::new();
        let now = self.clock.now();
        // A notice about an endpoint must not wait for it, and says nothing of the host to which notices go.
        let notice = |message: &Message| message.campaign.as_str() == NOTICES;
        for (number, message) in self.due(batch).filter(|(_, message)| !notice(message)) {
            // The recipients were just read. What failed is reported for each message.
            let Ok(Some(known)) = self.recipients.get(&message.provider, now.timestamp()).await else { continue };
            let callee = known.recipient.campaign(&message.campaign);
            let open = callee.filter(|callee| callee.state() == CampaignState::Open);
            let Some((callee, webhook)) =
                open.and_then(|callee| callee.webhook().ok().map(|webhook| (callee, webhook)))
            else {
                continue;
            };
            let key = EndpointKey { provider: message.provider.clone(), host: webhook.endpoint() };
            let wanted = self.wanted(message, callee);
            let (policy, wants_notices) = (known.recipient.endpoints(), known.recipient.wants_notices());
            let at = endpoints.entry(key);
            let at = at.or_insert_with(|| AtEndpoint { policy, wants_notices, wanted: Vec::new() });
            at.wanted.push((number, wanted));
        }
        endpoints
    }

    fn wanted(&self, message: &Message, callee: &Callee) -> Wanted {
        // Two trials must not overlap, and one lasts no longer than its claim.
        let between_trials = callee.policy().initial_interval().max(self.pace.claim_hold());
        Wanted { n: message.n, has_place: message.place.is_some(), between_trials }
    }

    /// Says for each message of the batch if its endpoint may be called.
    async fn admit(
        &self,
        messages: usize,
        endpoints: &BTreeMap<EndpointKey, AtEndpoint>,
    ) -> Vec<Result<Pass, Unavailable>> {
        let mut passes = vec![Ok(Pass::Go); messages];
        let asking = endpoints.iter().filter(|(_, at)| at.policy.asks_first());
        let admitted = join_all(asking.map(async |(key, at)| {
            let wanted: Vec<Wanted> = at.wanted.iter().map(|(_, wanted)| *wanted).collect();
            (at, self.endpoints.admit(key, at.policy, &wanted, self.clock.now()).await)
        }));
        for (at, admitted) in admitted.await {
            for (place, (number, _)) in at.wanted.iter().enumerate() {
                let pass = admitted.as_ref().map(|passes| passes.get(place).copied().unwrap_or(Pass::Held));
                if let Some(slot) = passes.get_mut(*number) {
                    *slot = pass.map_err(Unavailable::clone);
                }
            }
        }
        passes
    }

    /// Tells the endpoints what the attempts have shown, and the partners that want it, unless the function's time is
    /// nearly over.
    async fn tell(
        &self,
        endpoints: &BTreeMap<EndpointKey, AtEndpoint>,
        (batch, passes, outcomes): (&[ReceivedMessage], &[Result<Pass, Unavailable>], &[MessageOutcome]),
        deadline: UnixMillis,
    ) {
        let now = self.clock.now();
        if now.plus(self.time.operation * 3) > deadline {
            return;
        }
        let told = join_all(endpoints.iter().map(async |(key, at)| {
            let mut seen = Vec::new();
            let mut unused_trial = false;
            for (number, _) in &at.wanted {
                let message = batch.get(*number).and_then(|received| received.message.as_ref().ok());
                match (message, outcomes.get(*number)) {
                    (Some(message), Some(MessageOutcome::Attempted(attempted))) => {
                        seen.push(attempted.seen_of(message));
                    }
                    _ => unused_trial |= passes.get(*number) == Some(&Ok(Pass::Trial)),
                }
            }
            if seen.is_empty() && !unused_trial {
                return None;
            }
            seen.sort_by_key(|seen| seen.at);
            let ticket = if at.wants_notices { self.randomness.ticket().ok() } else { None };
            let shown = Shown { seen: &seen, unused_trial, is_held: at.policy.hold_while_down, ticket };
            self.endpoints.tell(key, &shown, now).await
        }));
        let mut notices: Vec<Delivery> = told.await.into_iter().flatten().collect();
        notices.extend(self.exhausted(endpoints, (batch, outcomes), now).await);
        join_all(notices.iter().map(|notice| self.send_notice(notice))).await;
    }

    /// Makes a delivery owed for each partner that wants to be told that a webhook is exhausted, at most one an hour.
    async fn exhausted(
        &self,
        endpoints: &BTreeMap<EndpointKey, AtEndpoint>,
        (batch, outcomes): (&[ReceivedMessage], &[MessageOutcome]),
        now: UnixMillis,
    ) -> Vec<Delivery> {
        let mut owed = BTreeMap::new();
        for (key, at) in endpoints.iter().filter(|(_, at)| at.wants_notices) {
            for (number, _) in &at.wanted {
                let message = batch.get(*number).and_then(|received| received.message.as_ref().ok());
                let (Some(message), Some(MessageOutcome::Attempted(attempted))) = (message, outcomes.get(*number))
                else {
                    continue;
                };
                if attempted.ending == Some(Ending::Exhausted) {
                    let (campaign, fault) = (message.campaign.clone(), attempted.outcome.to_string());
                    let notice = Notice::WebhookExhausted { campaign, at: attempted.ended_at, fault };
                    owed.entry(&key.provider).or_insert(notice);
                }
            }
        }
        let put = owed.into_iter().map(async |(provider, notice)| {
            let ticket = self.randomness.ticket().ok()?;
            let delivery = Delivery::of_notice(provider.clone(), notice, now, ticket);
            match self.new_deliveries.put_if_absent(&delivery).await {
                Ok(Put::Fresh) => Some(delivery),
                Ok(Put::Existing(_)) => None,
                // The alarm of exhausted webhooks tells the operators.
                Err(reason) => {
                    warn!(%provider, %reason, "a partner cannot be told that a webhook is exhausted");
                    None
                }
            }
        });
        join_all(put).await.into_iter().flatten().collect()
    }

    /// Sends the first message of a notice. If that fails, the sweep sends it.
    async fn send_notice(&self, notice: &Delivery) {
        let Some(message) = notice.next().and_then(|next| notice.first_message(next.ticket.clone())) else { return };
        if let Err(reason) = self.resends.send(&message, 0).await {
            warn!(provider = %notice.provider(), %reason, "the message of a notice was not sent; the sweep sends it");
        }
    }

    async fn one(
        &self,
        received: &ReceivedMessage,
        pass: &Result<Pass, Unavailable>,
        deadline: UnixMillis,
    ) -> MessageOutcome {
        let message = match &received.message {
            Ok(message) => message,
            Err(reason) => {
                return match self.dead_letters.set_aside(&received.whole, reason).await {
                    Ok(()) => MessageOutcome::SetAside(reason.clone()),
                    Err(unavailable) => MessageOutcome::Failed(unavailable.into()),
                };
            }
        };
        let outcome = match pass {
            Ok(pass) => self.deliver(message, *pass, deadline).await,
            Err(unavailable) => Err(unavailable.clone().into()),
        };
        outcome.unwrap_or_else(MessageOutcome::Failed)
    }

    async fn deliver(
        &self,
        message: &Message,
        pass: Pass,
        deadline: UnixMillis,
    ) -> Result<MessageOutcome, MessageFailure> {
        let now = self.clock.now();
        // A message that is not due yet costs no read.
        if let Some(delay_seconds) = message.hop(now) {
            return self.hop(message, delay_seconds, HopReason::NotDue).await;
        }
        let partner = self.recipients.get(&message.provider, now.timestamp()).await?;
        let partner: Arc<KnownRecipient> = partner.ok_or(MessageFailure::UnknownPartner)?;
        let callee = partner.recipient.campaign(&message.campaign).ok_or(MessageFailure::UnknownCampaign)?;
        if callee.state() == CampaignState::Paused {
            return self.hop(&message.at_place(None), self.pace.paused_hop_seconds(), HopReason::Paused).await;
        }
        let wait = || endpoint::wait_seconds(message.due_at, now);
        match pass {
            Pass::Go | Pass::Trial => {}
            Pass::Held => return self.hop(&message.at_place(None), wait(), HopReason::EndpointDown).await,
            Pass::Full(until) => {
                let delay_seconds = wait().max(retry::hop(now, until));
                return self.hop(message, delay_seconds, HopReason::Rate).await;
            }
            Pass::At(place) => {
                let placed = message.at_place(Some(place));
                return self.hop(&placed, placed.hop(now).unwrap_or(1), HopReason::Rate).await;
            }
        }
        let mark = self.randomness.mark()?;
        Worker { ports: self, message, callee, secrets: &partner.secrets, mark, deadline }.work().await
    }

    async fn hop(
        &self,
        message: &Message,
        delay_seconds: u16,
        why: HopReason,
    ) -> Result<MessageOutcome, MessageFailure> {
        self.resends.send(message, delay_seconds).await?;
        Ok(MessageOutcome::Hopped { delay_seconds, why })
    }
}

impl Attempted {
    /// Returns what the attempt of this message shows of its endpoint.
    fn seen_of(&self, message: &Message) -> Observation {
        Observation { delivery_id: message.delivery_id.clone(), outcome: self.outcome.clone(), at: self.ended_at }
    }
}

#[cfg(test)]
pub(crate) mod tests;
