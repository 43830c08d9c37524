//! The ports on SQS.

mod dead_letter_queues;

use app::ports::{ConversionQueue, DeadLetter, DeadLetters, ResendQueue, Unavailable, WebhookQueue};
use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, SendMessageBatchRequestEntry},
};
use domain::{conversion::Conversion, delivery::Message, retry::MAX_HOP_SECONDS};
use futures_util::{StreamExt, stream};
use serde::Serialize;

pub use self::dead_letter_queues::{SqsDeadLetterQueues, SqsNames};
use crate::aws::unavailable;

const SEND_CONVERSIONS: &str = "SQS SendMessageBatch gg3-conversions";
const SEND_WEBHOOKS: &str = "SQS SendMessageBatch webhooks";
const SEND_RESEND: &str = "SQS SendMessage webhook-retries";
const SET_ASIDE: &str = "SQS SendMessage dead letters";

/// How many messages one request carries.
const BATCH: usize = 10;
/// How many requests are under way at the same time: all of a hundred messages'.
const REQUESTS_AT_ONCE: usize = 10;

/// [`ConversionQueue`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsConversions {
    client: Client,
    queue_url: String,
}

impl SqsConversions {
    /// The queue with this URL.
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

/// [`WebhookQueue`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsWebhooks {
    client: Client,
    queue_url: String,
}

impl SqsWebhooks {
    /// The queue with this URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl WebhookQueue for SqsWebhooks {
    /// Grouped by partner, so that the queue is fair between them.
    async fn send(&self, messages: &[Message]) -> Vec<Result<(), Unavailable>> {
        let queue = Queue { client: &self.client, url: &self.queue_url, service: SEND_WEBHOOKS };
        queue.send(messages, |message| Some(message.provider.as_str())).await
    }
}

/// [`ResendQueue`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsResends {
    client: Client,
    queue_url: String,
}

impl SqsResends {
    /// The queue with this URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl ResendQueue for SqsResends {
    /// Grouped by partner, so that the queue is fair between them.
    async fn send(&self, message: &Message, delay_seconds: u16) -> Result<(), Unavailable> {
        let refused = |reason: &str| Unavailable { service: SEND_RESEND, reason: reason.to_owned() };
        // More than that SQS would not take, and the local stack's would.
        if delay_seconds > MAX_HOP_SECONDS {
            return Err(refused("a delay is at most 900 seconds"));
        }
        let body = serde_json::to_string(message).map_err(|_| refused("the request could not be made"))?;
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        let send = send.delay_seconds(delay_seconds.into()).message_group_id(message.provider.as_str());
        send.send().await.map(|_| ()).map_err(unavailable(SEND_RESEND))
    }
}

/// Where messages are sent, and what that is called.
#[derive(Clone, Copy)]
struct Queue<'a> {
    client: &'a Client,
    url: &'a str,
    service: &'static str,
}

impl Queue<'_> {
    /// Sends each as JSON, as many in a request as SQS takes; one result for each, in order.
    async fn send<T: Serialize>(
        self,
        messages: &[T],
        group: impl Fn(&T) -> Option<&str>,
    ) -> Vec<Result<(), Unavailable>> {
        let requests: Vec<_> = messages.chunks(BATCH).map(|batch| self.send_batch(batch, &group)).collect();
        stream::iter(requests).buffered(REQUESTS_AT_ONCE).concat().await
    }

    /// One request, which may fail as a whole.
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
        // Only what the answer names as taken was taken: silence about an entry is a failure too.
        let taken = |at: usize| answer.successful.iter().any(|entry| entry.id == at.to_string());
        let why = |at: usize| {
            let failed = answer.failed.iter().find(|entry| entry.id == at.to_string());
            refused(failed.map_or("the entry was not answered", |entry| entry.code.as_str()).to_owned())
        };
        Ok((0..batch.len()).map(|at| if taken(at) { Ok(()) } else { Err(why(at)) }).collect())
    }
}

/// [`DeadLetters`] on a queue.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    queue_url: String,
}

impl SqsDeadLetters {
    /// The queue with this URL.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

/// SQS refuses a message with a character that XML has not. What is set aside may hold any: such a character becomes its
/// JSON escape, which means the same inside a JSON text.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn sendable(text: &str) -> String {
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if legal(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect()
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
    fn what_sqs_cannot_carry_is_escaped_as_json_does_and_means_the_same() {
        let text = "a\u{ffff}\u{fffe}é😀\t";
        assert_eq!(sendable(text), "a\\uffff\\ufffeé😀\t");
        let json = format!("\"{}\"", sendable("a\u{ffff}é"));
        assert_eq!(serde_json::from_str::<String>(&json).ok().as_deref(), Some("a\u{ffff}é"));
    }
}
