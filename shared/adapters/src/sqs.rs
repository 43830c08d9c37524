//! Implements the ports on SQS.

mod dead_letter_queues;

use app::ports::{ConversionQueue, DeadLetter, DeadLetters, EventQueue, ResendQueue, Unavailable, WebhookQueue};
use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, SendMessageBatchRequestEntry},
};
use domain::{
    inbound::conversion::Conversion,
    outbound::{delivery::Message, retry::MAX_HOP_SECONDS},
};
use futures_util::{StreamExt, stream};
use serde::Serialize;

pub use self::dead_letter_queues::{SqsDeadLetterQueues, SqsNames};
use crate::aws::unavailable;

const SEND_CONVERSIONS: &str = "SQS SendMessageBatch gg3-conversions";
const SEND_EVENT: &str = "SQS SendMessage gg3-events";
const SEND_WEBHOOKS: &str = "SQS SendMessageBatch webhooks";
const SEND_RESEND: &str = "SQS SendMessage webhook-retries";
const SET_ASIDE: &str = "SQS SendMessage dead letters";

/// Limits the messages of one request, as SQS does.
const BATCH: usize = 10;
/// Limits the concurrent requests. Ten requests carry a hundred messages.
const REQUESTS_AT_ONCE: usize = 10;

/// Implements [`ConversionQueue`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsConversions {
    client: Client,
    queue_url: String,
}

impl SqsConversions {
    /// Uses the queue with this URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl ConversionQueue for SqsConversions {
    async fn send(&self, conversions: &[Conversion]) -> Vec<Result<(), Unavailable>> {
        let queue = Queue { client: &self.client, url: &self.queue_url, service: SEND_CONVERSIONS };
        queue.send(conversions, |_| None).await
    }
}

/// Implements [`EventQueue`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsEvents {
    client: Client,
    queue_url: String,
}

impl SqsEvents {
    /// Uses the queue with this URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl EventQueue for SqsEvents {
    async fn send(&self, message: &str) -> Result<(), Unavailable> {
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(message).send();
        send.await.map(|_| ()).map_err(unavailable(SEND_EVENT))
    }
}

/// Implements [`WebhookQueue`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsWebhooks {
    client: Client,
    queue_url: String,
}

impl SqsWebhooks {
    /// Uses the queue with this URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl WebhookQueue for SqsWebhooks {
    /// Groups messages by partner, so that the queue is fair between partners.
    async fn send(&self, messages: &[Message]) -> Vec<Result<(), Unavailable>> {
        let queue = Queue { client: &self.client, url: &self.queue_url, service: SEND_WEBHOOKS };
        queue.send(messages, |message| Some(message.provider.as_str())).await
    }
}

/// Implements [`ResendQueue`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsResends {
    client: Client,
    queue_url: String,
}

impl SqsResends {
    /// Uses the queue with this URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl ResendQueue for SqsResends {
    /// Groups messages by partner, so that the queue is fair between partners.
    async fn send(&self, message: &Message, delay_seconds: u16) -> Result<(), Unavailable> {
        let refused = |reason: &str| Unavailable { service: SEND_RESEND, reason: reason.to_owned() };
        // SQS refuses a longer delay, but the local stack accepts it.
        if delay_seconds > MAX_HOP_SECONDS {
            return Err(refused("the delay exceeds 900 seconds"));
        }
        let body = serde_json::to_string(message).map_err(|_| refused("the request could not be made"))?;
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        let send = send.delay_seconds(delay_seconds.into()).message_group_id(message.provider.as_str());
        send.send().await.map(|_| ()).map_err(unavailable(SEND_RESEND))
    }
}

/// Holds a queue and the name of the operation on it.
#[derive(Clone, Copy)]
struct Queue<'a> {
    client: &'a Client,
    url: &'a str,
    service: &'static str,
}

impl Queue<'_> {
    /// Sends each item as JSON, in requests as large as SQS accepts. Returns one result for each item, in order.
    async fn send<T: Serialize>(
        self,
        messages: &[T],
        group: impl Fn(&T) -> Option<&str>,
    ) -> Vec<Result<(), Unavailable>> {
        let requests: Vec<_> = messages.chunks(BATCH).map(|batch| self.send_batch(batch, &group)).collect();
        stream::iter(requests).buffered(REQUESTS_AT_ONCE).concat().await
    }

    /// Sends one request. If the whole request fails, every entry has failed.
    async fn send_batch<T: Serialize>(
        self,
        batch: &[T],
        group: impl Fn(&T) -> Option<&str>,
    ) -> Vec<Result<(), Unavailable>> {
        let sent = self.request(batch, group).await;
        sent.unwrap_or_else(|unavailable| batch.iter().map(|_| Err(unavailable.clone())).collect())
    }

    async fn request<T: Serialize>(
        self,
        batch: &[T],
        group: impl Fn(&T) -> Option<&str>,
    ) -> Result<Vec<Result<(), Unavailable>>, Unavailable> {
        let refused = |reason: String| Unavailable { service: self.service, reason };
        let mut entries = Vec::with_capacity(batch.len());
        for (at, message) in batch.iter().enumerate() {
            let body = serde_json::to_string(message).map_err(|fault| refused(fault.to_string()))?;
            let entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(body);
            let entry = entry.set_message_group_id(group(message).map(str::to_owned)).build();
            entries.push(entry.map_err(|fault| refused(fault.to_string()))?);
        }
        let send = self.client.send_message_batch().queue_url(self.url).set_entries(Some(entries));
        let answer = Box::pin(send.send()).await.map_err(unavailable(self.service))?;
        // Only entries that the answer names as successful were sent. An entry that the answer leaves out has failed.
        let taken = |at: usize| answer.successful.iter().any(|entry| entry.id == at.to_string());
        let why = |at: usize| {
            let failed = answer.failed.iter().find(|entry| entry.id == at.to_string());
            refused(failed.map_or("the answer leaves out the entry", |entry| entry.code.as_str()).to_owned())
        };
        Ok((0..batch.len()).map(|at| if taken(at) { Ok(()) } else { Err(why(at)) }).collect())
    }
}

/// Implements [`DeadLetters`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    queue_url: String,
}

impl SqsDeadLetters {
    /// Uses the queue with this URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

/// Returns the text in a form that SQS accepts. SQS refuses characters that XML lacks. Each of these characters is
/// replaced by its JSON escape, which means the same inside a JSON text.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn sendable(text: &str) -> String {
    let mut sendable = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => sendable.push(c),
            c => sendable.extend([format!("\\u{:04x}", u32::from(c))]),
        }
    }
    sendable
}

impl DeadLetters for SqsDeadLetters {
    async fn set_aside(&self, whole: &str, reason: &str) -> Result<(), Unavailable> {
        let reason = MessageAttributeValue::builder().data_type("String").string_value(sendable(reason)).build();
        let reason =
            reason.map_err(|_| Unavailable { service: SET_ASIDE, reason: "the request could not be made".into() })?;
        let send = self
            .client
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(sendable(whole))
            .message_attributes(DeadLetter::REASON, reason);
        send.send().await.map(|_| ()).map_err(unavailable(SET_ASIDE))
    }
}

#[cfg(test)]
mod tests {
    use super::sendable;

    #[test]
    fn characters_that_sqs_refuses_become_json_escapes() {
        let text = "a\u{ffff}\u{fffe}é😀\t";
        assert_eq!(sendable(text), "a\\uffff\\ufffeé😀\t");
        let json = format!("\"{}\"", sendable("a\u{ffff}é"));
        assert_eq!(serde_json::from_str::<String>(&json).ok().as_deref(), Some("a\u{ffff}é"));
    }
}
