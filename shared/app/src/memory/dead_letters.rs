//! Holds dead letters and alarms in memory.

use super::{State, World};
use crate::ports::{
    Alarm, Alarms, DeadLetter, DeadLetterQueue, DeadLetterQueues, DeadLetters, ReceivedLetter, Unavailable,
};

impl Alarms for World {
    async fn ringing(&self) -> Result<Vec<Alarm>, Unavailable> {
        self.call("list alarms", |state| state.alarms.clone())
    }
}

impl DeadLetters for World {
    async fn set_aside(&self, whole: &str, reason: &str) -> Result<(), Unavailable> {
        self.call("set aside", |state| state.dead_letters.push((whole.to_owned(), reason.to_owned())))
    }
}

impl State {
    fn letter(&mut self, queue: DeadLetterQueue, received: &ReceivedLetter) -> Option<&mut (DeadLetter, bool)> {
        let letters = self.dead_letter_queues.get_mut(&queue)?;
        letters.iter_mut().find(|(letter, _)| letter.message_id == received.handle)
    }
}

/// Uses the id of a letter as its handle.
impl DeadLetterQueues for World {
    async fn depth(&self, queue: DeadLetterQueue) -> Result<Option<usize>, Unavailable> {
        self.call("count dead letters", |state| state.dead_letter_queues.get(&queue).map(Vec::len))
    }

    /// Returns at most two letters, so that tests cover several calls.
    async fn receive(
        &self,
        queue: DeadLetterQueue,
        most: usize,
        _hidden_seconds: u16,
    ) -> Result<Vec<ReceivedLetter>, Unavailable> {
        self.call("receive dead letters", |state| {
            let letters = state.dead_letter_queues.get_mut(&queue).into_iter().flatten();
            let receive = |(letter, hidden): &mut (DeadLetter, bool)| {
                *hidden = true;
                ReceivedLetter { letter: letter.clone(), handle: letter.message_id.clone() }
            };
            letters.filter(|(_, hidden)| !hidden).take(most.min(2)).map(receive).collect()
        })
    }

    async fn put_back(&self, queue: DeadLetterQueue, letters: &[ReceivedLetter]) -> Result<(), Unavailable> {
        self.call("put dead letters back", |state| {
            for received in letters {
                if let Some((_, hidden)) = state.letter(queue, received) {
                    *hidden = false;
                }
            }
        })
    }

    async fn send_on(&self, queue: DeadLetterQueue, letter: &DeadLetter) -> Result<(), Unavailable> {
        self.call("send dead letter on", |state| state.redriven.push((queue.source(), letter.clone())))
    }

    async fn delete(&self, queue: DeadLetterQueue, letter: &ReceivedLetter) -> Result<(), Unavailable> {
        self.call("delete dead letter", |state| {
            let letters = state.dead_letter_queues.entry(queue).or_default();
            letters.retain(|(other, _)| other.message_id != letter.handle);
        })
    }
}
