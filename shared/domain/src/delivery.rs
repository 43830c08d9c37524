//! The life of a delivery: the one webhook owed to a partner for one participant reaching one campaign's goal.
//!
//! Everything here is a decision about a [`Delivery`] as it was read. Whoever carries it out replaces the stored
//! delivery only where it still has the [`revision`](Delivery::revision) that was read, and where it has not, decides
//! again about what is stored now. Then, whatever is repeated, reordered, raced or killed:
//!
//! - no request goes out without a claim that was stored before it, and a claim is given only for the next attempt, when
//!   it is due, while no other lives: so a second request for an attempt costs a claim that expired;
//! - a round has at most [`ATTEMPTS`](crate::retry::ATTEMPTS) recorded attempts, and ends;
//! - a delivery under way has a message. Messages are acknowledged only where the attempt they stand for is recorded and
//!   the next one's message is sent, or stands behind another; a message that finds a live claim, whose ever, returns.
//!
//! The simulation in this module's tests holds all of it against crashes at each step.

mod life;

use core::fmt;

use serde::{Deserialize, Serialize};

pub use life::{Opened, Pace, PaceFault, Recorded, Standing, Step, Why};

use crate::{
    attempt::Attempt,
    event::Ids,
    ids::{CampaignName, DeliveryId, Mark, Provider, Ticket, UserId},
    moment::Moment,
    participant::Owed,
    prelude::*,
};

/// A delivery, with its current round. What its parts are called when it is stored, keys and indexes apart, is said here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    #[serde(rename = "delivery_id")]
    id: DeliveryId,
    provider: Provider,
    campaign: CampaignName,
    #[serde(rename = "user_id")]
    participant: UserId,
    ids: Ids,
    occurred_at: Moment,
    created_at: Moment,
    revision: u32,
    round: u32,
    opened_at: Moment,
    attempts: Vec<Attempt>,
    /// The ticket that the last of the attempts was recorded under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recorded: Option<Ticket>,
    life: Life,
}

/// Whether there is anything left to do: there is a next attempt exactly as long as the delivery has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Life {
    UnderWay {
        next: Next,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<Claim>,
    },
    Ended {
        ending: Ending,
        at: Moment,
    },
}

/// The attempt to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// When it is due.
    pub due_at: Moment,
    /// The ticket of its message.
    pub ticket: Ticket,
}

/// How a delivery ends. Only opening a round by hand leads on, and a late 2xx makes every other end a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The partner has it.
    Delivered,
    /// The partner answered 410.
    Gone,
    /// All attempts of the round failed.
    Exhausted,
    /// The campaign was archived, or an operator took it back.
    Cancelled,
}

/// How far a delivery is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No attempt of the current round was recorded yet.
    Pending,
    /// An attempt has failed, and another is due.
    Retrying,
    /// The partner has it.
    Delivered,
    /// The partner answered 410.
    Gone,
    /// All attempts of the round failed.
    Exhausted,
    /// The campaign was archived, or an operator took it back.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Retrying, Self::Delivered, Self::Gone, Self::Exhausted, Self::Cancelled];

    /// As it is written.
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

/// The right to make one attempt, until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The round.
    pub round: u32,
    /// Which attempt of it.
    pub n: u8,
    /// The ticket of the message that it was claimed for.
    pub ticket: Ticket,
    /// Whose it is: two workers with copies of one message have one ticket and two marks.
    pub mark: Mark,
    /// When the attempt was due.
    pub due_at: Moment,
    /// From this instant on another may claim the attempt.
    pub until: Moment,
}

impl Claim {
    /// Whether nobody else may claim the attempt yet. No request is begun that may outlast this.
    pub fn lives(&self, now: Moment) -> bool {
        now < self.until
    }
}

/// A message of the queues `webhooks` and `webhook-retries`: an attempt that is to be made when it is due.
///
/// It names partner and campaign, so that its message group, a pause and a wait need no read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its partner.
    pub provider: Provider,
    /// Its campaign.
    pub campaign: CampaignName,
    /// The round.
    pub round: u32,
    /// Which attempt of it.
    pub n: u8,
    /// Tells this chain of messages from others of the same delivery.
    pub ticket: Ticket,
    /// When the attempt is due.
    pub due_at: Moment,
    /// Which revision of the delivery it was made for. While that stands, all that the message says is so, and the
    /// attempt can be claimed without reading the delivery first.
    pub revision: u32,
}

