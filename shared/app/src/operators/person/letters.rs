//! Finds and deletes the dead letters that name a person.

use super::names::Names;
use crate::ports::{DeadLetter, DeadLetterQueue, DeadLetterQueues, ReceivedLetter, Unavailable};

/// Sets how long the letters of a queue are hidden while they are read, in seconds. An interrupted search leaves them
/// hidden for at most this long.
const HIDDEN_SECONDS: u16 = 600;
/// Limits the letters of one request.
const AT_ONCE: usize = 10;
/// Finds the dead letters that name a person. All letters stay where they are.
pub(super) async fn find(
    queues: &impl DeadLetterQueues,
    names: &Names<'_>,
) -> Result<Vec<(DeadLetterQueue, DeadLetter)>, Unavailable> {
    let mut found = Vec::new();
    for queue in DeadLetterQueue::ALL {
        let received = receive(queues, queue).await?;
        queues.put_back(queue, &received).await?;
        let theirs = received.into_iter().filter(|received| names.are_in_letter(&received.letter.body));
        found.extend(theirs.map(|received| (queue, received.letter)));
    }
    Ok(found)
}

/// Deletes the dead letters that name a person, and returns how many were deleted.
pub(super) async fn delete(queues: &impl DeadLetterQueues, names: &Names<'_>) -> Result<usize, Unavailable> {
    let mut deleted = 0;
    for queue in DeadLetterQueue::ALL {
        let received = receive(queues, queue).await?;
        let (theirs, others): (Vec<_>, Vec<_>) =
            received.into_iter().partition(|received| names.are_in_letter(&received.letter.body));
        queues.put_back(queue, &others).await?;
        for letter in &theirs {
            queues.delete(queue, letter).await?;
        }
        deleted += theirs.len();
    }
    Ok(deleted)
}

/// Receives all letters of a queue. They stay hidden until they are put back, so that none is received twice.
async fn receive(queues: &impl DeadLetterQueues, queue: DeadLetterQueue) -> Result<Vec<ReceivedLetter>, Unavailable> {
    if queues.depth(queue).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut received: Vec<ReceivedLetter> = Vec::new();
    loop {
        match queues.receive(queue, AT_ONCE, HIDDEN_SECONDS).await {
            Ok(batch) if batch.is_empty() => return Ok(received),
            Ok(batch) => received.extend(batch),
            Err(unavailable) => {
                queues.put_back(queue, &received).await.ok();
                return Err(unavailable);
            }
        }
    }
}
