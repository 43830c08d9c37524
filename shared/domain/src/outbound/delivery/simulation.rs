//! Simulates a small world that checks the laws: a table, a queue, workers that die, an operator, an evaluator and a
//! sweep.
//!
//! The queue is as bad as SQS may be and a little worse: it hands out the same message twice at once, in any order, and
//! acknowledging one copy deletes all of them. The table can report failure for a write that succeeded. Workers stop
//! between any two steps, for ever or for longer than their claim.

use core::time::Duration;
use std::vec;

use proptest::prelude::*;

use super::{tests::*, *};
use crate::outbound::attempt::{AnswerExcerpt, AttemptFault, AttemptOutcome, FinishedAttempt, Verdict};
use crate::outbound::retry::{ATTEMPTS, RetryAfter, RetryPolicy};

/// Names what happens next. Numbers are taken modulo the number of things there are.
#[derive(Debug, Clone)]
enum Happening {
    /// A worker receives a message. With `again` another worker may receive it as well.
    Receive { worker: usize, message: usize, again: bool },
    /// A worker takes one step. If it writes, the answer may be lost; if it sends, this outcome comes back.
    Step { worker: usize, lost: bool, outcome: AttemptOutcome },
    /// A worker dies.
    Die { worker: usize },
    /// Time passes.
    Pass { ms: u64 },
    /// An operator opens a round.
    OpenRound,
    /// An operator cancels.
    Cancel,
    /// The campaign is paused, or no longer paused.
    Pause(bool),
    /// The same event is evaluated again.
    Evaluate,
    /// The sweep runs.
    Sweep,
}

#[derive(Debug, Clone)]
struct Queued {
    id: u32,
    message: Message,
    visible_at: UnixMillis,
}

/// Says where a worker is between two steps. A crash loses it.
#[derive(Debug, Clone)]
enum At {
    Idle,
    Received(Job),
    ClaimUnread(Job, Claim, UnixMillis),
    Read(Job),
    Act(Job, MessageDecision, u32),
    Sent(Job, Claim, AttemptOutcome, UnixMillis),
    Record(Job, Claim, FinishedAttempt, Delivery),
    Write(Job, Claim, FinishedAttempt, AttemptDecision, u32),
    Enqueue(Job, Message, Duration),
    Acknowledge(Job),
}

/// Holds a message that a worker has received.
#[derive(Debug, Clone)]
struct Job {
    id: u32,
    message: Message,
    mark: ClaimMark,
}

struct World {
    now: UnixMillis,
    table: Delivery,
    queue: Vec<Queued>,
    workers: Vec<At>,
    state: CampaignState,
    visibility: Duration,
    made: u64,
    /// Counts the requests that each stored claim led to.
    claims: Vec<(Claim, u32)>,
    /// Holds the attempts of older rounds and those recorded beside the delivery.
    moved: Vec<(u32, Vec<Attempt>)>,
    late: Vec<LateAttempt>,
    policy: RetryPolicy,
    pace: DeliveryPace,
}

impl World {
    fn new(visibility_ms: u64) -> Self {
        let table = Delivery::new(participant(), owed(), moment(0), ticket(0));
        let first = table.first_message(ticket(1)).unwrap();
        Self {
            now: moment(0),
            table,
            queue: vec![Queued { id: 0, message: first, visible_at: moment(0) }],
            workers: vec![At::Idle, At::Idle, At::Idle],
            state: CampaignState::Open,
            visibility: Duration::from_millis(visibility_ms),
            made: 100,
            claims: vec![],
            moved: vec![],
            late: vec![],
            policy: RetryPolicy::try_new(Duration::from_secs(2)).unwrap(),
            pace: DeliveryPace::try_new(Duration::from_secs(3), 5).unwrap(),
        }
    }

    fn fresh(&mut self) -> ChainTicket {
        self.made += 1;
        ticket(self.made)
    }

    fn enqueue(&mut self, message: Message, delay: Duration) {
        self.made += 1;
        let id = u32::try_from(self.made).unwrap();
        self.queue.push(Queued { id, message, visible_at: self.now.plus(delay) });
    }

