//! Relays accepted postbacks from the table's stream to GG3's quests, each at least once.
//!
//! A record that cannot be converted is set aside whole, and the rest moves on. Only a failing queue holds up the stream.

use domain::inbound::conversion::Conversion;

use crate::ports::{ConversionQueue, DeadLetters, Unavailable};

/// A record of the stream, or a record that was set aside and put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The sequence number or the message id, by which the record is reported if it must come again.
    pub id: String,
    /// The conversion, or why the record cannot be converted.
    pub conversion: Result<Conversion, String>,
    /// The whole record as it came.
    pub whole: String,
}

/// The result of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relayed {
    /// The ids of the records that must come again, in the order in which they came.
    pub failed: Vec<String>,
    /// How many conversions the queue took.
    pub sent: usize,
    /// How many records were set aside.
    pub set_aside: usize,
    /// The first fault, for the log.
    pub unavailable: Option<Unavailable>,
}

/// Relays a batch. Sends all conversions at once, so that a queue that is down costs one timeout.
pub async fn relay(queue: &impl ConversionQueue, dead_letters: &impl DeadLetters, batch: Vec<Incoming>) -> Relayed {
    let mut results: Vec<(String, Result<(), Unavailable>)> = Vec::with_capacity(batch.len());
    let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
    for incoming in batch {
        let at = results.len();
        results.push((incoming.id, Err(not_tried())));
        match incoming.conversion {
            Ok(conversion) => readable.push((at, conversion)),
            Err(reason) => unreadable.push((at, incoming.whole, reason)),
        }
    }
    let mut relayed = Relayed::default();
    let mut settle = |at: usize, result: Result<(), Unavailable>| {
        if let Some(slot) = results.get_mut(at) {
            slot.1 = result;
        }
    };
    for (at, whole, reason) in unreadable {
        let result = dead_letters.set_aside(&whole, &reason).await;
        relayed.set_aside += usize::from(result.is_ok());
        let failed = result.is_err();
        settle(at, result);
        if failed {
            break;
        }
    }
    let (places, conversions): (Vec<usize>, Vec<Conversion>) = readable.into_iter().unzip();
    let answers = if conversions.is_empty() { Vec::new() } else { queue.send(&conversions).await };
    for (at, result) in places.into_iter().zip(answers) {
        relayed.sent += usize::from(result.is_ok());
        settle(at, result);
    }
    for (id, result) in results {
        if let Err(unavailable) = result {
            relayed.failed.push(id);
            relayed.unavailable.get_or_insert(unavailable);
        }
    }
    relayed
}

fn not_tried() -> Unavailable {
    Unavailable { service: "SQS", reason: "not tried after a failure".into() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::memory::{Trouble, World};

    fn conversion(transaction: usize) -> Conversion {
        let json = serde_json::json!({
            "schema_version": 1, "type": "conversion.accepted", "provider": "acme", "click": "foreign",
            "transaction_id": transaction.to_string(), "receipt_id": "r", "received_at": "2026-11-23T12:00:00Z",
            "user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": "1.50",
        });
        serde_json::from_value(json).unwrap()
    }

    /// Returns 25 records, of which the 4th and the 20th cannot be read.
    fn batch() -> Vec<Incoming> {
        let readable = |at: usize| if at == 3 || at == 19 { Err("unreadable".to_owned()) } else { Ok(conversion(at)) };
        let incoming =
            |at: usize| Incoming { id: at.to_string(), conversion: readable(at), whole: format!("whole {at}") };
        (0..25).map(incoming).collect()
    }

    async fn relay_with(trouble: BTreeMap<usize, Trouble>) -> (World, Relayed) {
        let world = World::default();
        world.state().trouble = trouble;
        let relayed = relay(&world, &world, batch()).await;
        (world, relayed)
    }

    #[tokio::test]
    async fn unconvertible_records_are_set_aside_and_the_rest_moves_on() {
        let (world, relayed) = relay_with(BTreeMap::new()).await;
        assert_eq!(relayed, Relayed { sent: 23, set_aside: 2, ..Relayed::default() });
        let state = world.state();
        assert_eq!(state.conversions.len(), 23);
        assert_eq!(state.dead_letters[0], ("whole 3".to_owned(), "unreadable".to_owned()));
    }

    #[tokio::test]
    async fn exactly_the_records_that_failed_come_again() {
        // The first call sets the first unreadable record aside. If it fails, the second record is not tried.
        for failing in 0..25 {
            for kind in [Trouble::Before, Trouble::After] {
                let (_, relayed) = relay_with(BTreeMap::from([(failing, kind)])).await;
                let missing = if failing == 0 { 2 } else { 1 };
                assert_eq!(relayed.failed.len(), missing, "call {failing}");
                assert_eq!(relayed.sent + relayed.set_aside, 25 - missing);
                assert!(relayed.unavailable.is_some());
            }
        }
    }

    #[tokio::test]
    async fn a_failing_queue_holds_up_all_readable_records() {
        let (world, relayed) = relay_with((2..25).map(|call| (call, Trouble::Before)).collect()).await;
        assert_eq!((relayed.failed.len(), relayed.sent, relayed.set_aside), (23, 0, 2));
        assert!(world.state().conversions.is_empty());
    }

    #[tokio::test]
    async fn failed_records_are_reported_in_their_order() {
        let everything = (0..25).map(|call| (call, Trouble::Before)).collect();
        let (_, relayed) = relay_with(everything).await;
        assert_eq!(relayed.failed, (0..25).map(|at| at.to_string()).collect::<Vec<_>>());
    }
}
