//! One day, event after event, in simulated milliseconds.

use std::{cmp::Reverse, collections::BinaryHeap};

use domain::{
    outbound::retry::{RetryPolicy, hop},
    values::time::UnixMillis,
};
use fastrand::Rng;

use crate::{
    dice,
    partners::{DOWN, Outage, Partners},
    queue::{Message, Queue},
};

/// A sample: one delivery of so many, with so many times less concurrency.
pub(crate) const FACTOR: usize = 2;
/// Deliveries owed a second, of 100,000 events: one event of 200 reaches a goal.
pub(crate) const DELIVERIES_A_SECOND: usize = 500;
/// From how many in flight on SQS may call a group noisy.
const NOISY_FROM: usize = 30;
/// What a batch takes besides its slowest partner: two writes, a send, the way.
const OVERHEAD_MS: i64 = 25;

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// From when to when the partner is down.
pub(crate) const DOWN_FROM: i64 = 10 * HOUR_MS;
pub(crate) const DOWN_UNTIL: i64 = 12 * HOUR_MS;

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) outage: Outage,
    pub(crate) fair: bool,
    /// `WebhooksConcurrency` and `WebhookRetriesConcurrency`.
    pub(crate) concurrency: [usize; 2],
}

/// What is known of each minute, of the sample.
#[derive(Debug, Clone, Default)]
pub(crate) struct Minute {
    /// Messages that wait at the minute's end, of first attempts and of resends.
    pub(crate) depth: [usize; 2],
    /// Batches at work at its end.
    pub(crate) batches: [usize; 2],
    /// How long first attempts of other partners waited that were begun in it.
    pub(crate) waits_ms: Vec<u32>,
}

/// What came of a day.
#[derive(Debug, Clone, Default)]
pub(crate) struct Day {
    pub(crate) minutes: Vec<Minute>,
    pub(crate) owed: u64,
    pub(crate) delivered: u64,
    pub(crate) exhausted: u64,
    pub(crate) first_attempts: u64,
    pub(crate) resends: u64,
    pub(crate) hops: u64,
    /// Batches that attempts were made in, what they held, and how long they took.
    pub(crate) batches: u64,
    pub(crate) batched: u64,
    pub(crate) batched_ms: u64,
    /// How long after its return the partner had each delivery that was owed before it.
    pub(crate) made_up_ms: Vec<u32>,
    /// How late other partners' resends were received, after they were due: all of them.
    pub(crate) resends_late_ms: Vec<u32>,
}

/// What happens at an instant; ordered so that a day is the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Owed,
    /// A message can be received: its place among those that wait for it.
    Visible(usize),
    /// A batch has ended: its queue, and its place among the batches.
    Ended(usize, usize),
    MinuteEnds,
}

struct Simulation<'a> {
    scenario: Scenario,
    partners: &'a Partners,
    rng: Rng,
    now: i64,
    agenda: BinaryHeap<Reverse<(i64, u64, Happens)>>,
    planned: u64,
    queues: [Queue; 2],
    /// Messages that are delayed, and batches at work, by place.
    delayed: Slab<Message>,
    working: Slab<Vec<Message>>,
    day: Day,
}

/// A day in this scenario.
pub(crate) fn simulate(scenario: Scenario, partners: &Partners, seed: u64) -> Day {
    simulate_until(scenario, partners, seed, DAY_MS)
}

fn simulate_until(scenario: Scenario, partners: &Partners, seed: u64, end: i64) -> Day {
    let queue = |n: usize| Queue::new(scenario.fair, scenario.concurrency[n] / FACTOR, NOISY_FROM / FACTOR);
    let mut simulation = Simulation {
        scenario,
        partners,
        rng: Rng::with_seed(seed),
        now: 0,
        agenda: BinaryHeap::new(),
        planned: 0,
        queues: [queue(0), queue(1)],
        delayed: Slab::default(),
        working: Slab::default(),
        day: Day { minutes: vec![Minute::default()], ..Day::default() },
    };
    simulation.plan(0, Happens::Owed);
    simulation.plan(MINUTE_MS, Happens::MinuteEnds);
    while let Some(Reverse((at, _, happens))) = simulation.agenda.pop() {
        if at >= end {
            break;
        }
        simulation.now = at;
        simulation.happen(happens);
    }
    simulation.day
}

