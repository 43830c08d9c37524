//! Builds the batches that Lambda receives from a DynamoDB stream, [as documented]. Items are in DynamoDB's JSON, such
//! as `{"pk": {"S": "a"}}`.
//!
//! [as documented]: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::default_instant;

/// Holds the first sequence number of a batch whose changes set none. It is as long as DynamoDB's.
const FIRST_SEQUENCE_NUMBER: u128 = 4_421_584_500_000_000_017_450_439_091;

/// Describes a change of an item.
#[derive(Debug, Clone)]
pub struct Change {
    name: &'static str,
    keys: Value,
    old: Option<Value>,
    new: Option<Value>,
    expired: bool,
    sequence_number: Option<String>,
    at: Timestamp,
}

impl Change {
    /// Makes the change that inserts an item.
    pub fn insert(keys: Value, new: Value) -> Self {
        Self::of("INSERT", keys, None, Some(new))
    }

    /// Makes the change that overwrites an item.
    pub fn modify(keys: Value, old: Value, new: Value) -> Self {
        Self::of("MODIFY", keys, Some(old), Some(new))
    }

    /// Makes the change that deletes an item.
    pub fn remove(keys: Value, old: Value) -> Self {
        Self::of("REMOVE", keys, Some(old), None)
    }

    /// Makes the change that the stream reports when DynamoDB deletes an expired item.
    pub fn expire(keys: Value, old: Value) -> Self {
        Self { expired: true, ..Self::remove(keys, old) }
    }

    /// Sets the sequence number, which the function names if the change fails. By default the number is derived from
    /// the change's place in the batch.
    #[must_use]
    pub fn sequence_number(mut self, number: &str) -> Self {
        self.sequence_number = Some(number.into());
        self
    }

    /// Sets the time of the change. Streams report whole seconds.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    fn of(name: &'static str, keys: Value, old: Option<Value>, new: Option<Value>) -> Self {
        Self { name, keys, old, new, expired: false, sequence_number: None, at: default_instant() }
    }

    fn record(self, table: &str, place: u128) -> Value {
        let number = self.sequence_number.unwrap_or_else(|| (FIRST_SEQUENCE_NUMBER + place).to_string());
        // DynamoDB counts slightly less than the JSON's length. No function reads this number.
        let images = [Some(&self.keys), self.old.as_ref(), self.new.as_ref()];
        let size: usize = images.into_iter().flatten().map(|image| image.to_string().len()).sum();
        let mut change = Map::from_iter([
            ("ApproximateCreationDateTime".into(), json!(self.at.as_second())),
            ("Keys".into(), self.keys),
            ("SequenceNumber".into(), json!(number)),
            ("SizeBytes".into(), json!(size)),
            ("StreamViewType".into(), json!("NEW_AND_OLD_IMAGES")),
        ]);
        change.extend(self.new.map(|image| ("NewImage".into(), image)));
        change.extend(self.old.map(|image| ("OldImage".into(), image)));
        let mut record = json!({
            "eventID": format!("{:032x}", 0xc4ca_4238_a0b9_2382_0dcc_509a_6f75_849b_u128 + place),
            "eventName": self.name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": change,
            "eventSourceARN":
                format!("arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/2026-11-23T00:00:00.000"),
        });
        if let (true, Value::Object(record)) = (self.expired, &mut record) {
            record.insert("userIdentity".into(), json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"}));
        }
        record
    }
}

/// Returns one batch of the stream of the table with this name, with new and old images.
pub fn stream_event(table: &str, changes: impl IntoIterator<Item = Change>) -> Value {
    let records: Vec<_> = (0..).zip(changes).map(|(place, change)| change.record(table, place)).collect();
    json!({"Records": records})
}
