//! Builds the batches that Lambda receives from SQS, [as documented].
//!
//! [as documented]: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::default_instant;

/// Describes one message of a batch.
#[derive(Debug, Clone)]
pub struct Message {
    body: String,
    id: Option<String>,
    receive_count: u32,
    sent: Timestamp,
    group: Option<String>,
    attributes: Map<String, Value>,
}

impl Message {
    /// Makes a message with this body, received for the first time.
    pub fn new(body: impl Into<String>) -> Self {
        Self {
            body: body.into(),
            id: None,
            receive_count: 1,
            sent: default_instant(),
            group: None,
            attributes: Map::new(),
        }
    }

    /// Sets the message id, which the function names if the message fails. By default the id is derived from the
    /// message's place in the batch.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets how often the message has been received, including this time.
    #[must_use]
    pub fn receive_count(mut self, count: u32) -> Self {
        self.receive_count = count;
        self
    }

    /// Sets the time at which the message was sent to the queue.
    #[must_use]
    pub fn sent(mut self, at: Timestamp) -> Self {
        self.sent = at;
        self
    }

    /// Sets the message group. A fair queue shares its capacity between groups.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Adds a message attribute of type String.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        let attribute =
            json!({"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"});
        self.attributes.insert(name.into(), attribute);
        self
    }

    fn record(self, queue: &str, place: usize) -> Value {
        let sent = self.sent.as_millisecond();
        let mut attributes = json!({
            "ApproximateReceiveCount": self.receive_count.to_string(),
            "SentTimestamp": sent.to_string(),
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            // A polled queue delivers a message some milliseconds after it was sent.
            "ApproximateFirstReceiveTimestamp": (sent + 12).to_string(),
        });
        if let (Some(group), Value::Object(attributes)) = (self.group, &mut attributes) {
            attributes.insert("MessageGroupId".into(), group.into());
        }
        json!({
            "messageId": self.id.unwrap_or_else(|| format!("059f36b4-87a3-44ab-83d2-{:012x}", place + 1)),
            "receiptHandle": format!("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a{}", place + 1),
            "body": self.body,
            "attributes": attributes,
            "messageAttributes": self.attributes,
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}"),
            "awsRegion": "us-east-1",
        })
    }
}

/// Returns one batch of the queue with this name. `md5OfBody` is always that of the documentation's sample, because
/// Lambda checks it before it calls a function and no function reads it.
pub fn queue_event(queue: &str, messages: impl IntoIterator<Item = Message>) -> Value {
    let records: Vec<_> =
        messages.into_iter().enumerate().map(|(place, message)| message.record(queue, place)).collect();
    json!({"Records": records})
}
