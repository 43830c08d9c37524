//! The dead-letter queues, to look at and to empty.

use std::collections::BTreeMap;

use domain::jiff::Timestamp;

use super::Unavailable;

/// A queue of messages that could not be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeadLetterQueue {
    /// Accepted postbacks that could not be converted.
    Conversion,
    /// Conversions that GG3 received twenty times and never deleted.
    Gg3Conversions,
    /// Events that are malformed or failed twenty times.
    Gg3Events,
    /// First attempts of webhooks that failed twenty times to be made.
    Webhooks,
    /// Resends of webhooks that failed twenty times to be made.
    WebhookRetries,
    /// Changes that cannot be read for the lookups.
    Lookup,
}

impl DeadLetterQueue {
    /// All queues.
    pub const ALL: [Self; 6] =
        [Self::Conversion, Self::Gg3Conversions, Self::Gg3Events, Self::Webhooks, Self::WebhookRetries, Self::Lookup];

    /// Returns the queue's name, without the stack's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conversion => "conversion-dead-letters",
            Self::Gg3Conversions => "gg3-conversions-dead-letters",
            Self::Gg3Events => "gg3-events-dead-letters",
            Self::Webhooks => "webhooks-dead-letters",
            Self::WebhookRetries => "webhook-retries-dead-letters",
            Self::Lookup => "lookup-dead-letters",
        }
    }

    /// Returns the name of the queue from which its messages are processed again, without the stack's name.
    pub fn source(self) -> &'static str {
        match self {
            // The records came from a stream, into which nobody can put one back.
            Self::Conversion => "conversion-retries",
            Self::Gg3Conversions => "gg3-conversions",
            Self::Gg3Events => "gg3-events",
            Self::Webhooks => "webhooks",
            Self::WebhookRetries => "webhook-retries",
            Self::Lookup => "lookup-retries",
        }
    }
}

/// A message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue's name for the message.
    pub message_id: String,
    /// The instant at which the message was set aside.
    pub sent_at: Option<Timestamp>,
    /// How often the letter was received, including this time.
    pub received: Option<u32>,
    /// The message group.
    pub group: Option<String>,
    /// The attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// The body.
    pub body: String,
}

/// An attribute of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The data type, as in `String`.
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// A text or a number.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl DeadLetter {
    /// The attribute in which our functions say why they set a message aside.
    pub const REASON: &str = "reason";

    /// Returns an attribute that is a text or a number.
    pub fn text(&self, name: &str) -> Option<&str> {
        match &self.attributes.get(name)?.value {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Bytes(_) => None,
        }
    }

    /// Returns the reason for which the message was set aside, if it has one.
    pub fn reason(&self) -> Option<&str> {
        self.text(Self::REASON)
    }
}

/// A received dead letter, which is hidden from others for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedLetter {
    /// The letter.
    pub letter: DeadLetter,
    /// The queue's handle of the letter. Only the port that made it can read it.
    pub handle: String,
}

/// The dead-letter queues.
pub trait DeadLetterQueues: Send + Sync {
    /// Returns about how many messages a queue holds, including hidden ones, or none if the stack lacks the queue.
    fn depth(&self, queue: DeadLetterQueue) -> impl Future<Output = Result<Option<usize>, Unavailable>> + Send;

    /// Receives at most this many letters and hides them from others for this many seconds. MUST return none only if all
    /// letters are hidden.
    fn receive(
        &self,
        queue: DeadLetterQueue,
        most: usize,
        hidden_seconds: u16,
    ) -> impl Future<Output = Result<Vec<ReceivedLetter>, Unavailable>> + Send;

    /// Makes these letters visible again. MUST return `Ok` only if all of them are visible.
    fn put_back(
        &self,
        queue: DeadLetterQueue,
        letters: &[ReceivedLetter],
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Sends a letter to [`DeadLetterQueue::source`] with its body, attributes and group. MUST return `Ok` only if that queue
    /// has taken it.
    fn send_on(
        &self,
        queue: DeadLetterQueue,
        letter: &DeadLetter,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Deletes a received letter.
    fn delete(
        &self,
        queue: DeadLetterQueue,
        letter: &ReceivedLetter,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
