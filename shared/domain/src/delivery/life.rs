//! Decides how a delivery changes.

use core::time::Duration;

use thiserror::Error;

use super::{Claim, Delivery, Ending, LateAttempt, Life, Message, Next};
use crate::{
    attempt::{Answered, Attempt, Verdict},
    campaign::Campaign,
    ids::{Mark, Ticket},
    moment::Moment,
    prelude::*,
    retry::{MAX_HOP_SECONDS, RetryPolicy, hop},
};

/// Says how a campaign treats its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The campaign's webhooks are sent.
    Open,
    /// The campaign's webhooks wait.
    Paused,
    /// The campaign has ended, and what it owes is cancelled.
    Archived,
}

impl From<&Campaign> for Standing {
    /// Reads the campaign's state. A campaign that is both archived and paused counts as archived.
    fn from(campaign: &Campaign) -> Self {
        if campaign.archived() {
            Self::Archived
        } else if campaign.paused() {
            Self::Paused
        } else {
            Self::Open
        }
    }
}

/// Sets how long a claim is held and how often a paused delivery is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    claim_hold: Duration,
    paused_hop_seconds: u16,
}

/// Says why such times are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PaceFault {
    /// The claim would expire too early to protect anything.
    #[error("the claim hold must be at least 1 second")]
    ClaimHold,
    /// SQS delays messages by 1 to 900 seconds.
    #[error("the paused hop must be 1 to {MAX_HOP_SECONDS} seconds")]
    PausedHop,
}

impl Default for Pace {
    /// Holds claims for a minute and looks at paused deliveries every five minutes.
    fn default() -> Self {
        Self { claim_hold: Duration::from_mins(1), paused_hop_seconds: 300 }
    }
}

impl Pace {
    /// Checks the bounds of these times. The caller must choose a claim hold that is longer than an attempt can take.
    pub fn try_new(claim_hold: Duration, paused_hop_seconds: u16) -> Result<Self, PaceFault> {
        if claim_hold < Duration::from_secs(1) {
            return Err(PaceFault::ClaimHold);
        }
        if !(1..=MAX_HOP_SECONDS).contains(&paused_hop_seconds) {
            return Err(PaceFault::PausedHop);
        }
        Ok(Self { claim_hold, paused_hop_seconds })
    }

    /// Returns until when a claim that is made now is held.
    pub(super) fn claimed_until(&self, now: Moment) -> Moment {
        now.plus(self.claim_hold)
    }

    /// Returns how long a message of a paused campaign waits until it is looked at again.
    pub fn paused_hop_seconds(&self) -> u16 {
        self.paused_hop_seconds
    }
}

/// Says what to do about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Store this delivery in place of the one that was read. After that, and only then, make the attempt under this
    /// claim.
    Claim {
        /// Holds the claimed delivery.
        delivery: Delivery,
        /// Holds the claim.
        claim: Claim,
    },
    /// Make the attempt. This worker's claim is stored already; only the answer to storing it was lost.
    Send(Claim),
    /// Send the same message again with this delay to the queue of resends, then acknowledge.
    Hop {
        /// Gives the delay, from 1 to 900 seconds.
        delay_seconds: u16,
    },
    /// Send this message, delayed as it says, then acknowledge. The worker that recorded the attempt died before
    /// sending it.
    EnqueueNext(Message),
    /// Store this cancelled delivery in place of the one that was read, then acknowledge.
    Cancel(Delivery),
    /// Acknowledge, because nothing is left to do for this message.
    Acknowledge(Why),
    /// Do nothing, not even acknowledge. Another worker is making the attempt, and if it fails this message is needed
    /// again.
    LeaveToReturn {
        /// Says before which instant the message would only have to return again.
        until: Moment,
    },
}

/// Says why a message has no work left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The delivery has ended.
    Ended(Ending),
    /// Another round was opened.
    OlderRound,
    /// The attempt is recorded, and another message stands for the next one.
    Superseded,
}

