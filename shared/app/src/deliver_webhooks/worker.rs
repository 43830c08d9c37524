//! Handles one message: claims the attempt, makes the request, records the result, and sends the next message.

use std::time::Duration;

use domain::{
    outbound::{
        attempt::FinishedAttempt,
        campaign::CampaignState,
        delivery::{AttemptDecision, Claim, Delivery, Message, MessageDecision},
    },
    partner::recipient::{Callee, Prepared},
    values::{ids::ClaimMark, signature::Secret, time::UnixMillis},
};

use super::{Attempted, DeliverWebhooks, HopReason, MessageFailure, MessageOutcome};
use crate::ports::{Claimed, Clock, Deliveries, PartnerServers, Ports, Randomness, Replaced, ResendQueue, Unavailable};

/// Limits how often a decision is repeated because another worker changed the delivery. Workers cannot block each other
/// for ever, since each change means that one of them got further.
pub(super) const TRIES: usize = 8;

/// Sets the first pause before a failed operation is tried again. Each further pause is twice as long, up to
/// [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A worker that handles one message.
pub(super) struct Worker<'a, P: Ports> {
    pub(super) ports: &'a DeliverWebhooks<P>,
    pub(super) message: &'a Message,
    pub(super) callee: &'a Callee,
    pub(super) secrets: &'a [Secret],
    pub(super) mark: ClaimMark,
    pub(super) deadline: UnixMillis,
}

/// The result of a step: an outcome, or `None` if the delivery must be read again for a new decision.
type Progress = Result<Option<MessageOutcome>, MessageFailure>;
const AGAIN: Progress = Ok(None);