impl Simulation<'_> {
    fn plan(&mut self, at: i64, happens: Happens) {
        self.planned += 1;
        self.agenda.push(Reverse((at, self.planned, happens)));
    }

    fn happen(&mut self, happens: Happens) {
        match happens {
            Happens::Owed => self.owe(),
            Happens::Visible(place) => {
                let message = Message { visible_at: self.now, ..self.delayed.take(place) };
                self.queues[1].push(message);
                self.work(1);
            }
            Happens::Ended(queue, place) => {
                let batch = self.working.take(place);
                self.queues[queue].give_back(&batch);
                self.work(queue);
            }
            Happens::MinuteEnds => {
                if let Some(minute) = self.day.minutes.last_mut() {
                    minute.depth = [0, 1].map(|n: usize| self.queues[n].depth());
                    minute.batches = [0, 1].map(|n: usize| self.queues[n].batches);
                }
                self.day.minutes.push(Minute::default());
                self.plan(self.now + MINUTE_MS, Happens::MinuteEnds);
            }
        }
    }

    fn owe(&mut self) {
        let wait = dice::until_next(&mut self.rng, (DELIVERIES_A_SECOND / FACTOR) as f64);
        // To the millisecond, and on an average right.
        let wait = (wait + self.rng.f64() - 0.5).round().max(0.0) as i64;
        self.plan(self.now + wait, Happens::Owed);
        self.day.owed += 1;
        let partner = self.partners.pick(&mut self.rng);
        self.queues[0].push(Message { partner, n: 1, due_at: self.now, visible_at: self.now, owed_at: self.now });
        self.work(0);
    }

    /// Takes batches while there are messages and concurrency.
    fn work(&mut self, queue: usize) {
        while let Some(batch) = self.queues[queue].take() {
            // A batch is sent concurrently, and lasts as long as its slowest message.
            let took = batch.iter().map(|message| self.handle(*message)).max().unwrap_or_default();
            if took > 0 {
                self.day.batches += 1;
                self.day.batched += batch.len() as u64;
                self.day.batched_ms += (took + OVERHEAD_MS).unsigned_abs();
            }
            let place = self.working.put(batch);
            self.plan(self.now + took + OVERHEAD_MS, Happens::Ended(queue, place));
        }
    }

    /// One message: an attempt, or another hop towards it. How long that takes.
    fn handle(&mut self, message: Message) -> i64 {
        if self.now < message.due_at {
            self.day.hops += 1;
            self.send_again(message, self.now);
            return 0;
        }
        self.count_wait(&message);
        let down = message.partner == DOWN && (DOWN_FROM..DOWN_UNTIL).contains(&self.now);
        let outage = down.then_some(self.scenario.outage);
        let (took, delivers) = self.partners.answer(message.partner, outage, &mut self.rng);
        if delivers {
            self.day.delivered += 1;
            if message.partner == DOWN && message.owed_at < DOWN_UNTIL && self.now >= DOWN_UNTIL {
                self.day.made_up_ms.push(u32::try_from(self.now - DOWN_UNTIL).unwrap_or(u32::MAX));
            }
            return took;
        }
        let failed_at = self.now + took;
        match RetryPolicy::default().due(message.n, UnixMillis::from_millisecond(failed_at), None) {
            None => self.day.exhausted += 1,
            Some(due_at) => {
                let next = Message { n: message.n + 1, due_at: due_at.as_millisecond(), ..message };
                self.send_again(next, failed_at);
            }
        }
        took
    }

    fn send_again(&mut self, message: Message, at: i64) {
        let delay = hop(UnixMillis::from_millisecond(at), UnixMillis::from_millisecond(message.due_at));
        let place = self.delayed.put(message);
        self.plan(at + i64::from(delay) * 1000, Happens::Visible(place));
    }

    fn count_wait(&mut self, message: &Message) {
        let is_first = message.n == 1;
        *(if is_first { &mut self.day.first_attempts } else { &mut self.day.resends }) += 1;
        if message.partner == DOWN {
            return;
        }
        let waited = u32::try_from(self.now - message.visible_at).unwrap_or(u32::MAX);
        if is_first {
            self.day.minutes.last_mut().into_iter().for_each(|minute| minute.waits_ms.push(waited));
        } else {
            let late = u32::try_from(self.now - message.due_at).unwrap_or(u32::MAX);
            self.day.resends_late_ms.push(late);
        }
    }
}

/// Things by place, whose places are used again.
struct Slab<T> {
    things: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { things: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    fn put(&mut self, thing: T) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.things.push(None);
            self.things.len() - 1
        });
        self.things[place] = Some(thing);
        place
    }

    fn take(&mut self, place: usize) -> T {
        self.free.push(place);
        self.things[place].take().expect("a place is planned once")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_delivered_exhausted_or_under_way_and_has_one_first_attempt_at_most() {
        let partners = Partners::new(&mut Rng::with_seed(1));
        let scenario = Scenario { name: "short of everything", outage: Outage::Hangs, fair: true, concurrency: [4, 4] };
        let day = simulate_until(scenario, &partners, 1, HOUR_MS / 4);
        assert!(day.first_attempts <= day.owed && day.delivered + day.exhausted <= day.first_attempts, "{day:?}");
        assert!(day.minutes.iter().all(|minute| minute.batches.iter().all(|batches| *batches <= 2)));
        assert!(day.minutes.iter().any(|minute| minute.depth[0] > 1000), "what is too little is seen to be");
    }
}
