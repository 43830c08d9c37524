//! Holds a state of the world, and the steps that are possible in it.

use std::sync::Arc;

use domain::{
    outbound::{
        agreed_ids::PartnerIds,
        attempt::Verdict,
        campaign::CampaignState,
        delivery::{Claim, Delivery, Ending, Message},
        participant::{Owed, Participant},
    },
    values::{
        ids::{CampaignName, ChainTicket, ClaimMark, ClickId, Provider, UserId},
        time::UnixMillis,
    },
};

use super::{
    Happening,
    evaluator::Evaluator,
    laws::Law,
    scenario::{Flaw, Scenario},
    sender::Sender,
};

/// Holds a message on the queue.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    /// Identifies the message when it is acknowledged.
    pub(super) id: u64,
    pub(super) message: Arc<Message>,
}

/// Holds a stored claim, and counts the requests that were made under this claim.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) claim: Claim,
    pub(super) requests: u8,
}

/// Holds a state of the world.
#[derive(Debug, Clone)]
pub struct World {
    pub(super) now: UnixMillis,
    pub(super) standing: CampaignState,
    pub(super) delivery: Option<Arc<Delivery>>,
    /// Holds the participant and its version.
    pub(super) participant: (Arc<Participant>, u64),
    /// Lists the unacknowledged events by their place in the story.
    pub(super) events: Vec<usize>,
    pub(super) queue: Vec<Queued>,
    pub(super) senders: Vec<Sender>,
    pub(super) evaluators: Vec<Evaluator>,
    /// Lists the claims that are live or held by somebody.
    pub(super) claims: Vec<Stored>,
    /// Is true if a 2xx has been stored since the last round was opened, in the delivery or as a late attempt.
    pub(super) kept_2xx: bool,
    /// Counts the rounds that the operator may still open.
    pub(super) rounds: u8,
    /// Is true if a sweep runs. Only then does it matter how late the delivery is.
    pub(super) watched: bool,
    /// Is true if a flawed worker may store a decision about an older revision.
    pub(super) careless: bool,
    /// Counts the names that were drawn.
    drawn: u64,
    broken: Option<Law>,
}

impl World {
    /// Returns the first state of this scenario.
    pub(super) fn begin(scenario: &Scenario) -> Self {
        let mut world = Self {
            now: instant(0),
            standing: CampaignState::Open,
            delivery: None,
            participant: (Arc::default(), 0),
            events: Vec::new(),
            queue: Vec::new(),
            senders: vec![Sender::Idle; scenario.senders],
            evaluators: vec![Evaluator::Idle; scenario.evaluators],
            claims: Vec::new(),
            kept_2xx: false,
            rounds: scenario.rounds,
            watched: scenario.losses,
            careless: matches!(scenario.flaw, Some(Flaw::ReplaceUnconditionally | Flaw::ClaimUnconditionally)),
            drawn: 0,
            broken: None,
        };
        if scenario.evaluators > 0 {
            world.events = (0..Scenario::story().len()).collect();
        } else {
            let ticket = world.ticket();
            let delivery = Delivery::new(user(), owed(), world.now, ticket.clone());
            let first = delivery.first_message(ticket).expect("nobody has begun it");
            world.delivery = Some(Arc::new(delivery));
            world.enqueue(first);
            world.record_failures(scenario);
        }
        world
    }

    /// Lets attempts fail one after the other, until as many are recorded as the scenario says.
    fn record_failures(&mut self, scenario: &Scenario) {
        let plain = Scenario { flaw: None, ..scenario.clone() };
        while usize::from(plain.recorded) > self.delivery.as_ref().map_or(0, |delivery| delivery.attempts().len()) {
            self.receive(0, 0);
            while !matches!(self.senders[0], Sender::Idle) {
                self.step_or_answer(&plain, 0, 500);
            }
            if let Some(soonest) = self.soonest() {
                self.now = soonest;
            }
        }
    }

    /// Returns the law that was broken on the way here, if any.
    pub fn broken(&self) -> Option<Law> {
        self.broken
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Returns the delivery's ending, if it has ended.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.delivery.as_ref().and_then(|delivery| delivery.ending())
    }

