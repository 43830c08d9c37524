//! Decides how a delivery changes.

use core::time::Duration;

use super::{Claim, Delivery, DeliveryPace, Ending, LateAttempt, Life, Message, NextAttempt};
use crate::archive::ArchiveKey;
use crate::outbound::attempt::{Attempt, FinishedAttempt, Verdict};
use crate::outbound::campaign::CampaignState;
use crate::outbound::retry::{RetryPolicy, hop};
use crate::prelude::*;
use crate::values::ids::{ChainTicket, ClaimMark};
use crate::values::time::UnixMillis;

/// Says what to do about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageDecision {
    /// Replace the stored delivery by this one, and make the attempt only after that.
    Claim {
        /// Holds the claimed delivery.
        delivery: Delivery,
        /// Holds the claim.
        claim: Claim,
    },
    /// Make the attempt. The claim of this worker is already stored; only the answer of the store was lost.
    Send(Claim),
    /// Send the same message again with this delay to the queue of resends, then acknowledge.
    Hop {
        /// Gives the delay, from 1 to 900 seconds.
        delay_seconds: u16,
    },
    /// Send this message with the delay until it is due, then acknowledge. The worker that recorded the attempt died
    /// before it sent the message.
    EnqueueNext(Message),
    /// Replace the stored delivery by this cancelled one, then acknowledge.
    Cancel(Delivery),
    /// Acknowledge, because nothing is left to do for this message.
    Acknowledge(NoWorkReason),
    /// Do nothing, and do not acknowledge. If the worker that makes the attempt fails, this message is needed again.
    LeaveToReturn {
        /// Holds the instant before which it is useless to handle the message again.
        until: UnixMillis,
    },
}

/// Says why no work is left for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoWorkReason {
    /// The delivery has ended.
    Ended(Ending),
    /// Another round was opened.
    OlderRound,
    /// The attempt is recorded, and another message exists for the next attempt.
    Superseded,
}

/// Says what to do about an attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptDecision {
    /// Replace the stored delivery by this one, then send the next message if there is one, then acknowledge.
    Stored {
        /// Holds the delivery with the attempt.
        delivery: Delivery,
        /// Holds the message of the next attempt.
        next: Option<Message>,
    },
    /// The attempt is already stored; only the answer of the store was lost. Decide about the message again.
    Already,
    /// The worker has lost its claim. Store the attempt beside the delivery. If the attempt changed the delivery, store
    /// both in one transaction, so that no crash leaves a delivery without the attempt that delivered it. Then decide
    /// about the message again. The message must not be acknowledged here, because the new claim may have been made for
    /// the same message, and the delivery could be lost.
    ClaimLost {
        /// Holds the delivery if the attempt delivered it after all.
        delivery: Option<Delivery>,
        /// Holds the attempt.
        late: LateAttempt,
    },
}

/// Holds a round that an operator opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedRound {
    /// Holds the delivery that replaces the stored one.
    pub delivery: Delivery,
    /// Holds the attempts of the old round. Each attempt is stored as an item of its own, in the same transaction.
    pub moved: Vec<Attempt>,
    /// Numbers the old round.
    pub moved_round: u32,
    /// Holds the message to send once the delivery is stored.
    pub message: Message,
}