    /// Replaces the stored delivery if it is still the one that was read. Nothing else changes it.
    fn replace(&mut self, read: u32, new: &Delivery) -> bool {
        if self.table.revision() != read {
            return false;
        }
        assert_eq!(new.revision(), read + 1);
        assert_eq!(new.id(), self.table.id(), "the webhook-id never changes");
        assert!(new.attempts().len() <= usize::from(ATTEMPTS), "never more than six recorded");
        let in_order = new.attempts().iter().map(|attempt| attempt.n).eq((1..).take(new.attempts().len()));
        assert!(in_order && new.attempts().iter().all(|attempt| attempt.due_at <= attempt.sent_at), "none early");
        self.table = new.clone();
        true
    }

    fn happen(&mut self, happening: &Happening) {
        match happening.clone() {
            Happening::Receive { worker, message, again } => self.receive(worker, message, again),
            Happening::Step { worker, lost, outcome } => self.step(worker % self.workers.len(), lost, outcome),
            Happening::Die { worker } => {
                let worker = worker % self.workers.len();
                self.workers[worker] = At::Idle;
            }
            Happening::Pass { ms } => self.now = self.now.plus(Duration::from_millis(ms)),
            Happening::OpenRound => self.open_round(),
            Happening::Cancel => {
                if let Some(cancelled) = self.table.cancel(self.now) {
                    assert!(self.replace(self.table.revision(), &cancelled));
                }
            }
            Happening::Pause(paused) => self.state = if paused { CampaignState::Paused } else { CampaignState::Open },
            Happening::Evaluate => {
                let ticket = self.fresh();
                if let Some(message) = self.table.first_message(ticket) {
                    self.enqueue(message, Duration::ZERO);
                }
            }
            Happening::Sweep => {
                let ticket = self.fresh();
                let overdue = self.table.overdue(self.now, Duration::from_secs(4), ticket);
                if let Some(message) = overdue.filter(|_| self.state != CampaignState::Paused) {
                    self.enqueue(message, Duration::ZERO);
                }
            }
        }
    }

    fn open_round(&mut self) {
        let ticket = self.fresh();
        let opened = self.table.open_round(self.now, ticket);
        assert!(self.replace(self.table.revision(), &opened.delivery));
        self.moved.push((opened.moved_round, opened.moved));
        self.enqueue(opened.message, Duration::ZERO);
    }

    fn receive(&mut self, worker: usize, message: usize, again: bool) {
        let worker = worker % self.workers.len();
        let now = self.now;
        let visible: Vec<usize> = (0..self.queue.len()).filter(|at| self.queue[*at].visible_at <= now).collect();
        if visible.is_empty() || !matches!(self.workers[worker], At::Idle) {
            return;
        }
        let mark = mark(self.fresh());
        let queued = &mut self.queue[visible[message % visible.len()]];
        if !again {
            queued.visible_at = now.plus(self.visibility);
        }
        self.workers[worker] = At::Received(Job { id: queued.id, message: queued.message.clone(), mark });
    }

    fn step(&mut self, worker: usize, lost: bool, outcome: AttemptOutcome) {
        let at = core::mem::replace(&mut self.workers[worker], At::Idle);
        self.workers[worker] = match at {
            At::Idle => At::Idle,
            At::Received(job) => match job.message.claim(self.now, self.state, &self.pace, &job.mark) {
                Some(claim) => At::ClaimUnread(job, claim, self.now),
                None => At::Read(job),
            },
            At::ClaimUnread(job, claim, at) => self.claim_unread(job, claim, at, lost, outcome),
            At::Read(job) => {
                let step = self.table.decide(&job.message, self.now, self.state, &self.pace, &job.mark);
                At::Act(job, step, self.table.revision())
            }
            At::Act(job, step, read) => self.act(job, step, read, lost, outcome),
            At::Sent(job, claim, outcome, sent_at) => {
                let asked = RetryAfter::parse(b"3");
                let answered = FinishedAttempt {
                    sent_at,
                    ended_at: self.now,
                    outcome,
                    answer: AnswerExcerpt::default(),
                    retry_after: asked,
                };
                At::Record(job, claim, answered, self.table.clone())
            }
            At::Record(job, claim, answered, read) => {
                let recorded = read.record(&claim, &answered, self.policy, self.fresh());
                At::Write(job, claim, answered, recorded, read.revision())
            }
            At::Write(job, claim, answered, recorded, read) => self.write(job, claim, answered, recorded, read, lost),
            At::Enqueue(job, message, delay) => {
                self.enqueue(message, delay);
                At::Acknowledge(job)
            }
            At::Acknowledge(job) => {
                self.queue.retain(|queued| queued.id != job.id);
                At::Idle
            }
        };
    }