    /// Returns true if there is a delivery and it has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        self.delivery.is_some() && self.ending().is_none()
    }

    /// Returns true if every worker is idle. A worker that dies becomes idle.
    pub(super) fn is_at_rest(&self) -> bool {
        let evaluators = self.evaluators.iter().all(|evaluator| matches!(evaluator, Evaluator::Idle));
        evaluators && self.senders.iter().all(|sender| matches!(sender, Sender::Idle))
    }

    /// Lists the steps that are possible now.
    pub(super) fn possible(&self, scenario: &Scenario, happenings: &mut Vec<Happening>) {
        self.steps_of_workers(scenario, happenings);
        if self.soonest().is_some() {
            happenings.push(Happening::TimePasses);
        }
        if self.rounds > 0 && self.delivery.is_some() {
            happenings.push(Happening::OpenRound { sent: true });
            if scenario.losses {
                happenings.push(Happening::OpenRound { sent: false });
            }
        }
        if scenario.operator {
            if self.is_under_way() {
                happenings.push(Happening::Cancel);
            }
            if self.standing != CampaignState::Archived {
                happenings.push(Happening::Pause(self.standing == CampaignState::Open));
                happenings.push(Happening::Archive);
            }
        }
        if scenario.found_again && self.delivery.as_ref().is_some_and(|delivery| delivery.attempts().is_empty()) {
            happenings.push(Happening::SendFirstAgain);
        }
        if scenario.losses {
            happenings.push(Happening::Sweep);
            happenings.extend((0..self.queue.len()).map(|message| Happening::Lose { message }));
        }
    }

    fn steps_of_workers(&self, scenario: &Scenario, happenings: &mut Vec<Happening>) {
        for (place, sender) in self.senders.iter().enumerate() {
            match sender {
                Sender::Idle => {
                    let receive = |message| Happening::Receive { sender: place, message };
                    happenings.extend((0..self.queue.len()).map(receive));
                    if scenario.held {
                        let hold = |message| Happening::Hold { sender: place, message };
                        happenings.extend((0..self.queue.len()).map(hold));
                    }
                    continue;
                }
                Sender::Sent(..) => {
                    let answer = |status: &u16| Happening::Answer { sender: place, status: *status };
                    happenings.extend(scenario.answers.iter().map(answer));
                }
                _ => happenings.push(Happening::Send { sender: place, lost: false }),
            }
            if sender.writes() {
                happenings.push(Happening::Send { sender: place, lost: true });
            }
            happenings.push(Happening::SenderDies { sender: place });
        }
        for (place, evaluator) in self.evaluators.iter().enumerate() {
            if matches!(evaluator, Evaluator::Idle) {
                happenings.extend(self.events.iter().map(|event| Happening::Take { evaluator: place, event: *event }));
                continue;
            }
            happenings.push(Happening::Evaluate { evaluator: place, lost: false });
            if evaluator.writes() {
                happenings.push(Happening::Evaluate { evaluator: place, lost: true });
            }
            happenings.push(Happening::EvaluatorDies { evaluator: place });
        }
    }

    /// Takes this step.
    pub(super) fn happen(&mut self, scenario: &Scenario, happening: Happening) {
        match happening {
            Happening::Receive { sender, message } => self.receive(sender, message),
            Happening::Hold { sender, message } => self.hold(scenario, sender, message),
            Happening::Send { sender, lost } => self.step_sender(scenario, sender, lost),
            Happening::Answer { sender, status } => self.answer(sender, status),
            Happening::SenderDies { sender } => self.senders[sender] = Sender::Idle,
            Happening::Take { evaluator, event } => self.evaluators[evaluator] = Evaluator::Read(event),
            Happening::Evaluate { evaluator, lost } => self.step_evaluator(scenario, evaluator, lost),
            Happening::EvaluatorDies { evaluator } => self.evaluators[evaluator] = Evaluator::Idle,
            Happening::TimePasses => self.now = self.soonest().unwrap_or(self.now),
            Happening::OpenRound { sent } => self.open_round(sent),
            Happening::Cancel => {
                if let Some(cancelled) = self.delivery.as_ref().and_then(|delivery| delivery.cancel(self.now)) {
                    self.replace(cancelled.revision() - 1, &Arc::new(cancelled), None);
                }
            }
            Happening::Pause(paused) => {
                self.standing = if paused { CampaignState::Paused } else { CampaignState::Open }
            }
            Happening::Archive => self.standing = CampaignState::Archived,
            Happening::SendFirstAgain => {
                let ticket = self.ticket();
                if let Some(message) = self.delivery.as_ref().and_then(|delivery| delivery.first_message(ticket)) {
                    self.enqueue(message);
                }
            }
            Happening::Sweep => self.sweep(),
            Happening::Lose { message } => {
                self.queue.remove(message);
            }
        }
        self.forget_claims();
    }

    fn open_round(&mut self, sent: bool) {
        let ticket = self.ticket();
        let Some(delivery) = self.delivery.clone() else { return };
        let opened = delivery.open_round(self.now, ticket);
        self.rounds -= 1;
        self.kept_2xx = false;
        self.delivery = Some(Arc::new(opened.delivery));
        if sent {
            self.enqueue(opened.message);
        }
    }

    /// Runs the sweep without a grace period, because a shorter grace period allows more steps.
    pub(super) fn sweep(&mut self) {
        let ticket = self.ticket();
        let Some(delivery) = self.delivery.clone().filter(|_| self.standing != CampaignState::Paused) else { return };
        if let Some(message) = delivery.overdue(self.now, core::time::Duration::ZERO, ticket) {
            self.enqueue(message);
        }
    }

    /// Returns the next instant at which anything changes.
    pub(super) fn soonest(&self) -> Option<UnixMillis> {
        let delivery = self.delivery.as_deref();
        let due = delivery.and_then(Delivery::next).map(|next| next.due_at);
        let until = delivery.and_then(Delivery::claim).map(|claim| claim.until);
        let held = self.senders.iter().filter_map(|sender| self.held_until(sender));
        let queued = self.queue.iter().map(|queued| queued.message.due_at);
        // Some time after that instant the delivery is late, and the sweep may act.
        let late = due.into_iter().chain(until).filter(|_| self.watched).map(|moment| moment.plus(LATE));
        let ahead = due.into_iter().chain(until).chain(held).chain(queued).chain(late);
        ahead.filter(|moment| *moment > self.now).min()
    }

    /// Replaces the delivery if it still has the revision that was read. Every change of a delivery goes through this
    /// function.
    pub(super) fn replace(&mut self, read: u32, new: &Arc<Delivery>, flaw: Option<Flaw>) -> bool {
        let Some(old) = self.delivery.clone() else { return false };
        if old.revision() != read && flaw != Some(Flaw::ReplaceUnconditionally) {
            return false;
        }
        self.expect(new.id() == old.id(), Law::TheWebhookIdNeverChanges);
        let numbers = new.attempts().iter().map(|attempt| attempt.n);
        let six = usize::from(domain::outbound::retry::ATTEMPTS);
        self.expect(numbers.eq((1..).take(new.attempts().len().min(six))), Law::AtMostSixAttemptsInARound);
        let on_time = new.attempts().iter().all(|attempt| attempt.due_at <= attempt.sent_at);
        self.expect(on_time, Law::NoAttemptBeforeItIsDue);
        self.expect(new.attempts().starts_with(old.attempts()), Law::RecordedAttemptsNeverChange);
        let stays = old.ending().is_none() || new.ending() == Some(Ending::Delivered);
        self.expect(stays, Law::OnlyAnOperatorOrALate2xxChangesAnEnd);
        let delivers = |delivery: &Delivery| {
            delivery.attempts().iter().any(|attempt| attempt.outcome.verdict() == Verdict::Delivered)
        };
        self.kept_2xx |= delivers(new);
        self.delivery = Some(new.clone());
        true
    }

    /// Records that the law is broken if `holds` is false. Only the first broken law is kept for the report.
    pub(super) fn expect(&mut self, holds: bool, law: Law) {
        if !holds {
            self.broken.get_or_insert(law);
        }
    }

    pub(super) fn enqueue(&mut self, message: Message) {
        self.enqueue_shared(Arc::new(message));
    }

    pub(super) fn enqueue_shared(&mut self, message: Arc<Message>) {
        self.drawn += 1;
        self.queue.push(Queued { id: self.drawn, message });
    }

    pub(super) fn acknowledge(&mut self, id: u64) {
        self.queue.retain(|queued| queued.id != id);
    }

    pub(super) fn ticket(&mut self) -> ChainTicket {
        self.drawn += 1;
        ChainTicket::from_random(self.drawn.to_be_bytes())
    }

    pub(super) fn mark(&mut self) -> ClaimMark {
        self.drawn += 1;
        ClaimMark::from_random(self.drawn.to_be_bytes())
    }

    /// Forgets the claims that have expired and that nobody holds. Such claims no longer have an effect.
    fn forget_claims(&mut self) {
        let (now, senders) = (self.now, &self.senders);
        let current = self.delivery.as_deref().and_then(Delivery::claim);
        self.claims.retain(|Stored { claim, .. }| {
            claim.lives(now) || current == Some(claim) || senders.iter().any(|sender| sender.holds(claim))
        });
    }
}

/// Equals a claim's lifetime, so that all instants lie on one grid and the number of distances is finite.
const LATE: core::time::Duration = core::time::Duration::from_secs(1);

pub(super) fn instant(ms: i64) -> UnixMillis {
    UnixMillis::from_millisecond(1_795_435_200_000 + ms)
}

pub(super) fn provider() -> Provider {
    Provider::new("acme").expect("a slug")
}

pub(super) fn campaign() -> CampaignName {
    CampaignName::new("welcome").expect("a slug")
}

pub(super) fn user() -> UserId {
    UserId::new("gg3-42").expect("an id")
}

fn owed() -> Owed {
    Owed {
        provider: provider(),
        campaign: campaign(),
        ids: PartnerIds { user_id: None, click_id: ClickId::new("c-1").ok() },
        occurred_at: instant(-5_000),
    }
}
