//! Batches of a queue, message by message.

use domain::values::time::UnixMillis;
use serde::Deserialize;

use crate::now;

/// A batch of a queue. Its messages' bodies are texts here, each read by itself.
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

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is called when it must come again.
    pub id: String,
    /// What it says, whole.
    pub body: String,
    /// When the queue received it. SQS always says so; if it did not, that would be now at the latest.
    pub received_at: UnixMillis,
}

impl Batch {
    /// Its messages, in order.
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
    fn a_message_is_taken_with_its_body_as_text_and_the_instant_that_sqs_received_it() {
        let batch: Batch = serde_json::from_str(include_str!("../fixtures/sqs.json")).unwrap();
        let messages: Vec<Message> = batch.messages().collect();
        assert_eq!(messages[0].body, "{\"x\":1}");
        assert_eq!(messages[0].received_at, UnixMillis::from_millisecond(1_795_467_176_527));
    }
}
