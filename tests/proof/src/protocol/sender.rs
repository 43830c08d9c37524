//! Models a webhook worker step by step. It may stop between any two steps.

use std::sync::Arc;

use domain::{
    outbound::{
        attempt::{AnswerExcerpt, AttemptOutcome, FinishedAttempt, Verdict},
        campaign::CampaignState,
        delivery::{AttemptDecision, Claim, Delivery, Ending, Message, MessageDecision},
    },
    values::{ids::ClaimMark, time::UnixMillis},
};

use super::{
    laws::Law,
    scenario::{Flaw, Scenario},
    world::{Stored, World},
};

/// Holds a message in a worker's hands.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// Identifies the message when it is acknowledged.
    pub(super) id: u64,
    pub(super) message: Arc<Message>,
    pub(super) mark: ClaimMark,
    /// Gives the campaign's state when the message was received. The worker does not read this state again.
    pub(super) standing: CampaignState,
}

/// Holds the state of a worker between two steps. A worker that dies loses this state.
#[derive(Debug, Clone)]
pub(super) enum Sender {
    Idle,
    /// It is about to store this claim without a read. The write succeeds if the delivery still matches the message.
    Claiming(Job, Arc<Claim>),
    /// It is about to read the delivery and decide.
    Deciding(Job),
    /// It is about to replace the delivery. The write succeeds if the delivery still has the revision that was read.
    Decided(Job, Arc<Decision>),
    /// Its claim is stored in this delivery, and it is about to make the attempt.
    Claimed(Job, Arc<Claim>, Arc<Delivery>),
    /// It waits for the partner's answer.
    Sent(Job, Arc<Claim>, Arc<Delivery>, UnixMillis),
    /// It could not record the attempt, and is about to read the delivery again.
    Answered(Job, Arc<Claim>, Arc<FinishedAttempt>),
    /// It is about to record the attempt. The write succeeds if the delivery still has the revision that the worker
    /// knows.
    Recording(Job, Arc<Claim>, Arc<FinishedAttempt>, Arc<Record>),
    /// It is about to send a message. Afterwards it acknowledges the message that it received.
    Enqueue(Job, Arc<Message>),
    /// It is about to acknowledge its message.
    Acknowledge(Job),
    /// It has acknowledged its message before sending the next one. Only flawed workers do this.
    EnqueueAcknowledged(Arc<Message>),
    /// It has stored a late 2xx, and is about to store the delivered delivery. Only flawed workers store these apart.
    StoreDelivered(Job, Arc<Delivery>, u32),
}

/// Holds the decision about a message. The number is the revision that was read and that the decision replaces.
#[derive(Debug)]
pub(super) enum Decision {
    Claim(Arc<Delivery>, Arc<Claim>, u32),
    Cancel(Arc<Delivery>, u32),
}

/// Holds the decision about recording an attempt. The number is the revision that was read.
#[derive(Debug)]
pub(super) enum Record {
    Stored(Arc<Delivery>, Option<Arc<Message>>, u32),
    Late(Option<Arc<Delivery>>, Verdict, u32),
}

impl Sender {
    /// Returns true if the next step is a write. The answer to a write can be lost.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Self::Claiming(..) | Self::Decided(..) | Self::Recording(..))
    }

    /// Returns the message that the worker has received.
    pub(super) fn job(&self) -> Option<&Job> {
        match self {
            Self::Idle | Self::EnqueueAcknowledged(_) => None,
            Self::Claiming(job, _)
            | Self::Deciding(job)
            | Self::Decided(job, _)
            | Self::Claimed(job, ..)
            | Self::Sent(job, ..)
            | Self::Answered(job, ..)
            | Self::Recording(job, ..)
            | Self::Enqueue(job, _)
            | Self::Acknowledge(job)
            | Self::StoreDelivered(job, ..) => Some(job),
        }
    }

    /// Returns the claim that the worker holds, or is about to store after a read.
    pub(super) fn claim(&self) -> Option<&Arc<Claim>> {
        match self {
            Self::Decided(_, decision) => match &**decision {
                Decision::Claim(_, claim, _) => Some(claim),
                Decision::Cancel(..) => None,
            },
            Self::Claimed(_, claim, _)
            | Self::Sent(_, claim, ..)
            | Self::Answered(_, claim, _)
            | Self::Recording(_, claim, ..) => Some(claim),
            _ => None,
        }
    }

    pub(super) fn holds(&self, claim: &Claim) -> bool {
        self.claim().is_some_and(|held| **held == *claim)
    }
}