impl<P: Ports> Worker<'_, P> {
    pub(super) async fn work(&self) -> Result<MessageOutcome, MessageFailure> {
        let mut delivery = match self.claim_unread().await? {
            Unread::Finished(outcome) => return Ok(outcome),
            Unread::Decide(delivery) => *delivery,
        };
        for _ in 0..TRIES {
            let now = self.ports.clock.now();
            let step = delivery.decide(self.message, now, self.callee.state(), &self.ports.pace, &self.mark);
            if let Some(outcome) = self.carry_out(step).await? {
                return Ok(outcome);
            }
            delivery = self.read().await?;
        }
        Err(MessageFailure::Contended)
    }

    /// Stores the claim without a read, on condition that the delivery still has the message's revision. This is the
    /// common case.
    async fn claim_unread(&self) -> Result<Unread, MessageFailure> {
        let now = self.ports.clock.now();
        let Some(claim) = self.message.claim(now, self.callee.state(), &self.ports.pace, &self.mark) else {
            return self.read_to_decide().await;
        };
        let webhook = self.ready_to_claim(now)?;
        match self.ports.deliveries.claim(self.message, &claim).await? {
            Claimed::Stored(delivery) => match self.attempt(*delivery, claim, webhook).await? {
                Some(outcome) => Ok(Unread::Finished(outcome)),
                None => self.read_to_decide().await,
            },
            Claimed::Otherwise(Some(delivery)) => Ok(Unread::Decide(delivery)),
            Claimed::Otherwise(None) => Err(MessageFailure::NoDelivery),
        }
    }

    async fn read_to_decide(&self) -> Result<Unread, MessageFailure> {
        self.read().await.map(|delivery| Unread::Decide(Box::new(delivery)))
    }

    async fn carry_out(&self, step: MessageDecision) -> Progress {
        match step {
            MessageDecision::Claim { delivery, claim } => {
                let webhook = self.ready_to_claim(self.ports.clock.now())?;
                match self.ports.deliveries.replace(&delivery).await? {
                    Replaced::Done => self.attempt(delivery, claim, webhook).await,
                    Replaced::Changed => AGAIN,
                }
            }
            MessageDecision::Send(claim) => {
                let webhook = self.ready_to_claim(self.ports.clock.now())?;
                let delivery = self.read().await?;
                // An operator may have opened a round since the claim.
                if delivery.claim() == Some(&claim) { self.attempt(delivery, claim, webhook).await } else { AGAIN }
            }
            MessageDecision::Hop { delay_seconds } => {
                let paused = self.callee.state() == CampaignState::Paused;
                let why = if paused { HopReason::Paused } else { HopReason::NotDue };
                self.ports.hop(self.message, delay_seconds, why).await.map(Some)
            }
            MessageDecision::EnqueueNext(next) => {
                self.send_next(&next).await?;
                Ok(Some(MessageOutcome::SentNext))
            }
            MessageDecision::Cancel(delivery) => match self.ports.deliveries.replace(&delivery).await? {
                Replaced::Done => Ok(Some(MessageOutcome::Cancelled)),
                Replaced::Changed => AGAIN,
            },
            MessageDecision::Acknowledge(why) => Ok(Some(MessageOutcome::Done(why))),
            MessageDecision::LeaveToReturn { until } => Ok(Some(MessageOutcome::Waits { until })),
        }
    }

    /// Returns the webhook to call, or `None` if the campaign is not open. Fails if the time is short or the webhook
    /// must not be called. This is checked before the claim is stored, so that it spends no attempt.
    fn ready_to_claim(&self, now: UnixMillis) -> Result<Option<Prepared<'_>>, MessageFailure> {
        if self.callee.state() != CampaignState::Open {
            return Ok(None);
        }
        if now.plus(self.ports.time.claim_onwards()) > self.deadline {
            return Err(MessageFailure::OutOfTime);
        }
        self.callee.webhook().map(Some).map_err(|fault| MessageFailure::Misconfigured(fault.to_owned()))
    }

    /// Makes the request under a stored claim and records the attempt.
    async fn attempt(&self, delivery: Delivery, claim: Claim, webhook: Option<Prepared<'_>>) -> Progress {
        let now = self.ports.clock.now();
        // The claim must outlast the request.
        let Some(webhook) = webhook.filter(|_| now.plus(self.ports.time.request) <= claim.until) else {
            return AGAIN;
        };
        let answered = match webhook.request(&delivery) {
            Ok(request) => self.ports.partners.call(&request, delivery.id(), self.secrets, now).await,
            Err(fault) => FinishedAttempt::unsent(fault, now),
        };
        self.record(delivery, &claim, &answered).await
    }

    async fn record(&self, mut delivery: Delivery, claim: &Claim, answered: &FinishedAttempt) -> Progress {
        for _ in 0..TRIES {
            let ticket = self.ports.randomness.ticket()?;
            let replaced = match delivery.record(claim, answered, self.callee.policy(), ticket) {
                AttemptDecision::Stored { delivery, next } => {
                    match self.patiently(|| self.ports.deliveries.replace(&delivery)).await? {
                        Replaced::Done => return self.after_record(&delivery, next).await.map(Some),
                        Replaced::Changed => Replaced::Changed,
                    }
                }
                AttemptDecision::Already => return AGAIN,
                AttemptDecision::ClaimLost { delivery, late } => {
                    self.patiently(|| self.ports.deliveries.keep_late(&late, delivery.as_ref())).await?
                }
            };
            if replaced == Replaced::Done {
                return AGAIN;
            }
            delivery = self.patiently(|| self.read()).await?;
        }
        Err(MessageFailure::Contended)
    }

    async fn after_record(&self, delivery: &Delivery, next: Option<Message>) -> Result<MessageOutcome, MessageFailure> {
        if let Some(next) = &next {
            self.send_next(next).await?;
        }
        let Some(attempt) = delivery.attempts().last() else { return Err(MessageFailure::Contended) };
        let (outcome, duration_ms) = (attempt.outcome.clone(), attempt.duration_ms);
        let ended_at = attempt.sent_at.plus(Duration::from_millis(duration_ms.into()));
        Ok(MessageOutcome::Attempted(Attempted { outcome, ended_at, duration_ms, ending: delivery.ending() }))
    }

    async fn send_next(&self, next: &Message) -> Result<(), MessageFailure> {
        let delay_seconds = next.hop(self.ports.clock.now()).unwrap_or(0);
        Ok(self.ports.resends.send(next, delay_seconds).await?)
    }

    async fn read(&self) -> Result<Delivery, MessageFailure> {
        self.ports.deliveries.read(&self.message.delivery_id).await?.ok_or(MessageFailure::NoDelivery)
    }

    /// Repeats this work while a service fails, until the function's time is nearly over. If an attempt were not
    /// recorded, it would be made again.
    async fn patiently<T, F, E>(&self, work: impl Fn() -> F) -> Result<T, MessageFailure>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<MessageFailure>,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match work().await {
                Ok(done) => return Ok(done),
                Err(failure) => failure.into(),
            };
            let last = self.ports.clock.now().plus(pause + self.ports.time.operation) > self.deadline;
            if last || !matches!(failure, MessageFailure::Unavailable(Unavailable { .. })) {
                return Err(failure);
            }
            self.ports.clock.pause(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }
}

/// The result of claiming without a read.
enum Unread {
    Finished(MessageOutcome),
    Decide(Box<Delivery>),
}
