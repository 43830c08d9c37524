//! A queue of SQS with Lambda behind it: messages wait, batches of up to ten are taken while there is concurrency.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// What a batch holds at most.
const BATCH: usize = 10;

/// A message: an attempt of a delivery, in milliseconds of the day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) partner: usize,
    pub(crate) n: u8,
    pub(crate) due_at: i64,
    /// When it could be received.
    pub(crate) visible_at: i64,
    /// When its delivery was owed.
    pub(crate) owed_at: i64,
}

/// A queue.
pub(crate) struct Queue {
    fair: bool,
    /// From how many messages in flight on a group may be noisy.
    noisy_from: usize,
    /// Batches at the same time, at most.
    pub(crate) concurrency: usize,
    pub(crate) batches: usize,
    waiting: HashMap<usize, VecDeque<(u64, Message)>>,
    /// The oldest message of each group that has any: its number and the group.
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

    /// How many messages wait.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn push(&mut self, message: Message) {
        // Without groups all messages are one line.
        let group = if self.fair { message.partner } else { 0 };
        self.arrived += 1;
        self.depth += 1;
        let line = self.waiting.entry(group).or_default();
        if line.is_empty() {
            self.heads.insert((self.arrived, group));
        }
        line.push_back((self.arrived, message));
    }

    /// The next batch, if there is anything to do and anybody to do it.
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

    /// A batch has ended; its messages are gone.
    pub(crate) fn give_back(&mut self, batch: &[Message]) {
        self.batches -= 1;
        self.in_flight_in_all -= batch.len();
        for message in batch {
            if let Some(count) = self.in_flight.get_mut(&message.partner) {
                *count -= 1;
            }
        }
    }

    /// The oldest message of a group that is not noisy; the oldest of all, if all are.
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

    /// As SQS has it: more than a tenth of what is in flight, and not just a few.
    fn is_noisy(&self, group: usize) -> bool {
        let in_flight = self.in_flight.get(&group).copied().unwrap_or_default();
        self.fair && in_flight >= self.noisy_from && in_flight * 10 > self.in_flight_in_all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One message of each of these partners, in this order.
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
    fn one_line_gives_messages_as_they_came_and_no_more_batches_than_there_may_be() {
        let mut queue = filled(false, &[7; 25]);
        let batch = queue.take().unwrap();
        assert_eq!(partners(&batch), [7; 10]);
        assert!(queue.take().is_some() && queue.take().is_none(), "two batches at the same time");
        queue.give_back(&batch);
        assert_eq!(queue.take().unwrap().len(), 5);
        assert_eq!(queue.depth(), 0);
    }

    #[test]
    fn where_a_partner_is_noisy_others_go_first_and_it_gets_what_is_left() {
        let mut queue = filled(true, &[7, 7, 7, 7, 7, 7, 1, 2]);
        assert_eq!(partners(&queue.take().unwrap()), [7, 7, 7, 1, 2, 7, 7, 7]);
    }
}