impl World {
    /// Lets a sender receive a message. If the message is not due, or the campaign is paused, the sender sends the
    /// message again without a read.
    pub(super) fn receive(&mut self, sender: usize, message: usize) {
        let mark = self.mark();
        let queued = &self.queue[message];
        let job = Job { id: queued.id, message: queued.message.clone(), mark, standing: self.standing };
        let early = job.message.hop(self.now).is_some();
        self.senders[sender] = if early || job.standing == CampaignState::Paused {
            Sender::Enqueue(job.clone(), job.message)
        } else {
            match job.message.claim(self.now, job.standing, &Scenario::pace(), &job.mark) {
                Some(claim) => Sender::Claiming(job, Arc::new(claim)),
                None => Sender::Deciding(job),
            }
        };
    }

    /// Lets a sender receive a message that must wait, so that it sends the message again without a read.
    pub(super) fn hold(&mut self, scenario: &Scenario, sender: usize, message: usize) {
        let mark = self.mark();
        let queued = &self.queue[message];
        let job = Job { id: queued.id, message: queued.message.clone(), mark, standing: self.standing };
        self.senders[sender] = if scenario.flaw == Some(Flaw::AcknowledgeHeld) {
            Sender::Acknowledge(job)
        } else {
            Sender::Enqueue(job.clone(), job.message)
        };
    }

    /// Returns true if the delivery still matches this message.
    pub(super) fn still_matches(&self, message: &Message) -> bool {
        self.delivery.as_ref().is_some_and(|delivery| delivery.revision() == message.revision)
    }

    /// Returns the instant until which a sender may make its attempt.
    pub(super) fn held_until(&self, sender: &Sender) -> Option<UnixMillis> {
        match sender {
            Sender::Claiming(job, claim) if self.careless || self.still_matches(&job.message) => Some(claim.until),
            _ => sender.claim().map(|claim| claim.until),
        }
    }

    /// Lets the partner answer the request.
    pub(super) fn answer(&mut self, sender: usize, status: u16) {
        if let Sender::Sent(job, claim, delivery, sent_at) = self.senders[sender].clone() {
            let outcome = AttemptOutcome::Status(status);
            let answered = FinishedAttempt {
                sent_at,
                ended_at: self.now,
                outcome,
                answer: AnswerExcerpt::default(),
                retry_after: None,
            };
            // The worker knows the delivery as it was when the claim was stored. If the delivery has changed since,
            // recording will fail.
            self.senders[sender] = self.decide_record(job, claim, Arc::new(answered), &delivery);
        }
    }

    pub(super) fn step_or_answer(&mut self, scenario: &Scenario, sender: usize, status: u16) {
        if matches!(self.senders[sender], Sender::Sent(..)) {
            self.answer(sender, status);
        } else {
            self.step_sender(scenario, sender, false);
        }
    }

    /// Takes a sender's next step.
    pub(super) fn step_sender(&mut self, scenario: &Scenario, sender: usize, lost: bool) {
        let flaw = scenario.flaw;
        self.senders[sender] = match core::mem::replace(&mut self.senders[sender], Sender::Idle) {
            waiting @ (Sender::Idle | Sender::Sent(..)) => waiting,
            Sender::Claiming(job, claim) => self.claim_unread(job, claim, lost, flaw),
            Sender::Deciding(job) => match self.delivery.clone() {
                Some(delivery) => self.decide(job, delivery, flaw),
                None => Sender::Idle,
            },
            Sender::Decided(job, decision) => self.act(job, &decision, lost, flaw),
            Sender::Claimed(job, claim, delivery) => self.send(job, claim, delivery, flaw),
            Sender::Answered(job, claim, answered) => match self.delivery.clone() {
                Some(delivery) => self.decide_record(job, claim, answered, &delivery),
                None => Sender::Idle,
            },
            Sender::Recording(job, claim, answered, record) => self.record(job, claim, answered, &record, lost, flaw),
            Sender::Enqueue(job, message) if flaw == Some(Flaw::AcknowledgeBeforeEnqueue) => {
                self.acknowledge(job.id);
                Sender::EnqueueAcknowledged(message)
            }
            Sender::Enqueue(job, message) => {
                self.enqueue_shared(message);
                Sender::Acknowledge(job)
            }
            Sender::Acknowledge(job) => {
                self.acknowledge(job.id);
                Sender::Idle
            }
            Sender::EnqueueAcknowledged(message) => {
                self.enqueue_shared(message);
                Sender::Idle
            }
            Sender::StoreDelivered(job, delivery, read) => {
                self.replace(read, &delivery, flaw);
                Sender::Deciding(job)
            }
        };
    }

