//! Moves dead letters back to the queue where they are processed, for an operator who has removed their cause. Each
//! letter is received, sent and then deleted.
//!
//! A letter is deleted only after it was sent, so an interruption loses no letter. The letter may then be in both
//! queues, and every consumer tolerates such duplicates. A letter that was received and not sent is visible again
//! within [`HIDDEN_SECONDS`].

use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    jiff::Timestamp,
};
use futures_util::future::join_all;

use crate::ports::{AuditTrail, DeadLetterQueue, DeadLetterQueues, ReceivedLetter, Unavailable};

/// The time for which a letter is hidden while it is moved, in seconds.
pub const HIDDEN_SECONDS: u16 = 60;

/// The reason why a redrive ended early. A repeated redrive moves the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A queue failed.
    Unavailable(Unavailable),
    /// A letter was sent but could not be deleted, so it is in both queues.
    SentNotDeleted(Unavailable),
}

/// Returns the number of letters that a redrive of this queue moves: the letters that are there now, but at most `max`.
/// Returns `None` if the stack has no such queue. The number is fixed beforehand, because a letter that fails again
/// comes back and would be moved for ever.
pub async fn count(
    queues: &impl DeadLetterQueues,
    queue: DeadLetterQueue,
    max: Option<usize>,
) -> Result<Option<usize>, Unavailable> {
    Ok(queues.depth(queue).await?.map(|depth| max.map_or(depth, |max| max.min(depth))))
}

/// Stores the audit record, then moves at most this many letters to [`DeadLetterQueue::source`]. Calls `on_sent` for
/// each letter that was sent.
pub async fn redrive(
    queues: &impl DeadLetterQueues,
    trail: &impl AuditTrail,
    (operation, now): (&Operation, Timestamp),
    (queue, most): (DeadLetterQueue, usize),
    on_sent: impl Fn() + Sync,
) -> Result<(), Stopped> {
    trail.append(&record(operation, now, queue, most)).await.map_err(Stopped::Unavailable)?;
    let mut left = most;
    while left > 0 {
        let letters = queues.receive(queue, left, HIDDEN_SECONDS).await.map_err(Stopped::Unavailable)?;
        if letters.is_empty() {
            break;
        }
        left = left.saturating_sub(letters.len());
        let moves = join_all(letters.iter().map(|letter| move_one(queues, queue, letter, &on_sent))).await;
        let stuck: Vec<ReceivedLetter> =
            letters.into_iter().zip(&moves).filter(|(_, moved)| moved.is_err()).map(|(letter, _)| letter).collect();
        if let Some(stopped) = moves.into_iter().find_map(Result::err) {
            // The letters are made visible at once. If this fails too, they become visible after their time.
            queues.put_back(queue, &stuck).await.ok();
            return Err(stopped);
        }
    }
    Ok(())
}

fn record(operation: &Operation, now: Timestamp, queue: DeadLetterQueue, most: usize) -> AuditRecord {
    let subject = Subject::Queue { queue: queue.name().to_owned() };
    let record = operation.record(now, Action::RedriveDeadLetters, subject);
    record.with("to", queue.source()).with("at_most", most)
}

async fn move_one(
    queues: &impl DeadLetterQueues,
    queue: DeadLetterQueue,
    received: &ReceivedLetter,
    on_sent: &(impl Fn() + Sync),
) -> Result<(), Stopped> {
    queues.send_on(queue, &received.letter).await.map_err(Stopped::Unavailable)?;
    on_sent();
    queues.delete(queue, received).await.map_err(Stopped::SentNotDeleted)
}

#[cfg(test)]
mod tests;
