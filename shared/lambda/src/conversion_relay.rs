//! The function `conversion-relay`: the postbacks' stream to the queue `gg3-conversions`; and the same from a queue, for
//! records that had been set aside and are put back.

use adapters::{
    aws::CallLimits,
    dynamodb::item::PostbackItem,
    sqs::{SqsConversions, SqsDeadLetters},
};
use app::relay_conversions::{Incoming, Relayed, relay};
use domain::conversion::{Conversion, RecordedPostback};
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::{error, info};

use crate::environment::{Environment, EnvironmentFaults};

/// A batch of records, each kept as it came: what cannot be read is set aside whole.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

/// Which records must come again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// The function, ready to handle batches.
pub struct ConversionRelayFunction {
    queue: SqsConversions,
    dead_letters: SqsDeadLetters,
}

impl ConversionRelayFunction {
    /// Wires the function by its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let aws = env.aws();
        let queue = env.required("CONVERSIONS_QUEUE_URL");
        let dead_letters = env.required("CONVERSION_DEAD_LETTERS_QUEUE_URL");
        env.finish()?;
        let client = aws.sqs(CallLimits::BACKGROUND);
        Ok(Self {
            queue: SqsConversions::new(client.clone(), queue),
            dead_letters: SqsDeadLetters::new(client, dead_letters),
        })
    }

    /// Handles one batch. Never fails as a whole.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Result<BatchResponse, std::convert::Infallible> {
        let records: Vec<Record> = event.payload.records.iter().map(|raw| Record::read(raw.get())).collect();
        let from_stream = records.iter().any(|record| record.from_stream);
        let incoming: Vec<Incoming> = records.into_iter().filter_map(|record| record.incoming).collect();
        let relayed = relay(&self.queue, &self.dead_letters, incoming).await;
        log(&relayed);
        Ok(respond(relayed.failed, from_stream))
    }
}

/// From a stream only the lowest failed sequence number is reported: everything from there on comes again, in order. From
/// a queue each failed message.
fn respond(failed: Vec<String>, from_stream: bool) -> BatchResponse {
    let reported = if from_stream { 1 } else { usize::MAX };
    let failures = failed.into_iter().take(reported).map(|item_identifier| Failure { item_identifier });
    BatchResponse { batch_item_failures: failures.collect() }
}

/// One record, read as far as it can be.
struct Record {
    from_stream: bool,
    /// None for what is no new postback.
    incoming: Option<Incoming>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    message_id: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    event_name: Option<String>,
    #[serde(default)]
    dynamodb: Option<StreamRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRecord {
    #[serde(default)]
    sequence_number: String,
    #[serde(default)]
    new_image: Option<Box<RawValue>>,
}

impl Record {
    fn read(raw: &str) -> Self {
        let envelope = match serde_json::from_str::<Envelope>(raw) {
            Ok(envelope) => envelope,
            Err(fault) => return Self::unreadable(String::new(), raw, &fault.to_string()),
        };
        if let (Some(id), Some(body)) = (envelope.message_id, envelope.body) {
            // A stream speaks of all changes; who puts a record on the queue means it to be converted.
            let read = Self::read(&body).incoming;
            let read =
                read.or_else(|| Self::unreadable(String::new(), &body, "not the insertion of a postback").incoming);
            return Self { from_stream: false, incoming: read.map(|incoming| Incoming { id, ..incoming }) };
        }
        let Some(StreamRecord { sequence_number, new_image }) = envelope.dynamodb else {
            return Self::unreadable(String::new(), raw, "neither a stream's record nor a queue's message");
        };
        if envelope.event_name.as_deref() != Some("INSERT") {
            return Self { from_stream: true, incoming: None };
        }
        let image = new_image.as_deref().map_or("", RawValue::get);
        let incoming = Incoming { id: sequence_number, conversion: convert(image), whole: raw.to_owned() };
        Self { from_stream: true, incoming: Some(incoming) }
    }

