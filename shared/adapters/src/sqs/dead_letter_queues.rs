//! Implements [`DeadLetterQueues`] on a stack's queues, and finds the queues' URLs.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use app::ports::{
    Attribute, AttributeValue, DeadLetter, DeadLetterQueue, DeadLetterQueues, ReceivedLetter, Unavailable,
};
use aws_sdk_sqs::{
    Client,
    operation::get_queue_url::GetQueueUrlError,
    primitives::Blob,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue,
        MessageSystemAttributeName as SystemAttribute, QueueAttributeName,
    },
};
use domain::jiff::Timestamp;

use super::BATCH;
use crate::aws::unavailable;

const FIND: &str = "SQS GetQueueUrl";
const DEPTH: &str = "SQS GetQueueAttributes dead letters";
const RECEIVE: &str = "SQS ReceiveMessage dead letters";
const PUT_BACK: &str = "SQS ChangeMessageVisibilityBatch dead letters";
const SEND_ON: &str = "SQS SendMessage from dead letters";
const DELETE: &str = "SQS DeleteMessage dead letters";

/// Sets how long a receive waits, in seconds. If a receive waits, SQS asks all of its servers. An empty answer then
/// means that the queue is empty.
const WAIT_SECONDS: i32 = 1;

/// Finds the queues of a stack by name. The names leave out the stack's name. Asks for each URL once.
#[derive(Debug, Clone)]
pub struct SqsNames {
    client: Client,
    stack: String,
    urls: Arc<Mutex<HashMap<String, String>>>,
}

impl SqsNames {
    /// Uses the stack of this name.
    pub fn new(client: Client, stack: String) -> Self {
        Self { client, stack, urls: Arc::default() }
    }

    /// Returns the URL of a queue, or `None` if the stack has no such queue.
    pub async fn url(&self, name: &str) -> Result<Option<String>, Unavailable> {
        let known = self.urls.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let url = match self.client.get_queue_url().queue_name(format!("{}-{name}", self.stack)).send().await {
            Ok(answer) => answer.queue_url,
            Err(fault) if fault.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist) => None,
            Err(fault) => return Err(unavailable(FIND)(fault)),
        };
        if let Some(url) = &url {
            self.urls.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), url.clone());
        }
        Ok(url)
    }
}

/// Implements [`DeadLetterQueues`] on the queues of a stack.
#[derive(Debug, Clone)]
pub struct SqsDeadLetterQueues(SqsNames);

impl SqsDeadLetterQueues {
    /// Uses these queues.
    pub fn new(queues: SqsNames) -> Self {
        Self(queues)
    }

    fn client(&self) -> &Client {
        &self.0.client
    }

    async fn url(&self, name: &str) -> Result<String, Unavailable> {
        let missing = || Unavailable { service: FIND, reason: format!("there is no queue {}-{name}", self.0.stack) };
        self.0.url(name).await?.ok_or_else(missing)
    }
}

impl DeadLetterQueues for SqsDeadLetterQueues {
    async fn depth(&self, queue: DeadLetterQueue) -> Result<Option<usize>, Unavailable> {
        let Some(url) = self.0.url(queue.name()).await? else { return Ok(None) };
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let ask = self.client().get_queue_attributes().queue_url(url).set_attribute_names(Some(counts.to_vec()));
        let attributes = ask.send().await.map_err(unavailable(DEPTH))?.attributes.unwrap_or_default();
        Ok(Some(counts.iter().filter_map(|name| attributes.get(name)?.parse::<usize>().ok()).sum()))
    }

