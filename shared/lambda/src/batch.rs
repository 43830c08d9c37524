//! Batches of a stream or a queue, record by record: what cannot be read is one record's fault and never its batch's, and
//! what failed is reported so that it comes again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A batch of records, each kept as it came.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

/// Which records must come again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl BatchResponse {
    /// Each of these messages of a queue must come again.
    pub fn of_queue(failed: impl IntoIterator<Item = String>) -> Self {
        let failures = failed.into_iter().map(|item_identifier| Failure { item_identifier });
        Self { batch_item_failures: failures.collect() }
    }

    /// These must come again, given in the order they came. Of a stream only the lowest sequence number is reported:
    /// everything from there on comes again, in order.
    pub fn of(failed: Vec<String>, from_stream: bool) -> Self {
        Self::of_queue(failed.into_iter().take(if from_stream { 1 } else { usize::MAX }))
    }
}

/// A table's change: one record of its stream.
#[derive(Debug)]
pub struct Change {
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub name: String,
    /// The item's key, as DynamoDB writes it.
    pub keys: Option<Box<RawValue>>,
    /// The item as it is now.
    pub new: Option<Box<RawValue>>,
    /// The item as it was, where the stream says it.
    pub old: Option<Box<RawValue>>,
}

/// One record, read as far as it can be.
#[derive(Debug)]
pub struct Record {
    /// What it is called when it must come again: a sequence number or a message's id.
    pub id: String,
    /// Whether it comes from a stream itself, and not from a queue of records that are put back.
    pub from_stream: bool,
    /// The change that it speaks of, or why it cannot be read.
    pub change: Result<Change, String>,
    /// The whole record of the stream as it came.
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
}

impl Batch {
    /// Its records.
    pub fn records(&self) -> Vec<Record> {
        self.records.iter().map(|raw| Record::read(raw.get())).collect()
    }
}

impl Record {
    fn read(raw: &str) -> Self {
        let envelope = match serde_json::from_str::<Envelope>(raw) {
            Ok(envelope) => envelope,
            Err(fault) => return Self::unreadable(raw, fault.to_string()),
        };
        if let (Some(id), Some(body)) = (envelope.message_id, envelope.body) {
            return Self { id, from_stream: false, ..Self::read(&body) };
        }
        let Some(StreamRecord { sequence_number, keys, new_image, old_image }) = envelope.dynamodb else {
            return Self::unreadable(raw, "neither a stream's record nor a queue's message".to_owned());
        };
        let name = envelope.event_name.unwrap_or_default();
        let change = Change { name, keys, new: new_image, old: old_image };
        Self { id: sequence_number, from_stream: true, change: Ok(change), whole: raw.to_owned() }
    }

    fn unreadable(raw: &str, reason: String) -> Self {
        Self { id: String::new(), from_stream: true, change: Err(reason), whole: raw.to_owned() }
    }
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
        assert!(change.new.unwrap().get().contains("amount_decimal"));
        assert!(STREAM.contains(&read.whole));
    }

    #[test]
    fn garbage_is_a_fault_of_its_own_record_and_not_of_its_batch() {
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