    fn unreadable(id: String, raw: &str, reason: &str) -> Self {
        let incoming = Incoming { id, conversion: Err(reason.to_owned()), whole: raw.to_owned() };
        Self { from_stream: true, incoming: Some(incoming) }
    }
}

fn convert(image: &str) -> Result<Conversion, String> {
    let item: serde_dynamo::Item = serde_json::from_str(image).map_err(|fault| fault.to_string())?;
    let item: PostbackItem = serde_dynamo::from_item(item).map_err(|fault| fault.to_string())?;
    RecordedPostback::try_from(item).map(Conversion::from)
}

fn log(relayed: &Relayed) {
    let Relayed { failed, sent, set_aside, unavailable } = relayed;
    match unavailable {
        None if *set_aside == 0 => info!(sent, "conversions"),
        None => error!(sent, set_aside, "conversions: some could not be converted and were set aside"),
        Some(reason) => error!(sent, set_aside, failed = failed.len(), %reason, "conversions: some must come again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = include_str!("../fixtures/stream-insert.json");

    fn records(batch: &str) -> Vec<Record> {
        let batch: Batch = serde_json::from_str(batch).unwrap();
        batch.records.iter().map(|raw| Record::read(raw.get())).collect()
    }

    #[test]
    fn a_record_that_cannot_be_converted_is_kept_whole_under_its_sequence_number() {
        let read = records(STREAM);
        let incoming = read[0].incoming.as_ref().unwrap();
        assert_eq!(incoming.id, "000000017954671764880000000001");
        assert!(incoming.conversion.is_err());
        assert!(STREAM.contains(&incoming.whole));
    }

    #[test]
    fn what_is_no_new_postback_is_passed_over() {
        assert!(records(&STREAM.replace("\"INSERT\"", "\"REMOVE\""))[0].incoming.is_none());
    }

    #[test]
    fn a_record_that_was_put_back_is_read_like_one_from_the_stream() {
        let raw = records(STREAM)[0].incoming.as_ref().unwrap().whole.clone();
        let message = serde_json::json!({"Records": [{"messageId": "m1", "eventSource": "aws:sqs", "body": raw}]});
        let read = records(&message.to_string());
        let incoming = read[0].incoming.as_ref().unwrap();
        assert!(!read[0].from_stream);
        assert_eq!((incoming.id.as_str(), &incoming.whole), ("m1", &raw));
    }

    #[test]
    fn a_message_that_is_no_new_postback_is_set_aside_and_not_lost() {
        let raw = records(&STREAM.replace("\"INSERT\"", "\"INSERT \""));
        assert!(raw[0].incoming.is_none());
        let record: serde_json::Value = serde_json::from_str(STREAM).unwrap();
        let modified = record["Records"][0].to_string().replace("\"INSERT\"", "\"MODIFY\"");
        let message = serde_json::json!({"Records": [{"messageId": "m1", "body": modified}]});
        let read = records(&message.to_string());
        let incoming = read[0].incoming.as_ref().unwrap();
        assert_eq!((incoming.id.as_str(), &incoming.whole), ("m1", &modified));
        assert!(incoming.conversion.is_err());
    }

    #[test]
    fn garbage_is_set_aside_and_not_a_fault_of_its_batch() {
        for garbage in ["1", "\"x\"", "{}", "{\"messageId\":\"m\",\"body\":\"}\"}", "{\"dynamodb\":7}", "[]"] {
            let read = records(&format!("{{\"Records\":[{garbage}]}}"));
            assert!(read[0].incoming.as_ref().unwrap().conversion.is_err(), "{garbage}");
        }
    }

    #[test]
    fn a_stream_reports_its_lowest_failure_and_a_queue_every_one() {
        let failed = || vec!["1".to_owned(), "2".to_owned()];
        assert_eq!(respond(failed(), true).batch_item_failures.len(), 1);
        assert_eq!(respond(failed(), false).batch_item_failures.len(), 2);
        assert_eq!(respond(Vec::new(), true), BatchResponse::default());
    }
}