    /// Stores the claim if the delivery matches the message. Otherwise the worker decides by the delivery that the
    /// store returns. If the answer is lost, the worker repeats this step.
    fn claim_unread(&mut self, job: Job, claim: Arc<Claim>, lost: bool, flaw: Option<Flaw>) -> Sender {
        let Some(delivery) = self.delivery.clone() else { return Sender::Idle };
        if flaw == Some(Flaw::SendWithoutClaim) {
            return Sender::Claimed(job, claim, delivery);
        }
        match flaw {
            _ if self.still_matches(&job.message) => {}
            Some(Flaw::ClaimUnconditionally) => {}
            Some(Flaw::AcknowledgeChangedDelivery) => return Sender::Acknowledge(job),
            _ => return self.decide(job, delivery, flaw),
        }
        let claimed = Arc::new(delivery.with_claim(Claim::clone(&claim)));
        self.replace(delivery.revision(), &claimed, flaw);
        self.claims.push(Stored { claim: Claim::clone(&claim), requests: 0 });
        if lost { Sender::Claiming(job, claim) } else { Sender::Claimed(job, claim, claimed) }
    }

    /// Decides by the delivery that was read.
    fn decide(&self, job: Job, delivery: Arc<Delivery>, flaw: Option<Flaw>) -> Sender {
        let read = delivery.revision();
        let ignores = flaw == Some(Flaw::SendForArchivedCampaign);
        let standing = if ignores { CampaignState::Open } else { job.standing };
        let step = delivery.decide(&job.message, self.now, standing, &Scenario::pace(), &job.mark);
        match step {
            MessageDecision::Claim { claim, .. } if flaw == Some(Flaw::SendWithoutClaim) => {
                Sender::Claimed(job, Arc::new(claim), delivery)
            }
            MessageDecision::Claim { delivery, claim } => {
                Sender::Decided(job, Arc::new(Decision::Claim(Arc::new(delivery), Arc::new(claim), read)))
            }
            MessageDecision::Send(claim) => Sender::Claimed(job, Arc::new(claim), delivery),
            MessageDecision::Hop { .. } => Sender::Enqueue(job.clone(), job.message),
            MessageDecision::EnqueueNext(_) if flaw == Some(Flaw::AcknowledgeRecordedAttempt) => {
                Sender::Acknowledge(job)
            }
            MessageDecision::EnqueueNext(message) => Sender::Enqueue(job, Arc::new(message)),
            MessageDecision::Cancel(delivery) => {
                Sender::Decided(job, Arc::new(Decision::Cancel(Arc::new(delivery), read)))
            }
            MessageDecision::Acknowledge(_) => Sender::Acknowledge(job),
            MessageDecision::LeaveToReturn { .. } => {
                let anothers = delivery.claim().is_some_and(|claim| claim.ticket != job.message.ticket);
                let flawed = anothers && flaw == Some(Flaw::AcknowledgeAtAnothersClaim);
                if flawed { Sender::Acknowledge(job) } else { Sender::Idle }
            }
        }
    }

    fn act(&mut self, job: Job, decision: &Decision, lost: bool, flaw: Option<Flaw>) -> Sender {
        match decision {
            Decision::Claim(delivery, claim, read) => {
                if !self.replace(*read, delivery, flaw) {
                    return Sender::Deciding(job);
                }
                self.claims.push(Stored { claim: Claim::clone(claim), requests: 0 });
                if lost { Sender::Deciding(job) } else { Sender::Claimed(job, claim.clone(), delivery.clone()) }
            }
            Decision::Cancel(delivery, read) => {
                let stored = self.replace(*read, delivery, flaw);
                if stored && !lost { Sender::Acknowledge(job) } else { Sender::Deciding(job) }
            }
        }
    }

