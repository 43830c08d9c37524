//! Reads batches of a stream or a queue record by record. An unreadable record never makes a whole batch fail. The
//! response names the failed records, and Lambda delivers these records again.

use domain::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Holds the records of a batch, each as raw JSON.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

/// Reports to Lambda which records to deliver again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<FailedItem>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedItem {
    item_identifier: String,
}

impl BatchResponse {
    /// Returns a response after which Lambda delivers each of these messages of a queue again.
    pub fn of_queue(failed: impl IntoIterator<Item = String>) -> Self {
        let failures = failed.into_iter().map(|item_identifier| FailedItem { item_identifier });
        Self { batch_item_failures: failures.collect() }
    }

    /// Returns a response after which Lambda delivers these records again. They must be given in the order of arrival.
    /// For a stream the response names only the first record, because Lambda repeats all records from that one on.
    pub fn of(failed: Vec<String>, from_stream: bool) -> Self {
        Self::of_queue(failed.into_iter().take(if from_stream { 1 } else { usize::MAX }))
    }
}

/// Describes one change of a table, as its stream reports it.
#[derive(Debug)]
pub struct Change {
    /// Holds `INSERT`, `MODIFY` or `REMOVE`.
    pub name: String,
    /// Holds the item's key as DynamoDB's JSON.
    pub keys: Option<Box<RawValue>>,
    /// Holds the item after the change.
    pub new: Option<Box<RawValue>>,
    /// Holds the item before the change, if the stream includes it.
    pub old: Option<Box<RawValue>>,
    /// Says when the change was made, to the second.
    pub at: Option<Timestamp>,
}

/// Holds one record, read as far as possible.
#[derive(Debug)]
pub struct Record {
    /// Identifies the record in a [`BatchResponse`]: a sequence number or a message id. The identifier of an unreadable
    /// record is empty. If the response names an empty identifier, Lambda repeats the whole batch.
    pub id: String,
    /// Is true for a record from the stream itself and for an unreadable record. Is false for a record that an operator
    /// put back on a queue.
    pub from_stream: bool,
    /// Holds the change, or the reason why it cannot be read.
    pub change: Result<Change, String>,
    /// Holds the whole stream record as it came.
    pub whole: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    message_id: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    event_name: Option<String>,
    #[serde(default)]
    dynamodb: Option<StreamRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRecord {
    #[serde(default)]
    sequence_number: String,
    #[serde(default)]
    keys: Option<Box<RawValue>>,
    #[serde(default)]
    new_image: Option<Box<RawValue>>,
    #[serde(default)]
    old_image: Option<Box<RawValue>>,
    /// Holds Unix seconds. AWS writes a number that may have decimals.
    #[serde(default)]
    approximate_creation_date_time: Option<Box<RawValue>>,
}

impl Batch {
    /// Returns the records, including unreadable ones.
    pub fn records(&self) -> Vec<Record> {
        self.records.iter().map(|raw| Record::read(raw.get())).collect()
    }
}

impl Record {
    /// Returns true if no record of the batch came from a queue.
    pub fn are_of_stream(records: &[Self]) -> bool {
        records.iter().all(|record| record.from_stream)
    }

    fn read(raw: &str) -> Self {
        let envelope = match serde_json::from_str::<Envelope>(raw) {
            Ok(envelope) => envelope,
            Err(fault) => return Self::unreadable(raw, fault.to_string()),
        };
        if let (Some(id), Some(body)) = (envelope.message_id, envelope.body) {
            return Self { id, from_stream: false, ..Self::read(&body) };
        }
        let Some(record) = envelope.dynamodb else {
            return Self::unreadable(raw, "the record is neither a stream record nor a queue message".to_owned());
        };
        let name = envelope.event_name.unwrap_or_default();
        let StreamRecord { sequence_number, keys, new_image, old_image, approximate_creation_date_time } = record;
        let at = approximate_creation_date_time.and_then(|seconds| second(seconds.get()));
        let change = Change { name, keys, new: new_image, old: old_image, at };
        Self { id: sequence_number, from_stream: true, change: Ok(change), whole: raw.to_owned() }
    }

    fn unreadable(raw: &str, reason: String) -> Self {
        Self { id: String::new(), from_stream: true, change: Err(reason), whole: raw.to_owned() }
    }
}

/// Parses Unix seconds and drops the decimals.
fn second(text: &str) -> Option<Timestamp> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    Timestamp::from_second(whole.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(batch: &str) -> Vec<Record> {
        serde_json::from_str::<Batch>(batch).unwrap().records()
    }

    #[test]
    fn a_record_keeps_its_sequence_number_its_images_and_itself() {
        const STREAM: &str = include_str!("../fixtures/stream-insert.json");
        let read = records(STREAM).remove(0);
        assert_eq!((read.id.as_str(), read.from_stream), ("000000017954671764880000000001", true));
        let change = read.change.unwrap();
        assert_eq!((change.name.as_str(), change.old.is_none()), ("INSERT", true));
        assert_eq!(change.at, Timestamp::from_second(1_795_467_176).ok());
        assert!(change.new.unwrap().get().contains("amount_decimal"));
        assert!(STREAM.contains(&read.whole));
    }

    #[test]
    fn the_time_of_a_change_may_have_decimals() {
        for (text, expected) in [("7", Some(7)), ("7.25", Some(7)), ("7E9", None), ("null", None), ("\"7\"", None)] {
            assert_eq!(second(text).map(Timestamp::as_second), expected, "{text}");
        }
    }

    #[test]
    fn an_unreadable_record_does_not_fail_its_batch() {
        for garbage in ["1", "\"x\"", "{}", "{\"messageId\":\"m\",\"body\":\"}\"}", "{\"dynamodb\":7}", "[]"] {
            let read = records(&format!("{{\"Records\":[{garbage}]}}"));
            assert!(read[0].change.is_err(), "{garbage}");
        }
    }

    #[test]
    fn a_stream_reports_its_lowest_failure_and_a_queue_every_one() {
        let failed = || vec!["1".to_owned(), "2".to_owned()];
        let json = |response: BatchResponse| serde_json::to_string(&response).unwrap();
        assert_eq!(json(BatchResponse::of(failed(), true)), r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#);
        assert_eq!(BatchResponse::of(failed(), false).batch_item_failures.len(), 2);
        assert_eq!(BatchResponse::of(Vec::new(), true), BatchResponse::default());
    }
}
