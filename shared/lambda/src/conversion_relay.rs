//! Runs the function `conversion-relay`, which sends new postbacks and corrections to the queue `gg3-conversions`. It
//! reads them from the table's stream, or from a queue of records that operators put back.

use adapters::{
    aws::CallLimits,
    dynamodb::item::PostbackItem,
    sqs::{SqsConversions, SqsDeadLetters},
};
use app::{
    ports::{ConversionQueue, DeadLetters},
    relay_conversions::{Incoming, Relayed, relay},
};
use domain::inbound::{conversion::Conversion, correction::Revision};
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tracing::{error, field::display, info};

use crate::{
    batch::{Batch, BatchResponse, Change, Record},
    environment::{Environment, EnvironmentFaults},
};

/// Handles batches of stream records.
pub struct ConversionRelayFunction {
    queue: SqsConversions,
    dead_letters: SqsDeadLetters,
}

impl ConversionRelayFunction {
    /// Builds the function from its environment.
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

    /// Handles one batch. Failed records are reported in the response.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Result<BatchResponse, std::convert::Infallible> {
        Ok(relay_batch(&self.queue, &self.dead_letters, &event.payload).await)
    }
}

async fn relay_batch(queue: &impl ConversionQueue, dead_letters: &impl DeadLetters, batch: &Batch) -> BatchResponse {
    let records = batch.records();
    let from_stream = Record::are_of_stream(&records);
    let incoming: Vec<Incoming> = records.into_iter().filter_map(incoming).collect();
    let receipts = receipts(&incoming);
    let relayed = relay(queue, dead_letters, incoming).await;
    log(&receipts, &relayed);
    BatchResponse::of(relayed.failed, from_stream)
}

/// Returns the conversion to send for a record, or `None` if the record is no new postback, step or correction.
fn incoming(record: Record) -> Option<Incoming> {
    let Record { id, from_stream, change, whole } = record;
    let conversion = match change {
        Ok(change) if change.name == "INSERT" => convert(&change).transpose()?,
        // A stream reports all changes, but a record that was put back on the queue is meant to be converted.
        Ok(_) if from_stream => return None,
        Ok(_) => Err("the record is not the insertion of a postback".to_owned()),
        Err(reason) => Err(reason),
    };
    Some(Incoming { id, conversion, whole })
}

/// Converts a new item. An adjustment becomes none, since the transaction that made it is converted itself.
fn convert(change: &Change) -> Result<Option<Conversion>, String> {
    let image = change.new.as_deref().map_or("", RawValue::get);
    let item: serde_dynamo::Item = serde_json::from_str(image).map_err(|fault| fault.to_string())?;
    let item: PostbackItem = serde_dynamo::from_item(item).map_err(|fault| fault.to_string())?;
    if item.is_adjustment() {
        return Ok(None);
    }
    Revision::try_from(item).map(|revision| Some(revision.into()))
}

/// Returns the receipts of a batch, by which its line is found from the lines of its postbacks.
fn receipts(batch: &[Incoming]) -> String {
    let conversions = batch.iter().filter_map(|incoming| incoming.conversion.as_ref().ok());
    let receipts: Vec<&str> = conversions.map(|conversion| conversion.receipt_id.as_str()).collect();
    receipts.join(" ")
}

/// Writes one line for the batch.
fn log(receipts: &str, relayed: &Relayed) {
    let Relayed { failed, sent: conversions_sent, set_aside: conversions_set_aside, unavailable } = relayed;
    let conversions_failed = failed.len();
    if conversions_failed + conversions_set_aside == 0 {
        info!(receipts, conversions_sent, conversions_set_aside, conversions_failed, "conversions");
    } else {
        let (reason, words) =
            (unavailable.as_ref().map(display), "some conversions were dead-lettered or will be retried");
        error!(receipts, conversions_sent, conversions_set_aside, conversions_failed, reason, "{words}");
    }
}

#[cfg(test)]
mod tests {
    use app::memory::{Trouble, World};
    use domain::inbound::conversion::ConversionType;

    use super::*;
    use crate::log::tests::{counted, line};

    const STREAM: &str = include_str!("../fixtures/stream-insert.json");

    fn first(batch: &str) -> Option<Incoming> {
        incoming(serde_json::from_str::<Batch>(batch).unwrap().records().remove(0))
    }

    /// Returns the stream's record as it is on the queue of records that were put back.
    fn put_back(record: &str) -> String {
        serde_json::json!({"Records": [{"messageId": "m1", "eventSource": "aws:sqs", "body": record}]}).to_string()
    }

    #[test]
    fn an_unconvertible_record_is_kept_whole_under_its_number() {
        let incoming = first(STREAM).unwrap();
        assert_eq!(incoming.id, "000000017954671764880000000001");
        assert!(incoming.conversion.is_err());
        assert!(STREAM.contains(&incoming.whole));
    }

    #[test]
    fn a_change_of_the_stream_that_is_no_insertion_is_skipped() {
        assert!(first(&STREAM.replace("\"INSERT\"", "\"REMOVE\"")).is_none());
    }

