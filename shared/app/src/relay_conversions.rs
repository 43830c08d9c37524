//! From the postbacks' stream to GG3's quests: every accepted postback, at least once, in the end.
//!
//! What cannot be converted is set aside whole and the rest moves on; only a queue that takes nothing holds it.

use domain::conversion::Conversion;

use crate::ports::{ConversionQueue, DeadLetters, Unavailable};

/// How many messages one request to the queue carries.
const BATCH: usize = 10;

/// A record of the stream, or one that was put back after it had been set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// What it is called when it must come again: a sequence number or a message's id.
    pub id: String,
    /// What it says, or why it cannot be read.
    pub conversion: Result<Conversion, String>,
    /// The whole record as it came.
    pub whole: String,
}

/// What came of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relayed {
    /// The ids of those that must come again, in the order they came.
    pub failed: Vec<String>,
    /// How many the queue took.
    pub sent: usize,
    /// How many were set aside.
    pub set_aside: usize,
    /// The last thing that went wrong, for the log.
    pub unavailable: Option<Unavailable>,
}

/// Relays a batch.
pub async fn relay(queue: &impl ConversionQueue, dead_letters: &impl DeadLetters, batch: Vec<Incoming>) -> Relayed {
    let mut relayed = Relayed::default();
    let mut results: Vec<(String, Result<(), Unavailable>)> = Vec::with_capacity(batch.len());
    let mut readable = Vec::new();
    for incoming in batch {
        match incoming.conversion {
            Ok(conversion) => {
                readable.push((results.len(), conversion));
                results.push((incoming.id, Ok(())));
            }
            Err(reason) => {
                let result = dead_letters.set_aside(&incoming.whole, &reason).await;
                relayed.set_aside += usize::from(result.is_ok());
                results.push((incoming.id, result));
            }
        }
    }
    for chunk in readable.chunks(BATCH) {
        let conversions: Vec<Conversion> = chunk.iter().map(|(_, conversion)| conversion.clone()).collect();
        for ((at, _), result) in chunk.iter().zip(queue.send(&conversions).await) {
            relayed.sent += usize::from(result.is_ok());
            if let Some(slot) = results.get_mut(*at) {
                slot.1 = result;
            }
        }
    }
    for (id, result) in results {
        if let Err(unavailable) = result {
            relayed.failed.push(id);
            relayed.unavailable = Some(unavailable);
        }
    }
    relayed
}
