//! Reads batches of a queue message by message.

use domain::values::time::UnixMillis;
use serde::Deserialize;

use crate::now;

/// Holds a batch of a queue. The messages' bodies stay text, so that each is parsed by itself.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    #[serde(default)]
    sent_timestamp: Option<String>,
}

/// Holds one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Identifies the message in a [`BatchResponse`](crate::batch::BatchResponse).
    pub id: String,
    /// Holds the whole body.
    pub body: String,
    /// Says when SQS received the message. If SQS does not say when, holds the present instant.
    pub received_at: UnixMillis,
}

impl Batch {
    /// Returns the messages in order.
    pub fn messages(self) -> impl Iterator<Item = Message> {
        self.records.into_iter().map(|record| {
            let sent = record.attributes.sent_timestamp.and_then(|text| text.parse().ok());
            let received_at = sent.map_or_else(|| now().into(), UnixMillis::from_millisecond);
            Message { id: record.message_id, body: record.body, received_at }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_body_and_the_instant_sqs_received_it() {
        let batch: Batch = serde_json::from_str(include_str!("../fixtures/sqs.json")).unwrap();
        let messages: Vec<Message> = batch.messages().collect();
        assert_eq!(messages[0].body, "{\"x\":1}");
        assert_eq!(messages[0].received_at, UnixMillis::from_millisecond(1_795_467_176_527));
    }
}