impl Delivery {
    /// Decides what to do about a message of this delivery.
    ///
    /// The caller makes a fresh `mark` for each received message, and uses the same mark until that message is handled.
    pub fn decide(
        &self,
        message: &Message,
        now: UnixMillis,
        state: CampaignState,
        pace: &DeliveryPace,
        mark: &ClaimMark,
    ) -> MessageDecision {
        // The delivery was read too early, or the message belongs to another delivery. The message returns until it is
        // right or is dead-lettered.
        if message.delivery_id != self.id || message.round > self.round {
            return MessageDecision::LeaveToReturn { until: now };
        }
        if message.round < self.round {
            return MessageDecision::Acknowledge(NoWorkReason::OlderRound);
        }
        let (next, claim) = match &self.life {
            Life::Ended { ending, .. } => return MessageDecision::Acknowledge(NoWorkReason::Ended(*ending)),
            Life::UnderWay { next, claim } => (next, claim.as_ref()),
        };
        let n = self.next_n();
        if message.n < n {
            return self.after_its_record(message, next, claim);
        }
        if message.n > n {
            return MessageDecision::LeaveToReturn { until: now };
        }
        if let Some(claim) = claim.filter(|claim| claim.lives(now)) {
            let own = claim.mark == *mark;
            return if own {
                MessageDecision::Send(claim.clone())
            } else {
                MessageDecision::LeaveToReturn { until: claim.until }
            };
        }
        match state {
            CampaignState::Archived => MessageDecision::Cancel(self.ended(Ending::Cancelled, now)),
            _ if now < next.due_at => MessageDecision::Hop { delay_seconds: hop(now, next.due_at) },
            CampaignState::Paused => MessageDecision::Hop { delay_seconds: pace.paused_hop_seconds() },
            CampaignState::Open => {
                let claim = message.claim_due(next.due_at, now, pace, mark);
                MessageDecision::Claim { delivery: self.with_claim(claim.clone()), claim }
            }
        }
    }

    /// Decides about a message for an attempt that is recorded. The next message must be sent if this message's own
    /// chain recorded the attempt and the next attempt has not begun.
    fn after_its_record(&self, message: &Message, next: &NextAttempt, claim: Option<&Claim>) -> MessageDecision {
        let last = message.n.saturating_add(1) == self.next_n();
        let mine = self.recorded.as_ref() == Some(&message.ticket);
        if last && mine && claim.is_none() {
            MessageDecision::EnqueueNext(self.message(next, next.ticket.clone()))
        } else {
            MessageDecision::Acknowledge(NoWorkReason::Superseded)
        }
    }

    /// Returns the delivery with the claim from [`Message::claim`] in it. The conditional write that claims a delivery
    /// without a read must store exactly this.
    #[must_use]
    pub fn with_claim(&self, claim: Claim) -> Self {
        match &self.life {
            Life::UnderWay { next, .. } => self.with(Life::UnderWay { next: next.clone(), claim: Some(claim) }),
            Life::Ended { .. } => self.clone(),
        }
    }

    /// Decides what to do about an attempt that was made under this claim. The next message gets the fresh `ticket`.
    pub fn record(
        &self,
        claim: &Claim,
        answered: &FinishedAttempt,
        policy: RetryPolicy,
        ticket: ChainTicket,
    ) -> AttemptDecision {
        let mut attempt = Attempt::of(claim.n, claim.due_at, answered);
        if self.erased {
            attempt = attempt.without_answer();
        }
        if self.claim() != Some(claim) {
            return self.record_late(claim, attempt, answered.ended_at);
        }
        let due = policy.due(claim.n, answered.ended_at, answered.retry_after);
        let at = answered.ended_at;
        let life = match (answered.outcome.verdict(), due) {
            (Verdict::Delivered, _) => Life::Ended { ending: Ending::Delivered, at },
            (Verdict::Gone, _) => Life::Ended { ending: Ending::Gone, at },
            (Verdict::Unsendable, _) => Life::Ended { ending: Ending::Unsendable, at },
            (Verdict::Failed, None) => Life::Ended { ending: Ending::Exhausted, at },
            (Verdict::Failed, Some(due_at)) => Life::UnderWay { next: NextAttempt { due_at, ticket }, claim: None },
        };
        let mut delivery = self.with(life);
        delivery.attempts.push(attempt);
        delivery.recorded = Some(claim.ticket.clone());
        let next = delivery.next().map(|next| delivery.message(next, next.ticket.clone()));
        AttemptDecision::Stored { delivery, next }
    }