    /// Stores a claim that was made without reading, if the delivery is as the message says. The rules must agree.
    fn claim_unread(&mut self, job: Job, claim: Claim, at: UnixMillis, lost: bool, outcome: AttemptOutcome) -> At {
        if self.table.revision() != job.message.revision {
            return At::Read(job);
        }
        let delivery = self.table.with_claim(claim.clone());
        let step = self.table.decide(&job.message, at, CampaignState::Open, &self.pace, &job.mark);
        assert_eq!(step, MessageDecision::Claim { delivery, claim }, "a message tells what it was made for");
        self.act(job, step, self.table.revision(), lost, outcome)
    }

    fn act(&mut self, job: Job, step: MessageDecision, read: u32, lost: bool, outcome: AttemptOutcome) -> At {
        match step {
            MessageDecision::Claim { delivery, claim } => {
                let before = self.table.clone();
                if !self.replace(read, &delivery) {
                    return At::Read(job);
                }
                self.check_claim(&before, &claim);
                // A worker must not send once its claim may have expired.
                if lost || !claim.lives(self.now) { At::Read(job) } else { self.send(job, claim, outcome) }
            }
            MessageDecision::Send(claim) if claim.lives(self.now) => self.send(job, claim, outcome),
            MessageDecision::Send(_) => At::Read(job),
            MessageDecision::Hop { delay_seconds } => {
                assert!((1..=900).contains(&delay_seconds));
                let message = job.message.clone();
                At::Enqueue(job, message, Duration::from_secs(delay_seconds.into()))
            }
            MessageDecision::EnqueueNext(message) => {
                let delay = Duration::from_secs(message.hop(self.now).unwrap_or(0).into());
                At::Enqueue(job, message, delay)
            }
            MessageDecision::Cancel(delivery) => {
                if self.replace(read, &delivery) && !lost {
                    At::Acknowledge(job)
                } else {
                    At::Read(job)
                }
            }
            MessageDecision::Acknowledge(_) => At::Acknowledge(job),
            MessageDecision::LeaveToReturn { .. } => At::Idle,
        }
    }

    /// Checks that a claim is not given before it is due, nor a second claim before the first has expired.
    fn check_claim(&mut self, before: &Delivery, claim: &Claim) {
        assert!(before.next().unwrap().due_at <= self.now, "never early");
        let same = |(other, _): &&(Claim, u32)| (other.round, other.n) == (claim.round, claim.n);
        assert!(self.claims.iter().filter(same).all(|(other, _)| !other.lives(self.now)), "one claim at a time");
        self.claims.push((claim.clone(), 0));
    }

    fn send(&mut self, job: Job, claim: Claim, outcome: AttemptOutcome) -> At {
        let (_, requests) = self.claims.iter_mut().find(|(stored, _)| *stored == claim).expect("no claim, no request");
        *requests += 1;
        assert_eq!(*requests, 1, "one request for a claim");
        assert!(claim.due_at <= self.now, "never early");
        At::Sent(job, claim, outcome, self.now)
    }

    fn write(
        &mut self,
        job: Job,
        claim: Claim,
        answered: FinishedAttempt,
        recorded: AttemptDecision,
        read: u32,
        lost: bool,
    ) -> At {
        match recorded {
            AttemptDecision::Stored { delivery, next } => {
                if !self.replace(read, &delivery) || lost {
                    return At::Record(job, claim, answered, self.table.clone());
                }
                match next {
                    Some(message) => {
                        let delay = Duration::from_secs(message.hop(self.now).unwrap_or(0).into());
                        At::Enqueue(job, message, delay)
                    }
                    None => At::Acknowledge(job),
                }
            }
            AttemptDecision::Already => At::Read(job),
            AttemptDecision::ClaimLost { delivery, late } => {
                if let Some(delivery) = delivery {
                    if !self.replace(read, &delivery) {
                        return At::Record(job, claim, answered, self.table.clone());
                    }
                    assert_eq!(self.table.ending(), Some(Ending::Delivered), "only a late 2xx changes anything");
                }
                // The attempt is stored together with the delivery or not at all.
                self.late.push(late);
                if lost { At::Record(job, claim, answered, self.table.clone()) } else { At::Read(job) }
            }
        }
    }

