//! Simulates one day event by event, in simulated milliseconds.

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

/// Scales the sample: one delivery of every `FACTOR` is simulated, with the concurrency divided by `FACTOR`.
pub(crate) const FACTOR: usize = 2;
/// Counts the deliveries owed each second at 100,000 events. One event in 200 reaches a goal.
pub(crate) const DELIVERIES_A_SECOND: usize = 500;
/// Gives the number of messages in flight on SQS from which a group may be noisy.
const NOISY_FROM: usize = 30;
/// Gives the time that a batch takes beyond its slowest partner: two writes, one send, and the network.
const OVERHEAD_MS: i64 = 25;

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// Says when the partner goes down and when it returns.
pub(crate) const DOWN_FROM: i64 = 10 * HOUR_MS;
pub(crate) const DOWN_UNTIL: i64 = 12 * HOUR_MS;

/// Describes a scenario to simulate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) outage: Outage,
    pub(crate) fair: bool,
    /// Gives `WebhooksConcurrency` and `WebhookRetriesConcurrency`.
    pub(crate) concurrency: [usize; 2],
}

/// Holds the figures of each minute of the sample.
#[derive(Debug, Clone, Default)]
pub(crate) struct Minute {
    /// Counts the messages that wait at the minute's end, of first attempts and of resends.
    pub(crate) depth: [usize; 2],
    /// Counts the batches at work at the minute's end.
    pub(crate) batches: [usize; 2],
    /// Lists how long first attempts to other partners had to wait, for the attempts that began in this minute.
    pub(crate) waits_ms: Vec<u32>,
}

/// Holds the results of a day.
#[derive(Debug, Clone, Default)]
pub(crate) struct Day {
    pub(crate) minutes: Vec<Minute>,
    pub(crate) owed: u64,
    pub(crate) delivered: u64,
    pub(crate) exhausted: u64,
    pub(crate) first_attempts: u64,
    pub(crate) resends: u64,
    pub(crate) hops: u64,
    /// Counts the batches in which attempts were made, their messages, and the time they took.
    pub(crate) batches: u64,
    pub(crate) batched: u64,
    pub(crate) batched_ms: u64,
    /// Lists, for each delivery that was owed before the partner's return, how long after the return the partner got
    /// it.
    pub(crate) made_up_ms: Vec<u32>,
    /// Lists how late the resends to other partners were received, counted from when they were due.
    pub(crate) resends_late_ms: Vec<u32>,
}

/// Says what happens at an instant. The variants are ordered so that a day is the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Owed,
    /// A message can be received. The field is its place among the waiting messages.
    Visible(usize),
    /// A batch has ended. The fields are its queue and its place among the batches.
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
    /// Holds delayed messages and working batches by place.
    delayed: Slab<Message>,
    working: Slab<Vec<Message>>,
    day: Day,
}

/// Simulates a day in this scenario.
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
        // The wait is rounded to whole milliseconds, and is exact on average.
        let wait = (wait + self.rng.f64() - 0.5).round().max(0.0) as i64;
        self.plan(self.now + wait, Happens::Owed);
        self.day.owed += 1;
        let partner = self.partners.pick(&mut self.rng);
        self.queues[0].push(Message { partner, n: 1, due_at: self.now, visible_at: self.now, owed_at: self.now });
        self.work(0);
    }

    /// Takes batches while messages wait and concurrency is free.
    fn work(&mut self, queue: usize) {
        while let Some(batch) = self.queues[queue].take() {
            // A batch sends concurrently and takes as long as its slowest message.
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

    /// Handles one message, which is an attempt or another hop towards it, and returns the time in milliseconds.
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

/// Stores values by place, and uses free places again.
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
    fn no_more_deliveries_end_than_begin_or_begin_than_are_owed() {
        let partners = Partners::new(&mut Rng::with_seed(1));
        let scenario = Scenario { name: "short of everything", outage: Outage::Hangs, fair: true, concurrency: [4, 4] };
        let day = simulate_until(scenario, &partners, 1, HOUR_MS / 4);
        assert!(day.first_attempts <= day.owed && day.delivered + day.exhausted <= day.first_attempts, "{day:?}");
        assert!(day.minutes.iter().all(|minute| minute.batches.iter().all(|batches| *batches <= 2)));
        assert!(
            day.minutes.iter().any(|minute| minute.depth[0] > 1000),
            "a lack of concurrency shows as waiting messages"
        );
    }
}