    fn record_late(&self, claim: &Claim, attempt: Attempt, ended_at: UnixMillis) -> AttemptDecision {
        if self.round == claim.round && self.attempts.contains(&attempt) {
            return AttemptDecision::Already;
        }
        let delivered = attempt.outcome.verdict() == Verdict::Delivered;
        let news = delivered && self.ending() != Some(Ending::Delivered);
        let delivery = news.then(|| self.ended(Ending::Delivered, ended_at));
        let late = LateAttempt {
            delivery_id: self.id.clone(),
            provider: self.provider.clone(),
            campaign: self.campaign.clone(),
            round: claim.round,
            mark: claim.mark.clone(),
            attempt,
        };
        AttemptDecision::ClaimLost { delivery, late }
    }

    /// Returns the message of the first attempt, or `None` if that attempt has begun or the delivery has ended. It may
    /// be sent again for a delivery that was put before. The `ticket` is fresh, so that one of the two chains of
    /// messages ends as soon as an attempt is recorded.
    pub fn first_message(&self, ticket: ChainTicket) -> Option<Message> {
        let begun = self.round > 1 || !self.attempts.is_empty() || self.claim().is_some();
        self.next().filter(|_| !begun).map(|next| self.message(next, ticket))
    }

    /// Opens a round for an operator, at any time and as often as wanted. Messages of older rounds are acknowledged
    /// without work, and any claim is removed. An attempt that is under way may still deliver.
    #[must_use]
    pub fn open_round(&self, now: UnixMillis, ticket: ChainTicket) -> OpenedRound {
        let next = NextAttempt { due_at: now, ticket: ticket.clone() };
        let mut delivery = self.with(Life::UnderWay { next: next.clone(), claim: None });
        let moved = core::mem::take(&mut delivery.attempts);
        delivery.recorded = None;
        delivery.round = self.round.saturating_add(1);
        delivery.opened_at = now;
        let message = delivery.message(&next, ticket);
        OpenedRound { delivery, moved, moved_round: self.round, message }
    }

    /// Cancels a delivery that is under way, or returns `None` if it has ended. An attempt that is under way may still
    /// deliver. Only the proof uses this function; the sender cancels a delivery in [`Self::decide`] if its campaign is
    /// archived.
    pub fn cancel(&self, now: UnixMillis) -> Option<Self> {
        self.ending().is_none().then(|| self.ended(Ending::Cancelled, now))
    }

    /// Erases the person, or returns `None` if that was done before. Replaces the ids and removes what the partner
    /// answered. A delivery that is under way ends, cancelled, so that a worker in the middle of an attempt loses its
    /// claim. The key stays, so that the same goal never makes another delivery.
    pub fn erase(&self, key: &ArchiveKey, now: UnixMillis) -> Option<Self> {
        if self.erased {
            return None;
        }
        let life = match &self.life {
            Life::UnderWay { .. } => Life::Ended { ending: Ending::Cancelled, at: now },
            ended @ Life::Ended { .. } => ended.clone(),
        };
        Some(Self {
            participant: key.erased_user(&self.participant),
            ids: key.erased_ids(&self.provider, &self.ids),
            attempts: self.attempts.iter().map(Attempt::without_answer).collect(),
            erased: true,
            ..self.with(life)
        })
    }

    /// Returns the message that the sweep sends for an overdue delivery. A delivery is overdue if more than `grace` has
    /// passed since its claim expired, or since its attempt was due if there is no claim. The `ticket` is fresh: if the
    /// old message still waits in a long queue, one of the two chains ends as soon as an attempt is recorded. The sweep
    /// leaves out paused campaigns.
    pub fn overdue(&self, now: UnixMillis, grace: Duration, ticket: ChainTicket) -> Option<Message> {
        let next = self.next()?;
        let since = self.claim().map_or(next.due_at, |claim| claim.until);
        (since.plus(grace) < now).then(|| self.message(next, ticket))
    }

    fn ended(&self, ending: Ending, at: UnixMillis) -> Self {
        self.with(Life::Ended { ending, at })
    }

    fn with(&self, life: Life) -> Self {
        Self { life, revision: self.revision.saturating_add(1), ..self.clone() }
    }
}
