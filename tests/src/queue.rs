//! Reads queues. One reader collects all messages of a queue for the tests of a process. Another searches for one dead
//! letter.

use std::{
    sync::{Arc, Mutex},
    thread,
};

use serde::de::DeserializeOwned;
use tokio::runtime;

use crate::{eventually, stack::Stack};

/// Holds every message that has arrived on a queue since its reader started, parsed.
#[derive(Debug)]
pub struct Arrivals<T>(Arc<Mutex<Vec<T>>>);

impl<T: DeserializeOwned + Clone + Send + 'static> Arrivals<T> {
    /// Starts a reader that takes all messages from this queue as long as the process lives. A message that does not
    /// parse as `T` ends the reader, and every test that waits for a message fails.
    pub fn of(stack: &Stack, queue_url: &str) -> Self {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let (stack, queue_url, kept) = (stack.clone(), queue_url.to_owned(), Arc::clone(&arrived));
        // The reader needs a runtime of its own, because the runtime of a test ends with the test.
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(read(&stack, &queue_url, &kept));
        });
        Self(arrived)
    }

    /// Returns the matching messages that have arrived so far, in the order of arrival.
    pub fn so_far(&self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let arrived = self.0.lock().expect("every message so far could be parsed");
        arrived.iter().filter(|message| wanted(message)).cloned().collect()
    }

    /// Waits until at least one matching message has arrived, and returns all of them.
    pub async fn some(&self, awaited: &str, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        eventually(awaited, async || Some(self.so_far(&wanted)).filter(|found| !found.is_empty())).await
    }
}

async fn read<T: DeserializeOwned>(stack: &Stack, queue_url: &str, arrived: &Mutex<Vec<T>>) {
    let sqs = stack.sqs();
    loop {
        let receive = sqs.receive_message().queue_url(queue_url).max_number_of_messages(10).wait_time_seconds(1);
        let Ok(received) = receive.send().await else { continue };
        for message in received.messages.unwrap_or_default() {
            keep(arrived, &message.body.unwrap_or_default());
            let handle = message.receipt_handle.unwrap_or_default();
            let _ = sqs.delete_message().queue_url(queue_url).receipt_handle(handle).send().await;
        }
    }
}

/// Parses the message while the lock is held, so that a failure poisons the lock and every waiting test learns of it.
fn keep<T: DeserializeOwned>(arrived: &Mutex<Vec<T>>, body: &str) {
    let mut arrived = arrived.lock().expect("every message so far could be parsed");
    arrived.push(serde_json::from_str(body).unwrap_or_else(|fault| panic!("{fault}: {body}")));
}

/// Waits for the dead letter with this body, removes it, and returns its reason.
pub async fn dead_letter(stack: &Stack, queue_url: &str, body: &str) -> String {
    let sqs = stack.sqs();
    eventually(&format!("a dead letter has the body {body}"), async || {
        // A queue returns its first ten letters. Receiving hides letters of other tests for two seconds, so that the
        // next receive returns the following ten.
        let receive = sqs.receive_message().queue_url(queue_url).max_number_of_messages(10).visibility_timeout(2);
        let received = receive.message_attribute_names("All").wait_time_seconds(1).send().await.expect("SQS answers");
        let mut messages = received.messages.unwrap_or_default().into_iter();
        let letter = messages.find(|message| message.body.as_deref() == Some(body))?;
        let handle = letter.receipt_handle.unwrap_or_default();
        sqs.delete_message().queue_url(queue_url).receipt_handle(handle).send().await.expect("SQS answers");
        let mut attributes = letter.message_attributes.unwrap_or_default();
        attributes.remove("reason")?.string_value
    })
    .await
}