/// Says what to do about an attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Store this delivery in place of the one that was read, then send the next message if there is one, then
    /// acknowledge.
    Stored {
        /// Holds the delivery with the attempt.
        delivery: Delivery,
        /// Holds the message of the next attempt.
        next: Option<Message>,
    },
    /// The attempt is stored already; only the answer to storing it was lost. Decide about the message again.
    Already,
    /// Another worker has the claim by now, or no worker has. Store the attempt beside the delivery, in one transaction
    /// with the delivery if that changed; otherwise a crash could leave a delivery without the attempt that delivered
    /// it. Then decide about the message again. Acknowledging it here could lose the delivery, because the new claim
    /// may have been made for this message.
    ClaimLost {
        /// Holds the delivery if the attempt delivered it after all.
        delivery: Option<Delivery>,
        /// Holds the attempt.
        late: LateAttempt,
    },
}

/// Holds a round that was opened by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Replaces the delivery that was read.
    pub delivery: Delivery,
    /// Holds the old round's attempts. Each is stored as an item of its own in the same transaction.
    pub moved: Vec<Attempt>,
    /// Numbers the old round.
    pub moved_round: u32,
    /// Holds the message to send once the delivery is stored.
    pub message: Message,
}

impl Delivery {
    /// Decides what to do about a message of this delivery.
    ///
    /// The caller makes a fresh `mark` for each received message and keeps it when it decides about the same receipt
    /// again.
    pub fn decide(&self, message: &Message, now: Moment, standing: Standing, pace: &Pace, mark: &Mark) -> Step {
        // The read was stale, or the message belongs to another delivery. It returns and ends in the dead-letter queue.
        if message.delivery_id != self.id || message.round > self.round {
            return Step::LeaveToReturn { until: now };
        }
        if message.round < self.round {
            return Step::Acknowledge(Why::OlderRound);
        }
        let (next, claim) = match &self.life {
            Life::Ended { ending, .. } => return Step::Acknowledge(Why::Ended(*ending)),
            Life::UnderWay { next, claim } => (next, claim.as_ref()),
        };
        let n = self.next_n();
        if message.n < n {
            return self.after_its_record(message, next, claim);
        }
        if message.n > n {
            return Step::LeaveToReturn { until: now };
        }
        if let Some(claim) = claim.filter(|claim| claim.lives(now)) {
            let own = claim.mark == *mark;
            return if own { Step::Send(claim.clone()) } else { Step::LeaveToReturn { until: claim.until } };
        }
        match standing {
            Standing::Archived => Step::Cancel(self.ended(Ending::Cancelled, now)),
            _ if now < next.due_at => Step::Hop { delay_seconds: hop(now, next.due_at) },
            Standing::Paused => Step::Hop { delay_seconds: pace.paused_hop_seconds },
            Standing::Open => self.claimed(message, next, now, pace, mark),
        }
    }

    /// Decides about a message whose attempt is recorded. It must send the next message if its own chain recorded the
    /// attempt and the next attempt has not begun.
    fn after_its_record(&self, message: &Message, next: &Next, claim: Option<&Claim>) -> Step {
        let last = message.n.saturating_add(1) == self.next_n();
        let mine = self.recorded.as_ref() == Some(&message.ticket);
        if last && mine && claim.is_none() {
            Step::EnqueueNext(self.message(next, next.ticket.clone()))
        } else {
            Step::Acknowledge(Why::Superseded)
        }
    }

    fn claimed(&self, message: &Message, next: &Next, now: Moment, pace: &Pace, mark: &Mark) -> Step {
        let claim = Claim {
            round: self.round,
            n: self.next_n(),
            ticket: message.ticket.clone(),
            mark: mark.clone(),
            due_at: next.due_at,
            until: pace.claimed_until(now),
        };
        let life = Life::UnderWay { next: next.clone(), claim: Some(claim.clone()) };
        Step::Claim { delivery: self.with(life), claim }
    }

    /// Returns the delivery with [`Message::claim`]'s claim stored in it, as the conditional write must leave it.
    #[must_use]
    pub fn with_claim(&self, claim: Claim) -> Self {
        match &self.life {
            Life::UnderWay { next, .. } => self.with(Life::UnderWay { next: next.clone(), claim: Some(claim) }),
            Life::Ended { .. } => self.clone(),
        }
    }

