//! An operator looks at the messages in the dead-letter queues, and why they are there. Looking removes none.

use crate::ports::{DeadLetter, DeadLetterQueue, DeadLetterQueues, ReceivedLetter, Unavailable};

/// How long a letter is hidden while it is looked at, in seconds. All are put back at once afterwards; the time is for a
/// look that is interrupted.
pub const LOOK_SECONDS: u16 = 30;

/// A look into dead-letter queues.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The contents of the queues.
    pub queues: Vec<Contents>,
    /// Queues that the stack does not have: its template is older than they are.
    pub missing: Vec<DeadLetterQueue>,
}

/// The contents of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The queue.
    pub queue: DeadLetterQueue,
    /// About how many messages there are: queues count no better.
    pub messages: usize,
    /// The first of them.
    pub letters: Vec<DeadLetter>,
}

/// Why a look ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookFault {
    /// A queue could not be read. The letters that were received are put back, or back within [`LOOK_SECONDS`].
    Unread(Unavailable),
    /// All was read, and some of it is hidden for [`LOOK_SECONDS`].
    Hidden(Unavailable),
}

/// Looks at the first letters of these queues, at most this many of each.
pub async fn look(queues: &impl DeadLetterQueues, which: &[DeadLetterQueue], most: usize) -> Result<Look, LookFault> {
    let mut look = Look::default();
    for queue in which {
        match queues.depth(*queue).await.map_err(LookFault::Unread)? {
            Some(messages) => {
                let letters = letters(queues, *queue, most).await?;
                // A letter that was just received is there, whatever the count says.
                let messages = messages.max(letters.len());
                look.queues.push(Contents { queue: *queue, messages, letters });
            }
            None => look.missing.push(*queue),
        }
    }
    Ok(look)
}

/// Reads the first letters of a queue. All are hidden until the last is read, so that none is read twice.
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
