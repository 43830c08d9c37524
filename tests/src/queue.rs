//! What arrives on a queue: read by one reader for all tests of a process, or looked through for one dead letter.

use std::{
    sync::{Arc, Mutex},
    thread,
};

use serde::de::DeserializeOwned;
use tokio::runtime;

use crate::{eventually, stack::Stack};

/// Everything that has arrived on a queue since its reader began, parsed.
#[derive(Debug)]
pub struct Arrivals<T>(Arc<Mutex<Vec<T>>>);

impl<T: DeserializeOwned + Clone + Send + 'static> Arrivals<T> {
    /// Reads this queue from now on and takes away what it reads, for as long as the process lives. A message that is no
    /// `T` ends the reader, and whoever waits for one.
    pub fn of(stack: &Stack, queue_url: &str) -> Self {
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let (stack, queue_url, kept) = (stack.clone(), queue_url.to_owned(), Arc::clone(&arrived));
        // On a runtime of its own: that of a test ends with the test.
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(read(&stack, &queue_url, &kept));
        });
        Self(arrived)
    }

    /// Those that are wanted of what has arrived so far, in the order of their coming.
    pub fn so_far(&self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let arrived = self.0.lock().expect("what the queue holds can be read");
        arrived.iter().filter(|message| wanted(message)).cloned().collect()
    }

    /// The same, once there is one.
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

/// Parsed while the lock is held, so that whoever looks for what cannot be read learns of it.
fn keep<T: DeserializeOwned>(arrived: &Mutex<Vec<T>>, body: &str) {
    let mut arrived = arrived.lock().expect("every message so far could be read");
    arrived.push(serde_json::from_str(body).unwrap_or_else(|fault| panic!("{fault}: {body}")));
}

/// The reason of the dead letter with this body, once it is there; it is then taken away.
pub async fn dead_letter(stack: &Stack, queue_url: &str, body: &str) -> String {
    let sqs = stack.sqs();
    eventually(&format!("a dead letter has the body {body}"), async || {
        // Those of other tests are hidden for a moment, so that the next ten are looked at: the queue gives its first.
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
