//! Shows an operator the messages in the dead-letter queues, and the reasons why they are there. No message is removed.

use futures_util::future::try_join_all;

use crate::ports::{DeadLetter, DeadLetterQueue, DeadLetterQueues, ReceivedLetter, Unavailable};

/// The time for which a letter is hidden while it is looked at, in seconds. Normally all letters are put back right
/// after the look; if the look is interrupted, they are visible again after this time.
pub const LOOK_SECONDS: u16 = 30;

/// A look into dead-letter queues.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The contents of the queues.
    pub queues: Vec<Contents>,
    /// Queues that the stack does not have, because its template is older than the queues.
    pub missing: Vec<DeadLetterQueue>,
}

/// The contents of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The queue.
    pub queue: DeadLetterQueue,
    /// The approximate number of messages; SQS gives no exact one.
    pub messages: usize,
    /// The first messages of the queue.
    pub letters: Vec<DeadLetter>,
}

/// The reason why a look ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookFault {
    /// A queue could not be read. The letters that were received before are visible again within [`LOOK_SECONDS`].
    Unread(Unavailable),
    /// All letters were read, but some could not be put back and stay hidden for [`LOOK_SECONDS`].
    Hidden(Unavailable),
}

/// Counts the letters of each queue that the stack has. The numbers are approximate.
pub async fn depths(queues: &impl DeadLetterQueues) -> Result<Vec<(DeadLetterQueue, usize)>, Unavailable> {
    let depth = async |queue| Ok((queue, queues.depth(queue).await?));
    let depths: Vec<(DeadLetterQueue, Option<usize>)> = try_join_all(DeadLetterQueue::ALL.map(depth)).await?;
    Ok(depths.into_iter().filter_map(|(queue, depth)| Some((queue, depth?))).collect())
}

/// Looks at the first letters of these queues, at most this many of each.
pub async fn look(queues: &impl DeadLetterQueues, which: &[DeadLetterQueue], most: usize) -> Result<Look, LookFault> {
    let mut look = Look::default();
    for queue in which {
        match queues.depth(*queue).await.map_err(LookFault::Unread)? {
            Some(messages) => {
                let letters = letters(queues, *queue, most).await?;
                // The count is only approximate, and the letters that were just received are certainly there.
                let messages = messages.max(letters.len());
                look.queues.push(Contents { queue: *queue, messages, letters });
            }
            None => look.missing.push(*queue),
        }
    }
    Ok(look)
}

/// Reads the first letters of a queue. All letters stay hidden until the last one is read, so that no letter is read
/// twice.
async fn letters(
    queues: &impl DeadLetterQueues,
    queue: DeadLetterQueue,
    most: usize,
) -> Result<Vec<DeadLetter>, LookFault> {
    let mut received: Vec<ReceivedLetter> = Vec::new();
    while received.len() < most {
        match queues.receive(queue, most - received.len(), LOOK_SECONDS).await {
            Ok(batch) if batch.is_empty() => break,
            Ok(batch) => received.extend(batch),
            Err(unavailable) => {
                queues.put_back(queue, &received).await.ok();
                return Err(LookFault::Unread(unavailable));
            }
        }
    }
    queues.put_back(queue, &received).await.map_err(LookFault::Hidden)?;
    Ok(received.into_iter().map(|received| received.letter).collect())
}

#[cfg(test)]
pub(crate) mod tests;
