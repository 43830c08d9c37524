//! Does Lambda's work between a queue or a stream and a function: receives, invokes, and deletes messages that were
//! not reported as failed. Reported messages come again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tests::payload::{Message, queue_event};

use crate::{
    worker::{Came, Worker},
    world::World,
};

const BATCH: u32 = 10;
const STREAM_BATCH: u32 = 100;

/// Counts what the pumps saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Counts how often each delivery was in the hands of a process that was killed.
    pub(crate) killed_with: Mutex<BTreeMap<String, u64>>,
    /// Counts the invocations that ended with their process.
    pub(crate) died: AtomicU64,
    /// Counts the invocations that were answered.
    pub(crate) answered: AtomicU64,
    /// Counts the messages and records that were reported as failed.
    pub(crate) reported: AtomicU64,
    /// Counts the insertions of the stream that were relayed.
    pub(crate) relayed: AtomicU64,
    /// Becomes true once everything is at rest.
    pub(crate) over: AtomicBool,
}

impl Seen {
    /// Returns true if the pumps should end.
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Returns the ids of failed messages, or all ids if the process died.
    fn failed(&self, came: Came, ids: &[String]) -> Vec<String> {
        match came {
            Came::Answer(answer) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                let failures = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
                self.reported.fetch_add(failures.len() as u64, Ordering::Relaxed);
                failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
            }
            Came::Died => {
                self.died.fetch_add(1, Ordering::Relaxed);
                ids.to_vec()
            }
            Came::Failed(error) => panic!("a function failed as a whole: {error}"),
        }
    }
}

/// Carries a queue's messages to a function until the run is over.
pub(crate) async fn queue(world: Arc<World>, name: &'static str, worker: Worker, seen: Arc<Seen>) -> Worker {
    let receive = json!({"QueueUrl": world.queue(name), "MaxNumberOfMessages": BATCH, "WaitTimeSeconds": 1,
        "AttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]});
    while !seen.is_over() {
        let received = world.call("AmazonSQS.ReceiveMessage", &receive).await;
        let Some(messages) = received["Messages"].as_array().filter(|messages| !messages.is_empty()) else { continue };
        let text = |message: &Value, part: &str| message[part].as_str().unwrap().to_owned();
        let ids: Vec<String> = messages.iter().map(|message| text(message, "MessageId")).collect();
        let came = worker.invoke(&queue_event(name, messages.iter().map(record))).await;
        if matches!(came, Came::Died) {
            let bodies =
                messages.iter().filter_map(|message| serde_json::from_str::<Value>(message["Body"].as_str()?).ok());
            let mut killed_with = seen.killed_with.lock().unwrap();
            for id in bodies.filter_map(|body| body["delivery_id"].as_str().map(str::to_owned)) {
                *killed_with.entry(id).or_default() += 1;
            }
        }
        let failed = seen.failed(came, &ids);
        let done = messages.iter().zip(&ids).filter(|(_, id)| !failed.contains(id)).enumerate();
        let entries: Vec<Value> = done
            .map(|(n, (message, _))| json!({"Id": n.to_string(), "ReceiptHandle": message["ReceiptHandle"]}))
            .collect();
        if !entries.is_empty() {
            let delete = json!({"QueueUrl": world.queue(name), "Entries": entries});
            world.call("AmazonSQS.DeleteMessageBatch", &delete).await;
        }
    }
    worker
}

fn record(message: &Value) -> Message {
    let attribute = |name: &str| message["Attributes"][name].as_str().unwrap_or("1").to_owned();
    let sent = attribute("SentTimestamp").parse().unwrap();
    Message::new(message["Body"].as_str().unwrap())
        .id(message["MessageId"].as_str().unwrap())
        .receive_count(attribute("ApproximateReceiveCount").parse().unwrap())
        .sent(domain::jiff::Timestamp::from_millisecond(sent).unwrap())
}

/// Carries the postbacks' stream to `conversion-relay` in order until the run is over. A failed batch comes again
/// from its first failed record.
pub(crate) async fn stream(world: Arc<World>, worker: Worker, seen: Arc<Seen>) -> Worker {
    let described =
        world.call("DynamoDB_20120810.DescribeTable", &json!({"TableName": world.table("postbacks")})).await;
    let arn = &described["Table"]["LatestStreamArn"];
    let stream = world.call("DynamoDBStreams_20120810.DescribeStream", &json!({"StreamArn": arn})).await;
    let shards = stream["StreamDescription"]["Shards"].as_array().unwrap().clone();
    assert_eq!(shards.len(), 1, "the local AWS has one shard a stream");
    let from = json!({"StreamArn": arn, "ShardId": shards[0]["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
    let mut iterator = world.call("DynamoDBStreams_20120810.GetShardIterator", &from).await["ShardIterator"].clone();
    while !seen.is_over() {
        let get = json!({"ShardIterator": iterator, "Limit": STREAM_BATCH});
        let got = world.call("DynamoDBStreams_20120810.GetRecords", &get).await;
        iterator = got["NextShardIterator"].clone();
        let mut records: Vec<Value> = got["Records"].as_array().cloned().unwrap_or_default();
        records.retain(|record| record["eventName"] == "INSERT");
        if records.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        while !records.is_empty() {
            let ids: Vec<String> = records.iter().map(sequence_number).collect();
            let failed = seen.failed(worker.invoke(&json!({"Records": records})).await, &ids);
            let done = ids.iter().position(|id| failed.contains(id)).unwrap_or(ids.len());
            seen.relayed.fetch_add(done as u64, Ordering::Relaxed);
            records.drain(..done);
        }
    }
    worker
}

fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap().to_owned()
}