impl Message {
    /// Whether it belongs to the first attempt of all, which waits for no failing partner's resends.
    pub fn is_first(&self) -> bool {
        self.round == 1 && self.n == 1
    }

    /// How many seconds it must wait still, if any: at most 900 at a time. Where this says so, nothing need be read.
    pub fn hop(&self, now: Moment) -> Option<u16> {
        (now < self.due_at).then(|| crate::retry::hop(now, self.due_at))
    }

    /// The claim to store without reading the delivery, if it still has the [`revision`](Self::revision) that this
    /// message was made for: whoever made the message saw that no claim lived then, so it is what
    /// [`Delivery::decide`] would say. None where the attempt is not to be made now.
    pub fn claim(&self, now: Moment, standing: Standing, pace: &Pace, mark: &Mark) -> Option<Claim> {
        (standing == Standing::Open && self.due_at <= now).then(|| Claim {
            round: self.round,
            n: self.n,
            ticket: self.ticket.clone(),
            mark: mark.clone(),
            due_at: self.due_at,
            until: pace.claimed_until(now),
        })
    }
}

/// An attempt that is kept beside its delivery, because its claim was lost before it could be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateAttempt {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The round that it was made in.
    pub round: u32,
    /// Who made it: with the delivery, the round and `n` its key, so that storing it twice stores it once.
    pub mark: Mark,
    /// The attempt.
    pub attempt: Attempt,
}

impl Delivery {
    /// What is put where there is none yet for a goal that this GG3 user has reached: its first attempt is due at once.
    /// Its ids are fixed from now on.
    pub fn new(participant: UserId, owed: Owed, now: Moment, ticket: Ticket) -> Self {
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
            life: Life::UnderWay { next: Next { due_at: now, ticket }, claim: None },
        }
    }

    /// Its id, and the `webhook-id` of every attempt of every round.
    pub fn id(&self) -> &DeliveryId {
        &self.id
    }

    /// The partner it is owed to.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The campaign whose goal was reached.
    pub fn campaign(&self) -> &CampaignName {
        &self.campaign
    }

    /// The GG3 user who reached it.
    pub fn participant(&self) -> &UserId {
        &self.participant
    }

    /// What the partner knows the user by.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// When the goal was reached.
    pub fn occurred_at(&self) -> Moment {
        self.occurred_at
    }

    /// When it was first put.
    pub fn created_at(&self) -> Moment {
        self.created_at
    }

    /// One more with each change: what is stored is replaced only where it still has the revision that was read.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// The current round, from 1.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// When the current round began: how long it has been under way.
    pub fn opened_at(&self) -> Moment {
        self.opened_at
    }

    /// The recorded attempts of the current round, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The ticket of the message that the last attempt was recorded for.
    pub fn recorded_under(&self) -> Option<&Ticket> {
        self.recorded.as_ref()
    }

    /// How it ended; `None` while it is under way.
    pub fn ending(&self) -> Option<Ending> {
        match self.life {
            Life::Ended { ending, .. } => Some(ending),
            Life::UnderWay { .. } => None,
        }
    }

    /// When it ended; `None` while it is under way.
    pub fn ended_at(&self) -> Option<Moment> {
        match self.life {
            Life::Ended { at, .. } => Some(at),
            Life::UnderWay { .. } => None,
        }
    }

    /// How far it is, in one word.
    pub fn status(&self) -> Status {
        match self.ending() {
            Some(ending) => ending.into(),
            None if self.attempts.is_empty() => Status::Pending,
            None => Status::Retrying,
        }
    }

    /// The attempt to come, while it is under way.
    pub fn next(&self) -> Option<&Next> {
        match &self.life {
            Life::UnderWay { next, .. } => Some(next),
            Life::Ended { .. } => None,
        }
    }

    /// The claim on the attempt to come, live or expired.
    pub fn claim(&self) -> Option<&Claim> {
        match &self.life {
            Life::UnderWay { claim, .. } => claim.as_ref(),
            Life::Ended { .. } => None,
        }
    }

    fn next_n(&self) -> u8 {
        u8::try_from(self.attempts.len()).map_or(u8::MAX, |recorded| recorded.saturating_add(1))
    }

    /// The message of the attempt to come, under this ticket.
    fn message(&self, next: &Next, ticket: Ticket) -> Message {
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
mod simulation;
#[cfg(test)]
pub(crate) mod tests;