    /// Makes the attempt if the claim leaves time for it.
    fn send(&mut self, job: Job, claim: Arc<Claim>, delivery: Arc<Delivery>, flaw: Option<Flaw>) -> Sender {
        if !claim.lives(self.now) && flaw != Some(Flaw::SendUnderExpiredClaim) {
            return Sender::Deciding(job);
        }
        let now = self.now;
        self.expect(job.standing != CampaignState::Archived, Law::AnArchivedCampaignIsCancelled);
        self.expect(claim.due_at <= now, Law::NoAttemptBeforeItIsDue);
        let same_attempt = |stored: &&Stored| (stored.claim.round, stored.claim.n) == (claim.round, claim.n);
        let mut others = self.claims.iter().filter(|stored| stored.claim != *claim).filter(same_attempt);
        let alone = !others.any(|other| other.requests > 0 && other.claim.lives(now));
        let alone = alone && claim.lives(now);
        self.expect(alone, Law::ASecondRequestNeedsAnExpiredClaim);
        let requests = self.claims.iter_mut().find(|stored| stored.claim == *claim).map(|stored| {
            stored.requests += 1;
            stored.requests
        });
        self.expect(requests.is_some(), Law::NoRequestWithoutAStoredClaim);
        self.expect(requests.is_none_or(|requests| requests == 1), Law::AtMostOneRequestForEachClaim);
        Sender::Sent(job, claim, delivery, now)
    }

    /// Decides how to record the attempt in the delivery that the worker knows.
    fn decide_record(
        &mut self,
        job: Job,
        claim: Arc<Claim>,
        answered: Arc<FinishedAttempt>,
        delivery: &Delivery,
    ) -> Sender {
        let read = delivery.revision();
        let record = match delivery.record(&claim, &answered, Scenario::policy(), self.ticket()) {
            AttemptDecision::Stored { delivery, next } => Record::Stored(Arc::new(delivery), next.map(Arc::new), read),
            AttemptDecision::Already => return Sender::Deciding(job),
            AttemptDecision::ClaimLost { delivery, late } => {
                let verdict = late.attempt.outcome.verdict();
                let known = delivery.is_some() || self.ending() == Some(Ending::Delivered);
                self.expect(verdict != Verdict::Delivered || known, Law::DeliveredMeansThatA2xxIsStored);
                Record::Late(delivery.map(Arc::new), verdict, read)
            }
        };
        Sender::Recording(job, claim, answered, Arc::new(record))
    }

    fn record(
        &mut self,
        job: Job,
        claim: Arc<Claim>,
        answered: Arc<FinishedAttempt>,
        record: &Record,
        lost: bool,
        flaw: Option<Flaw>,
    ) -> Sender {
        match record {
            Record::Stored(delivery, next, read) => {
                let stored = self.replace(*read, delivery, flaw);
                if (lost || !stored) && flaw == Some(Flaw::SendAgainToRecord) {
                    return Sender::Claimed(job, claim, delivery.clone());
                }
                if lost || !stored {
                    return Sender::Answered(job, claim, answered);
                }
                match next {
                    Some(message) => Sender::Enqueue(job, message.clone()),
                    None => Sender::Acknowledge(job),
                }
            }
            Record::Late(delivery, verdict, read) => {
                // The attempt and the delivery are stored together or not at all, so no other step can come between.
                if let Some(delivery) = delivery {
                    if flaw == Some(Flaw::LateDeliveryApart) {
                        self.kept_2xx = true;
                        return Sender::StoreDelivered(job, delivery.clone(), *read);
                    }
                    if !self.replace(*read, delivery, flaw) {
                        return Sender::Answered(job, claim, answered);
                    }
                }
                // If the delivery is already delivered, the attempt does not change it, whatever happens before the
                // attempt is stored.
                self.kept_2xx |= delivery.is_some() && *verdict == Verdict::Delivered;
                match (lost, flaw) {
                    (true, _) => Sender::Answered(job, claim, answered),
                    (_, Some(Flaw::AcknowledgeWhenClaimLost)) => Sender::Acknowledge(job),
                    _ => Sender::Deciding(job),
                }
            }
        }
    }
}
