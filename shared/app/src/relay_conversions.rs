//! Relays accepted postbacks from the stream of their table to GG3's quests, each at least once.
//!
//! A record that cannot be converted is set aside whole, and the other records are relayed. Only a failing queue holds
//! up the stream.

use std::collections::{BTreeSet, HashMap};

use domain::inbound::conversion::Conversion;

use crate::ports::{ConversionQueue, DeadLetters, RecordedRevisions, Unavailable};

/// The reason why a message that was put back is not converted if no recorded postback has its key.
pub const UNRECORDED: &str = "names no recorded postback or correction";

/// A message on the queue of records that operators put back.
///
/// Anybody who may send to that queue can write such a message, so only the key in the message is used. The conversion
/// is made from the postback that is recorded under the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// The message's id.
    pub id: String,
    /// The key of the postback or correction that the message names, or the reason why there is no key.
    pub key: Result<String, String>,
    /// The whole record, unchanged.
    pub whole: String,
}

/// Reads the recorded postbacks that these messages name. Leaves out the messages about erased persons, so that they are
/// deleted. If the read fails, every message must be redelivered.
pub async fn find_recorded(
    records: &impl RecordedRevisions,
    batch: Vec<PutBack>,
) -> Result<Vec<IncomingConversion>, Relayed> {
    let keys: BTreeSet<String> = batch.iter().filter_map(|message| message.key.clone().ok()).collect();
    let recorded = if keys.is_empty() { Ok(HashMap::new()) } else { records.recorded(&keys).await };
    let recorded = match recorded {
        Ok(recorded) => recorded,
        Err(unavailable) => {
            let failed = batch.into_iter().map(|message| message.id).collect();
            return Err(Relayed { failed, unavailable: Some(unavailable), ..Relayed::default() });
        }
    };
    let found = |key: String| recorded.get(&key).cloned().unwrap_or_else(|| Err(UNRECORDED.to_owned()));
    let incoming = |PutBack { id, key, whole }| {
        let revision = key.and_then(found);
        // GG3 is told nothing about an erased person, and the message names the person.
        let is_erased = revision.as_ref().is_ok_and(|revision| revision.postback().is_erased());
        (!is_erased).then(|| IncomingConversion { id, conversion: revision.map(Conversion::from), whole })
    };
    Ok(batch.into_iter().filter_map(incoming).collect())
}

/// A record of the stream, or a record that was set aside and put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingConversion {
    /// The sequence number or the message id. It identifies the record if the record must be redelivered.
    pub id: String,
    /// The conversion, or the reason why the record cannot be converted.
    pub conversion: Result<Conversion, String>,
    /// The whole record, unchanged.
    pub whole: String,
}

/// The result of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relayed {
    /// The ids of the records that must be redelivered, in the order of arrival.
    pub failed: Vec<String>,
    /// How many conversions the queue took.
    pub sent: usize,
    /// How many records were set aside.
    pub set_aside: usize,
    /// The first fault, for the log.
    pub unavailable: Option<Unavailable>,
}

/// Relays a batch. Sends all conversions in one call, so that a queue that is down costs only one timeout.
pub async fn relay(
    queue: &impl ConversionQueue,
    dead_letters: &impl DeadLetters,
    batch: Vec<IncomingConversion>,
) -> Relayed {
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

    use domain::{
        inbound::{
            click::ClickOrigin,
            conversion::{Receipt, RecordedPostback},
            postback::{Content, Extra, Postback},
        },
        values::ids::{Provider, ReceiptId, TransactionId, TransactionKey},
    };

    use super::*;
    use crate::memory::{Trouble, World, lookup_key};

    fn recorded(transaction: &str) -> RecordedPostback {
        let content: Content = serde_json::from_value(serde_json::json!({
            "user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": "1.50",
        }))
        .unwrap();
        let transaction_id = TransactionId::new(transaction).unwrap();
        let postback = Postback {
            provider: Provider::new("acme").unwrap(),
            transaction_id: transaction_id.clone(),
            content,
            click: ClickOrigin::Foreign,
            state: None,
            reference: None,
            extra: Extra::default(),
            erased: None,
        };
        let receipt = Receipt {
            transaction_id,
            receipt_id: ReceiptId::from_random([1; 16]),
            received_at: "2026-11-23T12:00:00Z".parse().unwrap(),
            ignored: Vec::new(),
            state: None,
            original_receipt_id: None,
        };
        RecordedPostback { postback, receipt, reversed: None }
    }

    fn conversion(transaction: usize) -> Conversion {
        let json = serde_json::json!({
            "schema_version": 1, "type": "conversion.accepted", "provider": "acme", "click": "foreign",
            "transaction_id": transaction.to_string(), "receipt_id": "r", "received_at": "2026-11-23T12:00:00Z",
            "user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": "1.50",
        });
        serde_json::from_value(json).unwrap()
    }

    /// Returns 25 records. The 4th and the 20th cannot be read.
    fn batch() -> Vec<IncomingConversion> {
        let readable = |at: usize| if at == 3 || at == 19 { Err("unreadable".to_owned()) } else { Ok(conversion(at)) };
        let incoming = |at: usize| IncomingConversion {
            id: at.to_string(),
            conversion: readable(at),
            whole: format!("whole {at}"),
        };
        (0..25).map(incoming).collect()
    }

    async fn relay_with(trouble: BTreeMap<usize, Trouble>) -> (World, Relayed) {
        let world = World::default();
        world.state().trouble = trouble;
        let relayed = relay(&world, &world, batch()).await;
        (world, relayed)
    }

    fn put_back(key: Result<&str, &str>) -> PutBack {
        PutBack { id: format!("{key:?}"), key: key.map(str::to_owned).map_err(str::to_owned), whole: "whole".into() }
    }

    #[tokio::test]
    async fn a_message_becomes_what_is_recorded_under_its_key() {
        let world = World::default();
        let recorded = recorded("t1");
        let [t1, t2] =
            ["t1", "t2"].map(|id| TransactionKey::of(&recorded.postback.provider, &TransactionId::new(id).unwrap()));
        let batch = vec![put_back(Ok(&lookup_key(&t1, 0))), put_back(Ok(&lookup_key(&t2, 0))), put_back(Err("no key"))];
        world.state().postbacks.insert(t1, recorded.clone());
        let incoming = find_recorded(&world, batch).await.unwrap();
        let conversions: Vec<_> = incoming.into_iter().map(|incoming| incoming.conversion).collect();
        assert_eq!(conversions, [Ok(recorded.into()), Err(UNRECORDED.to_owned()), Err("no key".to_owned())]);
    }

    #[tokio::test]
    async fn messages_come_again_while_the_table_cannot_be_read() {
        let world = World::default();
        world.state().trouble = BTreeMap::from([(0, Trouble::Before)]);
        let failed = find_recorded(&world, vec![put_back(Ok("0#acme#t1")), put_back(Err("x"))]).await.unwrap_err();
        assert_eq!((failed.failed.len(), failed.sent + failed.set_aside), (2, 0));
        assert!(failed.unavailable.is_some() && world.state().dead_letters.is_empty());
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