    #[test]
    fn a_record_put_back_is_read_like_one_from_the_stream() {
        let raw = first(STREAM).unwrap().whole;
        let again = first(&put_back(&raw)).unwrap();
        assert_eq!((again.id.as_str(), &again.whole), ("m1", &raw));
    }

    #[test]
    fn a_queued_change_that_is_no_insertion_is_set_aside() {
        let modified = first(STREAM).unwrap().whole.replace("\"INSERT\"", "\"MODIFY\"");
        let again = first(&put_back(&modified)).unwrap();
        assert_eq!((again.id.as_str(), &again.whole), ("m1", &modified));
        assert!(again.conversion.is_err());
    }

    #[test]
    fn a_correction_becomes_a_conversion_naming_its_original() {
        let text = |value: &str| serde_json::json!({"S": value});
        let image = serde_json::json!({
            "provider_transaction": text("acme#t1"), "revision": text("correction-000002"), "receipt_id": text("r2"),
            "received_at": text("2026-11-23T12:00:00Z"), "corrected_at": text("2026-11-24T12:00:00Z"),
            "original_receipt_id": text("r0"), "click": text("foreign"), "user_id": text("u"), "click_id": text("c"),
            "currency": text("USD"), "amount_decimal": text("1.50"),
        });
        let converted = |image: &serde_json::Value| {
            let record = serde_json::json!({
                "eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": image},
            });
            first(&serde_json::json!({ "Records": [record] }).to_string()).unwrap().conversion
        };
        let conversion = converted(&image).unwrap();
        assert_eq!((conversion.kind, conversion.correction), (ConversionType::Corrected, Some(2)));
        assert_eq!(conversion.original_receipt_id.unwrap().as_str(), "r0");
        for missing in ["original_receipt_id", "corrected_at"] {
            let mut image = image.clone();
            image.as_object_mut().unwrap().remove(missing);
            assert!(converted(&image).unwrap_err().contains(missing));
        }
        let mut image = image;
        image["revision"] = text("correction-x");
        assert!(converted(&image).is_err());
    }

    /// Relays these records while every queue is down. Returns the identifiers that are reported.
    async fn reported(records: &str) -> String {
        let world = World::default();
        world.state().trouble = (0..9).map(|call| (call, Trouble::Before)).collect();
        let batch: Batch = serde_json::from_str(&format!("{{\"Records\":[{records}]}}")).unwrap();
        serde_json::to_string(&relay_batch(&world, &world, &batch).await).unwrap()
    }

    #[tokio::test]
    async fn an_unreadable_record_not_set_aside_repeats_its_batch() {
        let garbage = reported(&format!("7,{}", first(STREAM).unwrap().whole)).await;
        assert_eq!(garbage, r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#);
    }

    #[tokio::test]
    async fn an_unreadable_queue_message_hides_no_other_failure() {
        let message = |id: &str| serde_json::json!({"messageId": id, "body": "{}"});
        let reported = reported(&format!("{},7,{}", message("m1"), message("m2"))).await;
        assert!(["m1", "", "m2"].iter().all(|id| reported.contains(&format!("\"{id}\"}}"))), "{reported}");
    }

    #[test]
    fn an_adjustment_beside_a_transaction_becomes_no_conversion() {
        let text = |value: &str| serde_json::json!({"S": value});
        let image = serde_json::json!({
            "provider_transaction": text("acme#t1"), "revision": text("revision-000001"), "kind": text("adjustment"),
            "adjusted_by": text("t2"), "receipt_id": text("r2"), "received_at": text("2026-11-23T12:00:00Z"),
            "click": text("foreign"), "user_id": text("u"), "click_id": text("c"), "currency": text("USD"),
            "amount_decimal": text("-1.50"),
        });
        let record = serde_json::json!({
            "eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": image},
        });
        assert!(first(&serde_json::json!({ "Records": [record] }).to_string()).is_none());
    }

    #[test]
    fn a_batch_writes_one_line_with_receipts_and_counts() {
        let relayed = Relayed { sent: 2, ..Relayed::default() };
        let (good, receipts) = (line(|| log("r1 r2", &relayed)), "r1 r2");
        assert_eq!((good["receipts"].as_str(), good["level"].as_str()), (Some(receipts), Some("INFO")));
        let unavailable = Some(app::ports::Unavailable { service: "SQS", reason: "down".into() });
        let relayed = Relayed { failed: vec!["7".into()], sent: 1, set_aside: 3, unavailable };
        let bad = line(|| log("r1 r2", &relayed));
        let names = ["conversions_sent", "conversions_set_aside", "conversions_failed"];
        for line in [&good, &bad] {
            assert_eq!(counted(line), ["conversions_failed", "conversions_sent", "conversions_set_aside"]);
        }
        assert_eq!(names.map(|name| bad[name].as_u64().unwrap()), [1, 3, 1]);
        assert!(bad["level"] == "ERROR" && bad["reason"].as_str().unwrap().contains("down"));
    }
}
