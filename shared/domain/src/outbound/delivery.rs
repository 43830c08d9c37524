//! Holds a delivery: the one webhook owed to a partner for one participant who reached one campaign's goal.
//!
//! Every method returns a decision about a [`Delivery`] as it was read. The caller replaces the stored delivery only
//! while it still has the [`revision`](Delivery::revision) that was read; otherwise it reads again and decides again.
//! These laws then hold under repetition, reordering, races and crashes:
//!
//! - No request goes out without a claim that was stored before it. A claim is given only for the next attempt, when it
//!   is due, while no other claim lives. A second request for an attempt therefore needs an expired claim.
//! - A round has at most [`ATTEMPTS`](crate::outbound::retry::ATTEMPTS) recorded attempts, and it ends.
//! - A delivery under way has a message. It is acknowledged only after its attempt is recorded and the next message is
//!   sent, or when another message stands for the work. A message that meets a live claim returns.
//!
//! `tests/proof` checks these laws in every order of steps, with crashes between any two of them.

mod pace;
mod transitions;

use core::fmt;

use serde::{Deserialize, Serialize};

pub use pace::{DeliveryPace, DeliveryPaceFault};
pub use transitions::{AttemptDecision, MessageDecision, NoWorkReason, OpenedRound};

use crate::outbound::agreed_ids::PartnerIds;
use crate::outbound::attempt::Attempt;
use crate::outbound::campaign::CampaignState;
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
}

/// Says whether work is left. A next attempt exists exactly as long as the delivery has not ended.
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
    /// Says when it is due.
    pub due_at: UnixMillis,
    /// Holds the ticket of its message.
    pub ticket: ChainTicket,
}

/// Says how a delivery ended. Only a round opened by hand continues it, and a late 2xx turns any ending into delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The partner has received the webhook.
    Delivered,
    /// The partner answered 410.
    Gone,
    /// All attempts of the round failed.
    Exhausted,
    /// The campaign was archived before the webhook was delivered.
    Cancelled,
}

/// Summarises in one word how far a delivery is.
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
    /// The campaign was archived before the webhook was delivered.
    Cancelled,
}

impl Status {
    /// Lists every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Retrying, Self::Delivered, Self::Gone, Self::Exhausted, Self::Cancelled];

    /// Returns the status as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
        }
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
            Ending::Cancelled => Self::Cancelled,
        }
    }
}

/// Grants the right to make one attempt until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Numbers the round.
    pub round: u32,
    /// Numbers the attempt within the round.
    pub n: u8,
    /// Holds the ticket of the message that the attempt was claimed for.
    pub ticket: ChainTicket,
    /// Identifies the claiming worker. Two workers with copies of one message have the same ticket and different marks.
    pub mark: ClaimMark,
    /// Says when the attempt was due.
    pub due_at: UnixMillis,
    /// Says from which instant another worker may claim the attempt.
    pub until: UnixMillis,
}

impl Claim {
    /// Returns true while no other worker may claim the attempt. No request may begin that could outlast the claim.
    pub fn lives(&self, now: UnixMillis) -> bool {
        now < self.until
    }
}

/// Holds a message of the queues `webhooks` and `webhook-retries`: an attempt to make when it is due.
///
/// The message names partner and campaign, so that its message group, a pause and a wait need no read.
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
    /// Tells this chain of messages from other chains of the same delivery.
    pub ticket: ChainTicket,
    /// Says when the attempt is due.
    pub due_at: UnixMillis,
    /// Holds the delivery's revision that the message was made for. While the stored delivery has this revision,
    /// everything in the message is true, and the attempt can be claimed without reading the delivery first.
    pub revision: u32,
}

impl Message {
    /// Returns true for the first attempt of all, which does not wait behind failing partners' resends.
    pub fn is_first(&self) -> bool {
        self.round == 1 && self.n == 1
    }

    /// Returns how many more seconds the message must wait, at most 900 at a time. No read is needed for that.
    pub fn hop(&self, now: UnixMillis) -> Option<u16> {
        (now < self.due_at).then(|| crate::outbound::retry::hop(now, self.due_at))
    }

    /// Returns a claim that may be stored without reading the delivery, provided that the delivery still has this
    /// message's [`revision`](Self::revision). No claim was live when the message was made, so [`Delivery::decide`]
    /// would give the same one. Returns `None` if the attempt must not be made now.
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
    /// Numbers the round that the attempt was made in.
    pub round: u32,
    /// Identifies the worker that made it. With the delivery, the round and `n` it is the key of the attempt.
    pub mark: ClaimMark,
    /// Holds the attempt.
    pub attempt: Attempt,
}

impl Delivery {
    /// Makes the delivery to put, if absent, for a goal that this GG3 user has reached. Its first attempt is due at
    /// once, and its ids are fixed from now on.
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
            life: Life::UnderWay { next: NextAttempt { due_at: now, ticket }, claim: None },
        }
    }

    /// Returns the delivery's id, which is also the `webhook-id` of every attempt in every round.
    pub fn id(&self) -> &DeliveryId {
        &self.id
    }

    /// Returns the partner that the webhook is owed to.
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

    /// Returns the ticket of the message whose attempt was recorded last in this round, or `None` if none is recorded yet.
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

    /// Returns how far the delivery is, in one word.
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
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