    /// Decides what to do about an attempt that was made under this claim. The next message gets the fresh `ticket`.
    pub fn record(&self, claim: &Claim, answered: &Answered, policy: RetryPolicy, ticket: Ticket) -> Recorded {
        let attempt = Attempt::of(claim.n, claim.due_at, answered);
        if self.claim() != Some(claim) {
            return self.record_late(claim, attempt, answered.ended_at);
        }
        let due = policy.due(claim.n, answered.ended_at, answered.retry_after);
        let at = answered.ended_at;
        let life = match (answered.outcome.verdict(), due) {
            (Verdict::Delivered, _) => Life::Ended { ending: Ending::Delivered, at },
            (Verdict::Gone, _) => Life::Ended { ending: Ending::Gone, at },
            (Verdict::Failed, None) => Life::Ended { ending: Ending::Exhausted, at },
            (Verdict::Failed, Some(due_at)) => Life::UnderWay { next: Next { due_at, ticket }, claim: None },
        };
        let mut delivery = self.with(life);
        delivery.attempts.push(attempt);
        delivery.recorded = Some(claim.ticket.clone());
        let next = delivery.next().map(|next| delivery.message(next, next.ticket.clone()));
        Recorded::Stored { delivery, next }
    }

    fn record_late(&self, claim: &Claim, attempt: Attempt, ended_at: Moment) -> Recorded {
        if self.round == claim.round && self.attempts.contains(&attempt) {
            return Recorded::Already;
        }
        let delivered = attempt.outcome.verdict() == Verdict::Delivered;
        let news = delivered && self.ending() != Some(Ending::Delivered);
        let delivery = news.then(|| self.ended(Ending::Delivered, ended_at));
        let late = LateAttempt { delivery_id: self.id.clone(), round: claim.round, mark: claim.mark.clone(), attempt };
        Recorded::ClaimLost { delivery, late }
    }

    /// Returns the message to send when putting this delivery found it stored already, or `None` if it has begun or
    /// ended. The `ticket` is fresh, so that of two chains of messages one ends as soon as an attempt is recorded.
    pub fn first_message(&self, ticket: Ticket) -> Option<Message> {
        let begun = self.round > 1 || !self.attempts.is_empty() || self.claim().is_some();
        self.next().filter(|_| !begun).map(|next| self.message(next, ticket))
    }

    /// Opens a round by hand, at any time and as often as wanted. Messages of older rounds end by themselves, and any
    /// claim is replaced. An attempt that is under way may still deliver.
    #[must_use]
    pub fn open_round(&self, now: Moment, ticket: Ticket) -> Opened {
        let next = Next { due_at: now, ticket: ticket.clone() };
        let mut delivery = self.with(Life::UnderWay { next: next.clone(), claim: None });
        let moved = core::mem::take(&mut delivery.attempts);
        delivery.recorded = None;
        delivery.round = self.round.saturating_add(1);
        delivery.opened_at = now;
        let message = delivery.message(&next, ticket);
        Opened { delivery, moved, moved_round: self.round, message }
    }

    /// Cancels what is under way, or returns `None` if the delivery has ended. An attempt under way may still deliver.
    pub fn cancel(&self, now: Moment) -> Option<Self> {
        self.ending().is_none().then(|| self.ended(Ending::Cancelled, now))
    }

    /// Returns the message that the sweep sends if the delivery was due, or claimed, until more than `grace` ago. The
    /// `ticket` is fresh: if the old message still waits in a long queue, one of the two chains ends as soon as an
    /// attempt is recorded. The sweep leaves out paused campaigns.
    pub fn overdue(&self, now: Moment, grace: Duration, ticket: Ticket) -> Option<Message> {
        let next = self.next()?;
        let since = self.claim().map_or(next.due_at, |claim| claim.until);
        (since.plus(grace) < now).then(|| self.message(next, ticket))
    }

    fn ended(&self, ending: Ending, at: Moment) -> Self {
        self.with(Life::Ended { ending, at })
    }

    fn with(&self, life: Life) -> Self {
        Self { life, revision: self.revision.saturating_add(1), ..self.clone() }
    }
}
