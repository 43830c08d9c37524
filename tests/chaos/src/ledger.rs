//! Compares what was sent with the results. Each difference is a line that names its place.

mod conversions;
mod deliveries;
mod rising;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) use self::{conversions::Conversions, deliveries::Deliveries, rising::Rising};
use crate::world::World;

/// Holds the lines of the table, and the differences.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    lines: Vec<(&'static str, u64)>,
    differences: Vec<String>,
}

impl Ledger {
    /// Adds a line to the table.
    pub(crate) fn line(&mut self, what: &'static str, count: impl TryInto<u64>) {
        self.lines.push((what, count.try_into().unwrap_or(u64::MAX)));
    }

    /// Reports a difference unless `holds` is true.
    pub(crate) fn law(&mut self, holds: bool, difference: impl FnOnce() -> String) {
        if !holds {
            self.differences.push(difference());
        }
    }

    /// Returns the lines as they are printed.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &(&'static str, u64)> {
        self.lines.iter()
    }

    /// Returns the differences.
    pub(crate) fn differences(&self) -> &[String] {
        &self.differences
    }
}

/// Reads every item of a table.
async fn scan<T: DeserializeOwned>(world: &World, table: &str) -> Vec<T> {
    let mut found = Vec::new();
    let scan = world.stack.dynamodb().scan().table_name(world.table(table)).consistent_read(true);
    let mut pages = scan.into_paginator().send();
    while let Some(page) = pages.next().await {
        let items = page.unwrap().items.unwrap_or_default();
        found.extend(items.into_iter().map(|item| serde_dynamo::from_item::<_, T>(item).unwrap()));
    }
    found
}

/// Takes the bodies of all messages off a queue.
pub(crate) async fn drain(world: &World, queue: &str) -> Vec<String> {
    let url = world.queue(queue);
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600});
    let mut bodies = Vec::new();
    loop {
        let received = world.call("AmazonSQS.ReceiveMessage", &receive).await;
        let Some(messages) = received["Messages"].as_array().filter(|messages| !messages.is_empty()) else {
            return bodies;
        };
        bodies.extend(messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()));
        let entry =
            |(n, message): (usize, &Value)| json!({"Id": n.to_string(), "ReceiptHandle": message["ReceiptHandle"]});
        let entries: Vec<Value> = messages.iter().enumerate().map(entry).collect();
        world.call("AmazonSQS.DeleteMessageBatch", &json!({"QueueUrl": url, "Entries": entries})).await;
    }
}
