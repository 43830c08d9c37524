//! The dead-letter queues, where each one's messages belong, and what is asked of SQS about them.

use anyhow::{Context, Result, anyhow, bail};
use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_queue_url::GetQueueUrlError,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName as SystemAttribute,
        QueueAttributeName,
    },
};
use clap::ValueEnum;

use crate::connection::Missing;

/// The most messages that SQS gives at once.
const BATCH: usize = 10;

/// How long a receive waits: long enough that SQS asks all its servers, so that an empty answer means something.
const WAIT_SECONDS: i32 = 1;

/// A queue of what could not be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeadLetterQueue {
    /// Accepted postbacks that could not be converted.
    #[value(name = "conversion-dead-letters")]
    Conversion,
    /// Conversions that GG3 received twenty times and never deleted.
    #[value(name = "gg3-conversions-dead-letters")]
    Gg3Conversions,
    /// Events that are malformed or failed twenty times.
    #[value(name = "gg3-events-dead-letters")]
    Gg3Events,
    /// First attempts of webhooks that failed twenty times to be made.
    #[value(name = "webhooks-dead-letters")]
    Webhooks,
    /// Resends of webhooks that failed twenty times to be made.
    #[value(name = "webhook-retries-dead-letters")]
    WebhookRetries,
    /// Changes that cannot be read for the lookups.
    #[value(name = "lookup-dead-letters")]
    Lookup,
}

impl DeadLetterQueue {
    /// Its name, without the stack's.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Conversion => "conversion-dead-letters",
            Self::Gg3Conversions => "gg3-conversions-dead-letters",
            Self::Gg3Events => "gg3-events-dead-letters",
            Self::Webhooks => "webhooks-dead-letters",
            Self::WebhookRetries => "webhook-retries-dead-letters",
            Self::Lookup => "lookup-dead-letters",
        }
    }

    /// The queue from which its messages are processed again.
    pub(crate) fn source(self) -> &'static str {
        match self {
            // Not where they came from, which is a stream that nobody can put a record back into.
            Self::Conversion => "conversion-retries",
            Self::Gg3Conversions => "gg3-conversions",
            Self::Gg3Events => "gg3-events",
            Self::Webhooks => "webhooks",
            Self::WebhookRetries => "webhook-retries",
            Self::Lookup => "lookup-retries",
        }
    }
}

/// The queues of a stack, by name.
pub(crate) struct Queues {
    client: Client,
    stack: String,
}

impl Queues {
    pub(crate) fn new(client: Client, stack: &str) -> Self {
        Self { client, stack: stack.to_owned() }
    }

    /// The queue of this name, without the stack's, if there is one.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Queue>> {
        let full = format!("{}-{name}", self.stack);
        match self.client.get_queue_url().queue_name(&full).send().await {
            Ok(answer) => {
                let url = answer.queue_url.with_context(|| format!("SQS does not say where {full} is"))?;
                Ok(Some(Queue { client: self.client.clone(), url, name: full }))
            }
            Err(fault) if fault.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist) => Ok(None),
            Err(fault) => Err(failed("GetQueueUrl", &full, &fault)),
        }
    }

    /// The queue of this name, or a fault that says that there is none.
    pub(crate) async fn get(&self, name: &str) -> Result<Queue> {
        self.find(name).await?.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn missing(&self, name: &str) -> anyhow::Error {
        Missing(format!("there is no queue {}-{name}", self.stack)).into()
    }
}

/// A queue.
pub(crate) struct Queue {
    client: Client,
    url: String,
    name: String,
}

impl Queue {
    /// Where it is.
    pub(crate) fn into_url(self) -> String {
        self.url
    }

    /// About how many messages it holds, those hidden included.
    pub(crate) async fn depth(&self) -> Result<usize> {
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let ask = self.client.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(counts.to_vec()));
        let answer = ask.send().await.map_err(|fault| failed("GetQueueAttributes", &self.name, &fault))?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(counts.iter().filter_map(|name| attributes.get(name)?.parse::<usize>().ok()).sum())
    }

    /// Up to this many messages, ten at most, hidden for so long. None at all means that there are no more.
    pub(crate) async fn receive(&self, most: usize, hidden_seconds: i32) -> Result<Vec<Message>> {
        let most = i32::try_from(most.clamp(1, BATCH)).unwrap_or(1);
        let receive = self.client.receive_message().queue_url(&self.url).max_number_of_messages(most);
        let receive = receive.visibility_timeout(hidden_seconds).wait_time_seconds(WAIT_SECONDS);
        let receive = receive.message_attribute_names("All").message_system_attribute_names(SystemAttribute::All);
        let answer = receive.send().await.map_err(|fault| failed("ReceiveMessage", &self.name, &fault))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Shows these messages to everybody again.
    pub(crate) async fn put_back(&self, messages: &[Message]) -> Result<()> {
        for batch in messages.chunks(BATCH) {
            let entry = |(at, message): (usize, &Message)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string());
                entry.set_receipt_handle(message.receipt_handle.clone()).visibility_timeout(0).build()
            };
            let entries = batch.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
            let change = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
            let answer = change.send().await;
            let answer = answer.map_err(|fault| failed("ChangeMessageVisibilityBatch", &self.name, &fault))?;
            if let Some(first) = answer.failed.first() {
                bail!("SQS did not put back a message of {}: {}", self.name, first.code);
            }
        }
        Ok(())
    }

    /// Sends a message as it is: its body, its attributes and its group.
    pub(crate) async fn send_on(&self, message: &Message) -> Result<()> {
        let group = message.attributes.as_ref().and_then(|known| known.get(&SystemAttribute::MessageGroupId));
        let send = self.client.send_message().queue_url(&self.url).set_message_body(message.body.clone());
        let send = send.set_message_attributes(message.message_attributes.clone());
        let send = send.set_message_group_id(group.cloned());
        send.send().await.map(drop).map_err(|fault| failed("SendMessage", &self.name, &fault))
    }

    /// Deletes a message that was received.
    pub(crate) async fn delete(&self, message: &Message) -> Result<()> {
        let handle = message.receipt_handle.clone();
        let delete = self.client.delete_message().queue_url(&self.url).set_receipt_handle(handle);
        delete.send().await.map(drop).map_err(|fault| failed("DeleteMessage", &self.name, &fault))
    }
}

/// Which call failed and how, without what was sent.
fn failed<E>(call: &str, queue: &str, fault: &SdkError<E>) -> anyhow::Error
where
    E: ProvideErrorMetadata,
{
    anyhow!("SQS {call} {queue}: {}", fault.code().unwrap_or("no usable answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dead_letter_queue_of_the_template_is_known_and_leads_to_a_queue_of_the_template() {
        let template = include_str!("../../../../../template.yaml");
        let named = |name: &str| template.contains(&format!("QueueName: !Sub ${{AWS::StackName}}-{name}\n"));
        let known: Vec<&str> = DeadLetterQueue::value_variants().iter().map(|kind| kind.name()).collect();
        let deployed =
            template.lines().filter_map(|line| line.trim().strip_prefix("QueueName: !Sub ${AWS::StackName}-"));
        for queue in deployed.filter(|queue| queue.ends_with("-dead-letters")) {
            assert!(known.contains(&queue), "{queue}");
        }
        for kind in DeadLetterQueue::value_variants().iter().filter(|kind| named(kind.name())) {
            assert!(named(kind.source()), "{kind:?}");
            assert_eq!(kind.to_possible_value().unwrap().get_name(), kind.name(), "typed as it is called");
        }
    }
}