    /// Lets everything come to rest without another crash. With `sweep` the sweep runs as well.
    fn settle(&mut self, sweep: bool) {
        self.state = CampaignState::Open;
        let failing = AttemptOutcome::Status(500);
        for _ in 0..5000 {
            for worker in 0..self.workers.len() {
                while !matches!(self.workers[worker], At::Idle) {
                    self.step(worker, false, failing.clone());
                }
                self.receive(worker, 0, false);
            }
            if self.workers.iter().any(|worker| !matches!(worker, At::Idle)) {
                continue;
            }
            if sweep {
                self.happen(&Happening::Sweep);
            }
            let Some(soonest) = self.queue.iter().map(|queued| queued.visible_at).min() else {
                if self.table.ending().is_some() || !sweep {
                    return;
                }
                self.now = self.now.plus(Duration::from_mins(1));
                continue;
            };
            self.now = self.now.max(soonest);
        }
        panic!("it never comes to rest: {:?}", self.queue);
    }
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let outcome = prop_oneof![
        6 => Just(AttemptOutcome::Status(500)),
        2 => Just(AttemptOutcome::Fault(AttemptFault::Refused)),
        1 => Just(AttemptOutcome::Status(204)),
        1 => Just(AttemptOutcome::Status(410)),
    ];
    let worker = 0usize..3;
    let step = (worker.clone(), prop::bool::weighted(0.1), outcome);
    let happening = prop_oneof![
        20 => step.prop_map(|(worker, lost, outcome)| Happening::Step { worker, lost, outcome }),
        8 => (worker.clone(), 0usize..8, prop::bool::weighted(0.3))
            .prop_map(|(worker, message, again)| Happening::Receive { worker, message, again }),
        3 => prop_oneof![0u64..1000, 900u64..4000, 5_000u64..30_000].prop_map(|ms| Happening::Pass { ms }),
        2 => worker.prop_map(|worker| Happening::Die { worker }),
        1 => Just(Happening::Evaluate),
        1 => Just(Happening::Sweep),
        1 => Just(Happening::OpenRound),
        1 => any::<bool>().prop_map(Happening::Pause),
    ];
    prop::collection::vec(happening, 0..250)
}

fn run(happenings: &[Happening], visibility_ms: u64) -> World {
    let mut world = World::new(visibility_ms);
    for happening in happenings {
        world.happen(happening);
    }
    world
}

/// Takes a worker's steps until this condition holds.
fn step_until(world: &mut World, worker: usize, outcome: &AttemptOutcome, there: fn(&At) -> bool) {
    for _ in 0..8 {
        if there(&world.workers[worker]) {
            return;
        }
        world.step(worker, false, outcome.clone());
    }
    panic!("it never came there: {:?}", world.workers[worker]);
}

/// Takes a worker's steps until it has claimed and sent.
fn claim_and_send(world: &mut World, worker: usize, outcome: &AttemptOutcome) {
    step_until(world, worker, outcome, |at| matches!(at, At::Sent(..)));
}

/// Repeats a fixed bug. A message that met another chain's live claim was acknowledged; that could delete the message
/// that the next claim was made for, while the other chain's message ended at that claim.
#[test]
fn a_message_meeting_anothers_expiring_claim_is_not_lost() {
    let mut world = World::new(4_000);
    let failing = AttemptOutcome::Status(500);
    world.happen(&Happening::Evaluate);
    // The second chain claims, and its worker dies.
    world.receive(0, 1, false);
    claim_and_send(&mut world, 0, &failing);
    world.happen(&Happening::Die { worker: 0 });
    // The first chain's message is handed out twice. One worker looks at it in the last millisecond of the claim.
    world.happen(&Happening::Pass { ms: 2_999 });
    world.receive(1, 0, true);
    world.receive(2, 0, false);
    step_until(&mut world, 1, &failing, |at| matches!(at, At::Act(..)));
    // The other worker claims after the expiry and dies. Then the first worker acts on what it saw.
    world.happen(&Happening::Pass { ms: 1 });
    claim_and_send(&mut world, 2, &failing);
    world.happen(&Happening::Die { worker: 2 });
    step_until(&mut world, 1, &failing, |at| matches!(at, At::Idle));
    world.happen(&Happening::Pass { ms: 1_000 });
    world.settle(false);
    assert_eq!(world.claims.len(), 2 + usize::from(ATTEMPTS));
    assert_eq!(world.table.ending(), Some(Ending::Exhausted));
}

