//! Holds a delivery: the one webhook owed to a partner for one participant who reached one campaign's goal.
//!
//! Every method returns a decision about a [`Delivery`] as it was read. The caller replaces the stored delivery only if
//! that still has the [`revision`](Delivery::revision) that was read. Otherwise the caller reads the delivery again and
//! decides again. These laws then hold under repetition, reordering, races and crashes:
//!
//! - A request is sent only after a claim for it was stored. A claim is given only for the next attempt, only when that
//!   attempt is due, and only while no other claim is live. A second request for an attempt is therefore possible only
//!   after the first claim has expired.
//! - A round has at most [`ATTEMPTS`](crate::outbound::retry::ATTEMPTS) recorded attempts, and every round ends.
//! - A delivery under way has a message. The message is acknowledged only after its attempt is recorded and the next
//!   message is sent, or when another message exists for the same work. A message that meets a live claim of another
//!   worker returns to the queue.
//!
//! `tests/proof` checks these laws in every order of steps, with crashes between any two of them.

mod pace;
mod transitions;

use alloc::boxed::Box;
use core::fmt;

use serde::{Deserialize, Serialize};

pub use pace::{DeliveryPace, DeliveryPaceFault};
pub use transitions::{AttemptDecision, MessageDecision, NoWorkReason, OpenedRound};

use crate::outbound::agreed_ids::PartnerIds;
use crate::outbound::attempt::Attempt;
use crate::outbound::campaign::CampaignState;
use crate::outbound::notice::{self, Notice};
use crate::outbound::participant::Owed;
use crate::prelude::*;
use crate::values::ids::{CampaignName, ChainTicket, ClaimMark, DeliveryId, Provider, UserId};
use crate::values::time::UnixMillis;

/// Holds a delivery with its current round. Its serialized form is the stored form, except keys and indexes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    #[serde(rename = "delivery_id")]
    id: DeliveryId,
    provider: Provider,
    campaign: CampaignName,
    #[serde(rename = "user_id")]
    participant: UserId,
    ids: PartnerIds,
    occurred_at: UnixMillis,
    created_at: UnixMillis,
    revision: u32,
    round: u32,
    opened_at: UnixMillis,
    attempts: Vec<Attempt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recorded: Option<ChainTicket>,
    life: Life,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    erased: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notice: Option<Box<Notice>>,
}

/// Says if work is left. A delivery has a next attempt until it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Life {
    UnderWay {
        next: NextAttempt,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<Claim>,
    },
    Ended {
        ending: Ending,
        at: UnixMillis,
    },
}

/// Describes the next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextAttempt {
    /// Says when the attempt is due.
    pub due_at: UnixMillis,
    /// Holds the ticket of the attempt's message.
    pub ticket: ChainTicket,
}

/// Says how a delivery ended. An ended delivery continues only if an operator opens a round. A late 2xx answer turns
/// any ending into delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The partner has received the webhook.
    Delivered,
    /// The partner answered 410.
    Gone,
    /// All attempts of the round failed.
    Exhausted,
    /// The webhook cannot be sent, because its URL cannot take the delivery's values.
    Unsendable,
    /// The campaign was archived before the webhook was delivered.
    Cancelled,
}

/// Names the state of a delivery for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The current round has no recorded attempt yet.
    Pending,
    /// An attempt has failed, and another is due.
    Retrying,
    /// The partner has received the webhook.
    Delivered,
    /// The partner answered 410.
    Gone,
    /// All attempts of the round failed.
    Exhausted,
    /// The webhook cannot be sent, because its URL cannot take the delivery's values.
    Unsendable,
    /// The campaign was archived before the webhook was delivered.
    Cancelled,
}

impl Status {
    /// Lists every status.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Retrying,
        Self::Delivered,
        Self::Gone,
        Self::Exhausted,
        Self::Unsendable,
        Self::Cancelled,
    ];

    /// Returns the status as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Exhausted => "exhausted",
            Self::Unsendable => "unsendable",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Ending {
    /// Returns true if the webhook was not taken and an operator may open another round: exhausted, gone or unsendable.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Exhausted | Self::Gone | Self::Unsendable)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Ending> for Status {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Delivered => Self::Delivered,
            Ending::Gone => Self::Gone,
            Ending::Exhausted => Self::Exhausted,
            Ending::Unsendable => Self::Unsendable,
            Ending::Cancelled => Self::Cancelled,
        }
    }
}

