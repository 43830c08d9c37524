//! Models an SQS queue with Lambda behind it. Messages wait, and batches of up to ten are taken while concurrency is
//! free.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// Limits the messages of a batch.
const BATCH: usize = 10;

/// Holds a message for an attempt of a delivery, in milliseconds of the day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) partner: usize,
    pub(crate) n: u8,
    pub(crate) due_at: i64,
    /// Says when the message could be received.
    pub(crate) visible_at: i64,
    /// Says when its delivery was owed.
    pub(crate) owed_at: i64,
}

/// Holds a queue.
pub(crate) struct Queue {
    fair: bool,
    /// A group with fewer messages in flight is never noisy.
    noisy_from: usize,
    /// Limits the batches at the same time.
    pub(crate) concurrency: usize,
    pub(crate) batches: usize,
    waiting: HashMap<usize, VecDeque<(u64, Message)>>,
    /// Holds the number and the group of the oldest message of each group that has messages.
    heads: BTreeSet<(u64, usize)>,
    in_flight: HashMap<usize, usize>,
    in_flight_in_all: usize,
    arrived: u64,
    depth: usize,
}

impl Queue {
    pub(crate) fn new(fair: bool, concurrency: usize, noisy_from: usize) -> Self {
        Self {
            fair,
            noisy_from,
            concurrency,
            batches: 0,
            waiting: HashMap::new(),
            heads: BTreeSet::new(),
            in_flight: HashMap::new(),
            in_flight_in_all: 0,
            arrived: 0,
            depth: 0,
        }
    }

    /// Counts the waiting messages.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn push(&mut self, message: Message) {
        // Without groups, all messages are in one group.
        let group = if self.fair { message.partner } else { 0 };
        self.arrived += 1;
        self.depth += 1;
        let line = self.waiting.entry(group).or_default();
        if line.is_empty() {
            self.heads.insert((self.arrived, group));
        }
        line.push_back((self.arrived, message));
    }

    /// Takes the next batch, if a message waits and concurrency is free.
    pub(crate) fn take(&mut self) -> Option<Vec<Message>> {
        if self.batches == self.concurrency || self.depth == 0 {
            return None;
        }
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(message) = self.take_one()
        {
            batch.push(message);
        }
        self.batches += 1;
        Some(batch)
    }

    /// Ends a batch and forgets its messages.
    pub(crate) fn give_back(&mut self, batch: &[Message]) {
        self.batches -= 1;
        self.in_flight_in_all -= batch.len();
        for message in batch {
            if let Some(count) = self.in_flight.get_mut(&message.partner) {
                *count -= 1;
            }
        }
    }

    /// Takes the oldest message of a group that is not noisy, or the oldest of all if all groups are noisy.
    fn take_one(&mut self) -> Option<Message> {
        let quiet = self.heads.iter().find(|(_, group)| !self.is_noisy(*group));
        let (number, group) = *quiet.or_else(|| self.heads.first())?;
        self.heads.remove(&(number, group));
        let line = self.waiting.get_mut(&group)?;
        let (_, message) = line.pop_front()?;
        if let Some((next, _)) = line.front() {
            self.heads.insert((*next, group));
        }
        self.depth -= 1;
        self.in_flight_in_all += 1;
        *self.in_flight.entry(message.partner).or_default() += 1;
        Some(message)
    }

    /// Returns true if the group is noisy by SQS's rule: it has more than a tenth of the messages in flight, and a
    /// minimum number.
    fn is_noisy(&self, group: usize) -> bool {
        let in_flight = self.in_flight.get(&group).copied().unwrap_or_default();
        self.fair && in_flight >= self.noisy_from && in_flight * 10 > self.in_flight_in_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a queue with one message of each of these partners, in this order.
    fn filled(fair: bool, partners: &[usize]) -> Queue {
        let mut queue = Queue::new(fair, 2, 3);
        for partner in partners {
            queue.push(Message { partner: *partner, n: 1, due_at: 0, visible_at: 0, owed_at: 0 });
        }
        queue
    }

    fn partners(batch: &[Message]) -> Vec<usize> {
        batch.iter().map(|message| message.partner).collect()
    }

    #[test]
    fn an_unfair_queue_keeps_the_order_and_limits_the_batches() {
        let mut queue = filled(false, &[7; 25]);
        let batch = queue.take().unwrap();
        assert_eq!(partners(&batch), [7; 10]);
        assert!(queue.take().is_some() && queue.take().is_none(), "two batches at the same time");
        queue.give_back(&batch);
        assert_eq!(queue.take().unwrap().len(), 5);
        assert_eq!(queue.depth(), 0);
    }

    #[test]
    fn a_noisy_partners_messages_come_after_all_others() {
        let mut queue = filled(true, &[7, 7, 7, 7, 7, 7, 1, 2]);
        assert_eq!(partners(&queue.take().unwrap()), [7, 7, 7, 1, 2, 7, 7, 7]);
    }
}
