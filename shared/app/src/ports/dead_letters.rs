//! Reads and empties dead-letter queues.

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
    /// Events whose tracking attributes their user to nobody.
    BrokenLinks,
    /// Events of unknown types.
    UnknownTypes,
    /// Messages for first attempts of webhooks that could not be processed in twenty tries.
    Webhooks,
    /// Messages for resends of webhooks that could not be processed in twenty tries.
    WebhookRetries,
    /// Changes of tables that `lookup-writer` cannot read.
    Lookup,
}

impl DeadLetterQueue {
    /// All queues.
    pub const ALL: [Self; 8] = [
        Self::Conversion,
        Self::Gg3Conversions,
        Self::Gg3Events,
        Self::BrokenLinks,
        Self::UnknownTypes,
        Self::Webhooks,
        Self::WebhookRetries,
        Self::Lookup,
    ];

    /// Returns the queue's name without the stack's name in front.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conversion => "conversion-dead-letters",
            Self::Gg3Conversions => "gg3-conversions-dead-letters",
            Self::Gg3Events => "gg3-events-dead-letters",
            Self::BrokenLinks => "gg3-events-broken-links",
            Self::UnknownTypes => "gg3-events-unknown-types",
            Self::Webhooks => "webhooks-dead-letters",
            Self::WebhookRetries => "webhook-retries-dead-letters",
            Self::Lookup => "lookup-dead-letters",
        }
    }

    /// Returns false for messages that are kept only to be looked at: the events of a broken link, which counted
    /// otherwise, and of types that a later version may know.
    pub fn needs_a_hand(self) -> bool {
        !matches!(self, Self::BrokenLinks | Self::UnknownTypes)
    }

    /// Returns the name, without the stack's name, of the queue to which dead letters are sent to be processed again.
    pub fn source(self) -> &'static str {
        match self {
            // The records came from a stream, and a record cannot be put back into a stream.
            Self::Conversion => "conversion-retries",
            Self::Gg3Conversions => "gg3-conversions",
            Self::Gg3Events | Self::BrokenLinks | Self::UnknownTypes => "gg3-events",
            Self::Webhooks => "webhooks",
            Self::WebhookRetries => "webhook-retries",
            Self::Lookup => "lookup-retries",
        }
    }
}

/// A message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id that the queue gave the message.
    pub message_id: String,
    /// The instant at which the message was set aside.
    pub sent_at: Option<Timestamp>,
    /// The number of times that the letter was received, including this time.
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

    /// Returns the reason why the message was set aside, if the message has one.
    pub fn reason(&self) -> Option<&str> {
        self.text(Self::REASON)
    }
}

/// A received dead letter. It is hidden from other receivers for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedLetter {
    /// The letter.
    pub letter: DeadLetter,
    /// The queue's handle of the letter. Only the port that made the handle can read it.
    pub handle: String,
}

/// The dead-letter queues.
pub trait DeadLetterQueues: Send + Sync {
    /// Returns the approximate number of messages in a queue, including hidden messages, or `None` if the stack does
    /// not have the queue.
    fn depth(&self, queue: DeadLetterQueue) -> impl Future<Output = Result<Option<usize>, Unavailable>> + Send;

    /// Receives at most this many letters and hides them from other receivers for this many seconds. MUST return at
    /// least one letter if the queue has a letter that is not hidden.
    fn receive(
        &self,
        queue: DeadLetterQueue,
        most: usize,
        hidden_seconds: u16,
    ) -> impl Future<Output = Result<Vec<ReceivedLetter>, Unavailable>> + Send;

    /// Makes these letters visible again. MUST return `Ok` only if all letters are visible.
    fn put_back(
        &self,
        queue: DeadLetterQueue,
        letters: &[ReceivedLetter],
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Sends a letter to [`DeadLetterQueue::source`] with its body, attributes and group. MUST return `Ok` only if that
    /// queue has taken it.
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