    /// Receives at most ten letters, which is SQS's limit.
    async fn receive(
        &self,
        queue: DeadLetterQueue,
        most: usize,
        hidden_seconds: u16,
    ) -> Result<Vec<ReceivedLetter>, Unavailable> {
        let most = i32::try_from(most.clamp(1, BATCH)).unwrap_or(1);
        let url = self.url(queue.name()).await?;
        let receive = self.client().receive_message().queue_url(url).max_number_of_messages(most);
        let receive = receive.visibility_timeout(hidden_seconds.into()).wait_time_seconds(WAIT_SECONDS);
        let receive = receive.message_attribute_names("All").message_system_attribute_names(SystemAttribute::All);
        let answer = receive.send().await.map_err(unavailable(RECEIVE))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(received).collect())
    }

    async fn put_back(&self, queue: DeadLetterQueue, letters: &[ReceivedLetter]) -> Result<(), Unavailable> {
        let url = self.url(queue.name()).await?;
        for batch in letters.chunks(BATCH) {
            let entry = |(at, received): (usize, &ReceivedLetter)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string());
                entry.receipt_handle(&received.handle).visibility_timeout(0).build()
            };
            let entries: Result<Vec<_>, _> = batch.iter().enumerate().map(entry).collect();
            let entries = entries.map_err(|_| unmade(PUT_BACK))?;
            let change = self.client().change_message_visibility_batch().queue_url(&url).set_entries(Some(entries));
            let answer = change.send().await.map_err(unavailable(PUT_BACK))?;
            if let Some(first) = answer.failed.first() {
                return Err(Unavailable { service: PUT_BACK, reason: first.code.clone() });
            }
        }
        Ok(())
    }

    async fn send_on(&self, queue: DeadLetterQueue, letter: &DeadLetter) -> Result<(), Unavailable> {
        let attributes: Result<HashMap<_, _>, Unavailable> =
            letter.attributes.iter().map(|(name, value)| Ok((name.clone(), attribute(value)?))).collect();
        let send = self.client().send_message().queue_url(self.url(queue.source()).await?).message_body(&letter.body);
        let attributes = Some(attributes?).filter(|attributes| !attributes.is_empty());
        let send = send.set_message_attributes(attributes).set_message_group_id(letter.group.clone());
        send.send().await.map(drop).map_err(unavailable(SEND_ON))
    }

    async fn delete(&self, queue: DeadLetterQueue, letter: &ReceivedLetter) -> Result<(), Unavailable> {
        let url = self.url(queue.name()).await?;
        let delete = self.client().delete_message().queue_url(url).receipt_handle(&letter.handle);
        delete.send().await.map(drop).map_err(unavailable(DELETE))
    }
}

fn unmade(service: &'static str) -> Unavailable {
    Unavailable { service, reason: "the request could not be made".into() }
}

fn received(message: Message) -> ReceivedLetter {
    let system = message.attributes.unwrap_or_default();
    let number = |name: SystemAttribute| system.get(&name)?.parse::<i64>().ok();
    let attributes = message.message_attributes.unwrap_or_default().into_iter();
    let attributes: BTreeMap<String, Attribute> =
        attributes.filter_map(|(name, value)| Some((name, kept_attribute(value)?))).collect();
    let letter = DeadLetter {
        message_id: message.message_id.unwrap_or_default(),
        sent_at: number(SystemAttribute::SentTimestamp).and_then(|at| Timestamp::from_millisecond(at).ok()),
        received: number(SystemAttribute::ApproximateReceiveCount).and_then(|times| times.try_into().ok()),
        group: system.get(&SystemAttribute::MessageGroupId).cloned(),
        attributes,
        body: message.body.unwrap_or_default(),
    };
    ReceivedLetter { letter, handle: message.receipt_handle.unwrap_or_default() }
}

fn kept_attribute(value: MessageAttributeValue) -> Option<Attribute> {
    let MessageAttributeValue { data_type, string_value, binary_value, .. } = value;
    let text = string_value.map(AttributeValue::Text);
    let bytes = || binary_value.map(|bytes| AttributeValue::Bytes(bytes.into_inner()));
    Some(Attribute { data_type, value: text.or_else(bytes)? })
}

fn attribute(Attribute { data_type, value }: &Attribute) -> Result<MessageAttributeValue, Unavailable> {
    let builder = MessageAttributeValue::builder().data_type(data_type);
    let builder = match value {
        AttributeValue::Text(text) => builder.string_value(text),
        AttributeValue::Bytes(bytes) => builder.binary_value(Blob::new(bytes.clone())),
    };
    builder.build().map_err(|_| unmade(SEND_ON))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_received_letter_keeps_its_attributes_of_every_kind() {
        let with = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
        let attributes = [
            ("reason", with("String").string_value("no type").build().unwrap()),
            ("count", with("Number").string_value("7").build().unwrap()),
            ("raw", with("Binary").binary_value(Blob::new([0, 255])).build().unwrap()),
        ];
        let message = Message::builder()
            .message_id("m")
            .receipt_handle("handle")
            .body("{\"id\":1}")
            .attributes(SystemAttribute::SentTimestamp, "1500")
            .attributes(SystemAttribute::ApproximateReceiveCount, "21")
            .attributes(SystemAttribute::MessageGroupId, "acme")
            .set_message_attributes(Some(attributes.clone().map(|(name, value)| (name.to_owned(), value)).into()));
        let ReceivedLetter { letter, handle } = received(message.build());
        assert_eq!((letter.reason(), letter.text("count"), letter.text("raw")), (Some("no type"), Some("7"), None));
        assert_eq!((letter.sent_at, letter.received), (Timestamp::from_millisecond(1500).ok(), Some(21)));
        assert_eq!((letter.group.as_deref(), &*letter.body, &*handle), (Some("acme"), "{\"id\":1}", "handle"));
        for (name, value) in attributes {
            assert_eq!(attribute(&letter.attributes[name]), Ok(value));
        }
    }
}