/// Repeats a fixed bug. A worker acknowledged its message after losing the claim, and the new claim was made for it.
#[test]
fn a_worker_without_its_claim_leaves_the_message_alone() {
    let mut world = World::new(4_000);
    let failing = AttemptOutcome::Status(500);
    world.receive(0, 0, false);
    claim_and_send(&mut world, 0, &failing);
    world.happen(&Happening::Pass { ms: 4_000 });
    world.receive(1, 0, false);
    claim_and_send(&mut world, 1, &failing);
    // The slow worker's answer comes and is handled. Then the other worker dies.
    step_until(&mut world, 0, &failing, |at| matches!(at, At::Idle));
    world.happen(&Happening::Die { worker: 1 });
    world.settle(false);
    assert_eq!(world.late.len(), 1);
    assert_eq!(world.table.ending(), Some(Ending::Exhausted));
}

/// Repeats a fixed bug. A late 2xx and the delivery that it completed were stored one after the other, and a worker
/// that died in between left one without the other.
#[test]
fn a_late_2xx_and_its_attempt_are_stored_together() {
    for steps in 0..6 {
        for lost in [false, true] {
            let mut world = World::new(4_000);
            let delivered = AttemptOutcome::Status(204);
            world.receive(0, 0, false);
            claim_and_send(&mut world, 0, &delivered);
            world.happen(&Happening::Pass { ms: 4_000 });
            world.receive(1, 0, false);
            claim_and_send(&mut world, 1, &delivered);
            for _ in 0..steps {
                world.step(0, lost, delivered.clone());
            }
            world.happen(&Happening::Die { worker: 0 });
            world.happen(&Happening::Die { worker: 1 });
            let kept = world.late.iter().any(|late| late.attempt.outcome.verdict() == Verdict::Delivered);
            assert_eq!(kept, world.table.ending() == Some(Ending::Delivered), "after {steps} steps, lost: {lost}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// Checks how the simulation ends. `World` checks every step on the way.
    #[test]
    fn every_delivery_ends_despite_crashes_and_repetition(
        happenings in happenings(), visibility_ms in 1_000u64..8_000,
    ) {
        let mut world = run(&happenings, visibility_ms);
        // No sweep is needed, because a delivery under way always has its message.
        world.settle(false);
        prop_assert!(world.table.ending().is_some(), "stranded: {:?}", world.table);
        prop_assert!(world.queue.is_empty());
        for round in 1..=world.table.round() {
            let claims: Vec<&Claim> = world.claims.iter().map(|(claim, _)| claim).filter(|claim| claim.round == round).collect();
            let requests: u32 = world.claims.iter().filter(|(claim, _)| claim.round == round).map(|(_, requests)| requests).sum();
            let recorded = if round == world.table.round() { world.table.attempts() } else {
                &world.moved.iter().find(|(moved, _)| *moved == round).unwrap().1[..]
            };
            prop_assert!(recorded.len() <= usize::from(ATTEMPTS));
            let expired = claims.iter().filter(|claim| claims.iter().any(|other| other.n == claim.n && claim.until < other.until)).count();
            prop_assert!(usize::try_from(requests).unwrap() <= usize::from(ATTEMPTS) + expired);
        }
    }

    #[test]
    fn a_recorded_2xx_delivers(happenings in happenings(), visibility_ms in 1_000u64..8_000) {
        // Without rounds opened by hand no delivery continues after its end.
        let no_rounds: Vec<Happening> = happenings.into_iter().filter(|happening| !matches!(happening, Happening::OpenRound)).collect();
        let mut world = run(&no_rounds, visibility_ms);
        world.settle(false);
        let delivered = world.table.attempts().iter().chain(world.late.iter().map(|late| &late.attempt))
            .any(|attempt| attempt.outcome.verdict() == Verdict::Delivered);
        prop_assert_eq!(delivered, world.table.ending() == Some(Ending::Delivered));
    }

    #[test]
    fn the_sweep_finds_a_delivery_without_a_message(happenings in happenings(), lost_at in 0usize..250) {
        let mut world = World::new(4_000);
        for (at, happening) in happenings.iter().enumerate() {
            if at == lost_at {
                world.queue.clear();
            }
            world.happen(happening);
        }
        world.queue.clear();
        world.settle(true);
        prop_assert!(world.table.ending().is_some());
    }

    #[test]
    fn cancelling_ends_a_delivery_at_any_step(happenings in happenings(), at in 0usize..250) {
        let mut world = run(&happenings[..at.min(happenings.len())], 4_000);
        world.happen(&Happening::Cancel);
        let requests = world.claims.len();
        world.settle(true);
        prop_assert_eq!(world.claims.len(), requests, "no attempt is claimed after it");
        prop_assert!(world.queue.is_empty());
    }
}
