//! The transitions of a delivery.

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

/// How a campaign stands when a message of it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its webhooks are sent.
    Open,
    /// Its webhooks wait.
    Paused,
    /// It is over: what is owed is cancelled.
    Archived,
}

impl From<&Campaign> for Standing {
    /// Archived is stronger than paused.
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

/// How long a claim is held, and how often a paused delivery is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    claim_hold: Duration,
    paused_hop_seconds: u16,
}

/// A pace that would not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PaceFault {
    /// A claim that expires as it is made protects nothing.
    #[error("a claim must be held for a second at least")]
    ClaimHold,
    /// SQS carries 1 to 900 seconds.
    #[error("a paused delivery is looked at again after 1 to {MAX_HOP_SECONDS} seconds")]
    PausedHop,
}

impl Default for Pace {
    /// A minute, and five.
    fn default() -> Self {
        Self { claim_hold: Duration::from_mins(1), paused_hop_seconds: 300 }
    }
}

impl Pace {
    /// This pace. A claim must be held for longer than an attempt can take in all; whoever knows the attempt's limits
    /// sees to that.
    pub fn try_new(claim_hold: Duration, paused_hop_seconds: u16) -> Result<Self, PaceFault> {
        if claim_hold < Duration::from_secs(1) {
            return Err(PaceFault::ClaimHold);
        }
        if !(1..=MAX_HOP_SECONDS).contains(&paused_hop_seconds) {
            return Err(PaceFault::PausedHop);
        }
        Ok(Self { claim_hold, paused_hop_seconds })
    }

    /// Until when a claim that is made now is held.
    pub(super) fn claimed_until(&self, now: Moment) -> Moment {
        now.plus(self.claim_hold)
    }

    /// How long a message of a paused campaign waits until it is looked at again.
    pub fn paused_hop_seconds(&self) -> u16 {
        self.paused_hop_seconds
    }
}

/// What is to be done about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Store this delivery in place of the one that was read; then, and only then, make the attempt under this claim.
    Claim {
        /// The delivery, claimed.
        delivery: Delivery,
        /// The claim.
        claim: Claim,
    },
    /// Make the attempt: this worker's claim is stored already, and only the answer to storing it was lost.
    Send(Claim),
    /// Send the same message again with this delay, to the queue of resends; then acknowledge.
    Hop {
        /// 1 to 900.
        delay_seconds: u16,
    },
    /// Send this message, delayed as it says; then acknowledge. Whoever recorded the attempt died before that.
    EnqueueNext(Message),
    /// Store this cancelled delivery in place of the one that was read; then acknowledge.
    Cancel(Delivery),
    /// Nothing is left to do for this message.
    Acknowledge(Why),
    /// Neither acknowledge nor do anything: what it stands for is being done, and if that fails it is needed again.
    LeaveToReturn {
        /// Before this instant it would only have to return again.
        until: Moment,
    },
}

/// Why a message has no work left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The delivery has ended.
    Ended(Ending),
    /// Another round was opened.
    OlderRound,
    /// The attempt is recorded, and the next one is another message's.
    Superseded,
}

/// What is to be done about an attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Store this delivery in place of the one that was read; then send the next message, if any; then acknowledge.
    Stored {
        /// The delivery, with the attempt.
        delivery: Delivery,
        /// The message of the next attempt.
        next: Option<Message>,
    },
    /// It is stored already, and only the answer to storing it was lost. Decide about the message again.
    Already,
    /// The claim is somebody else's by now, or nobody's. Store the attempt beside the delivery, together with the delivery
    /// if it changed: both or neither, else a crash between the two leaves a delivery that no attempt delivered. Then
    /// decide about the message again. Acknowledging it here could lose the delivery: the message may be the one that the
    /// new claim was made for.
    ClaimLost {
        /// The delivery, if the attempt delivered it after all.
        delivery: Option<Delivery>,
        /// The attempt.
        late: LateAttempt,
    },
}

/// A round that was opened by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// To be stored in place of the one that was read.
    pub delivery: Delivery,
    /// The old round's attempts, to be stored as items of their own in the same transaction.
    pub moved: Vec<Attempt>,
    /// The number of the round that they belong to.
    pub moved_round: u32,
    /// To be sent once the delivery is stored.
    pub message: Message,
}

impl Delivery {
    /// What to do about a message of this delivery.
    ///
    /// `mark` is made afresh for each message received, and kept while the same receipt is decided about again.
    pub fn decide(&self, message: &Message, now: Moment, standing: Standing, pace: &Pace, mark: &Mark) -> Step {
        // A stale read, or a message of another delivery: it returns, and ends where somebody looks.
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

    /// A message whose attempt is recorded: the next one's message is this chain's to send, if it recorded it and the
    /// next one has not begun.
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

    /// The delivery once [`Message::claim`]'s claim is stored: what storing it must come to, for whoever stores it.
    #[must_use]
    pub fn with_claim(&self, claim: Claim) -> Self {
        match &self.life {
            Life::UnderWay { next, .. } => self.with(Life::UnderWay { next: next.clone(), claim: Some(claim) }),
            Life::Ended { .. } => self.clone(),
        }
    }

    /// What to do about an attempt that was made under this claim. `ticket` is a fresh one, for the next message.
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

    /// The message to send after putting this delivery found one stored already: none if it has begun or ended. `ticket`
    /// is a fresh one, so that of two chains one ends as soon as an attempt is recorded.
    pub fn first_message(&self, ticket: Ticket) -> Option<Message> {
        let begun = self.round > 1 || !self.attempts.is_empty() || self.claim().is_some();
        self.next().filter(|_| !begun).map(|next| self.message(next, ticket))
    }

    /// Opens a round by hand: at any time, as often as wanted, whatever is under way. The messages of older rounds end
    /// by themselves, and a claim is replaced; an attempt that is in the air may still deliver.
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

    /// Cancels what is under way; `None` if it has ended. An attempt that is in the air may still deliver.
    pub fn cancel(&self, now: Moment) -> Option<Self> {
        self.ending().is_none().then(|| self.ended(Ending::Cancelled, now))
    }

    /// The message that the sweep sends for what is later than it should be: what was due, or claimed until, more than
    /// `grace` ago. The ticket is a fresh one: if the old message only waits in a long queue, one of the two chains ends
    /// as soon as an attempt is recorded. The sweep passes over what is paused.
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