/// Grants a worker the right to make one attempt, until the claim expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Numbers the round.
    pub round: u32,
    /// Numbers the attempt within the round.
    pub n: u8,
    /// Holds the ticket of the message for which the attempt was claimed.
    pub ticket: ChainTicket,
    /// Identifies the worker. Two workers with copies of one message have the same ticket but different marks.
    pub mark: ClaimMark,
    /// Says when the attempt was due.
    pub due_at: UnixMillis,
    /// Holds the instant from which another worker may claim the attempt.
    pub until: UnixMillis,
}

impl Claim {
    /// Returns true while no other worker may claim the attempt. A request must not begin if it could last longer than
    /// the claim.
    pub fn lives(&self, now: UnixMillis) -> bool {
        now < self.until
    }
}

/// Holds a message of the queues `webhooks` and `webhook-retries`, which asks for an attempt when it is due.
///
/// The message names the partner and the campaign, so that the worker need not read the delivery to find the message
/// group, to notice a pause, or to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Identifies the delivery.
    pub delivery_id: DeliveryId,
    /// Names the partner.
    pub provider: Provider,
    /// Names the campaign.
    pub campaign: CampaignName,
    /// Numbers the round.
    pub round: u32,
    /// Numbers the attempt within the round.
    pub n: u8,
    /// Distinguishes this chain of messages from other chains of the same delivery.
    pub ticket: ChainTicket,
    /// Says when the attempt is due.
    pub due_at: UnixMillis,
    /// Holds the revision that the delivery had when the message was made. While the stored delivery has this revision,
    /// everything in the message is true, and the attempt can be claimed without reading the delivery first.
    pub revision: u32,
    /// Says from when the webhook may go out, if its place in the endpoint's rate is reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<UnixMillis>,
}

impl Message {
    /// Returns true for the first attempt of the first round. It has a queue of its own, so that it does not wait
    /// behind the resends of failing partners.
    pub fn is_first(&self) -> bool {
        self.round == 1 && self.n == 1
    }

    /// Returns the next delay of a message that is not due yet or whose place has not come, at most 900 seconds.
    /// Returns `None` otherwise. The delivery need not be read for this.
    pub fn hop(&self, now: UnixMillis) -> Option<u16> {
        let from = self.place.map_or(self.due_at, |place| place.max(self.due_at));
        (now < from).then(|| crate::outbound::retry::hop(now, from))
    }

    /// Returns the same message with this place in its endpoint's rate, or with none.
    #[must_use]
    pub fn at_place(&self, place: Option<UnixMillis>) -> Self {
        Self { place, ..self.clone() }
    }

    /// Returns a claim that may be stored without reading the delivery, on condition that the delivery still has this
    /// message's [`revision`](Self::revision). No claim was live when the message was made, so [`Delivery::decide`]
    /// would give the same claim. Returns `None` if the attempt must not be made now.
    pub fn claim(&self, now: UnixMillis, state: CampaignState, pace: &DeliveryPace, mark: &ClaimMark) -> Option<Claim> {
        (state == CampaignState::Open && self.due_at <= now).then(|| self.claim_due(self.due_at, now, pace, mark))
    }

    fn claim_due(&self, due_at: UnixMillis, now: UnixMillis, pace: &DeliveryPace, mark: &ClaimMark) -> Claim {
        Claim {
            round: self.round,
            n: self.n,
            ticket: self.ticket.clone(),
            mark: mark.clone(),
            due_at,
            until: pace.claimed_until(now),
        }
    }
}

/// Holds an attempt whose worker lost the claim before it could record the attempt. It is stored beside the delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateAttempt {
    /// Identifies the delivery.
    pub delivery_id: DeliveryId,
    /// Names the partner.
    pub provider: Provider,
    /// Names the campaign.
    pub campaign: CampaignName,
    /// Numbers the round in which the attempt was made.
    pub round: u32,
    /// Identifies the worker that made the attempt. Together with the delivery, the round and `n`, the mark is the key
    /// of the attempt.
    pub mark: ClaimMark,
    /// Holds the attempt.
    pub attempt: Attempt,
}

impl Delivery {
    /// Makes the delivery for a goal that this GG3 user has reached. The caller puts it if it is absent. The first
    /// attempt is due at once, and the ids are fixed from now on.
    pub fn new(participant: UserId, owed: Owed, now: UnixMillis, ticket: ChainTicket) -> Self {
        let Owed { provider, campaign, ids, occurred_at } = owed;
        Self {
            id: DeliveryId::of(&provider, &campaign, &participant),
            provider,
            campaign,
            participant,
            ids,
            occurred_at,
            created_at: now,
            revision: 1,
            round: 1,
            opened_at: now,
            attempts: Vec::new(),
            recorded: None,
            erased: false,
            notice: None,
            life: Life::UnderWay { next: NextAttempt { due_at: now, ticket }, claim: None },
        }
    }

    /// Makes the delivery of a notice. The same occasion gives the same id, so the caller puts it if it is absent.
    pub fn of_notice(provider: Provider, notice: Notice, now: UnixMillis, ticket: ChainTicket) -> Self {
        let occasion = notice.occasion();
        let owed = Owed { provider, campaign: notice::campaign(), ids: PartnerIds::default(), occurred_at: now };
        Self { notice: Some(Box::new(notice)), ..Self::new(occasion, owed, now, ticket) }
    }

    /// Returns what the partner is told, if the delivery is a notice.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_deref()
    }

    /// Returns the delivery's id, which is also the `webhook-id` of every attempt in every round.
    pub fn id(&self) -> &DeliveryId {
        &self.id
    }

    /// Returns the partner to which the webhook is owed.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Returns the campaign whose goal was reached.
    pub fn campaign(&self) -> &CampaignName {
        &self.campaign
    }

    /// Returns the GG3 user who reached the goal.
    pub fn participant(&self) -> &UserId {
        &self.participant
    }

    /// Returns the ids by which the partner knows the user.
    pub fn ids(&self) -> &PartnerIds {
        &self.ids
    }

    /// Returns true if the person was erased from the delivery.
    pub fn is_erased(&self) -> bool {
        self.erased
    }

    /// Returns when the goal was reached.
    pub fn occurred_at(&self) -> UnixMillis {
        self.occurred_at
    }

    /// Returns when the delivery was first put.
    pub fn created_at(&self) -> UnixMillis {
        self.created_at
    }

    /// Returns the revision, which grows by one with each change.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Returns the number of the current round, from 1.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Returns when the current round began.
    pub fn opened_at(&self) -> UnixMillis {
        self.opened_at
    }

    /// Returns the recorded attempts of the current round in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Returns the ticket of the message for the last recorded attempt of this round. Returns `None` if no attempt is
    /// recorded yet.
    pub fn recorded_under(&self) -> Option<&ChainTicket> {
        self.recorded.as_ref()
    }

    /// Returns how the delivery ended, or `None` while it is under way.
    pub fn ending(&self) -> Option<Ending> {
        match self.life {
            Life::Ended { ending, .. } => Some(ending),
            Life::UnderWay { .. } => None,
        }
    }

    /// Returns when the delivery ended, or `None` while it is under way.
    pub fn ended_at(&self) -> Option<UnixMillis> {
        match self.life {
            Life::Ended { at, .. } => Some(at),
            Life::UnderWay { .. } => None,
        }
    }

    /// Returns the state of the delivery.
    pub fn status(&self) -> Status {
        match self.ending() {
            Some(ending) => ending.into(),
            None if self.attempts.is_empty() => Status::Pending,
            None => Status::Retrying,
        }
    }

    /// Returns the next attempt while the delivery is under way.
    pub fn next(&self) -> Option<&NextAttempt> {
        match &self.life {
            Life::UnderWay { next, .. } => Some(next),
            Life::Ended { .. } => None,
        }
    }

    /// Returns the claim on the next attempt, live or expired.
    pub fn claim(&self) -> Option<&Claim> {
        match &self.life {
            Life::UnderWay { claim, .. } => claim.as_ref(),
            Life::Ended { .. } => None,
        }
    }

    fn next_n(&self) -> u8 {
        u8::try_from(self.attempts.len()).map_or(u8::MAX, |recorded| recorded.saturating_add(1))
    }

    fn message(&self, next: &NextAttempt, ticket: ChainTicket) -> Message {
        Message {
            delivery_id: self.id.clone(),
            provider: self.provider.clone(),
            campaign: self.campaign.clone(),
            round: self.round,
            n: self.next_n(),
            ticket,
            due_at: next.due_at,
            revision: self.revision,
            place: None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
