//! Runs the function `conversion-relay`, which sends new postbacks and corrections to the queue `gg3-conversions`.
//!
//! Records of the table's stream are trusted as they are. A record that an operator put back on a queue only names a
//! postback, and the function reads this postback from the table.

use adapters::{
    aws::CallLimits,
    dynamodb::{
        item::{ClickUseItem, PostbackItem},
        postbacks::DynamoPostbacks,
    },
    sqs::{SqsConversions, SqsDeadLetters},
};
use app::{
    ports::{ConversionQueue, DeadLetters, RecordedRevisions},
    relay_conversions::{IncomingConversion, PutBack, Relayed, UNRECORDED, find_recorded, relay},
};
use domain::inbound::{conversion::Conversion, correction::Revision};
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tracing::{error, field::display, info};

use crate::{
    batch::{Batch, BatchResponse, Change, Record},
    environment::{Environment, EnvironmentFaults},
};

/// Handles batches of stream records, and batches of records that were put back on a queue.
pub struct ConversionRelayFunction {
    postbacks: DynamoPostbacks,
    queue: SqsConversions,
    dead_letters: SqsDeadLetters,
}

impl ConversionRelayFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let aws = env.aws();
        let postbacks = env.required("POSTBACKS_TABLE");
        let queue = env.required("CONVERSIONS_QUEUE_URL");
        let dead_letters = env.required("CONVERSION_DEAD_LETTERS_QUEUE_URL");
        env.finish()?;
        let client = aws.sqs(CallLimits::BACKGROUND);
        Ok(Self {
            postbacks: DynamoPostbacks::new(aws.dynamodb(CallLimits::BACKGROUND), postbacks),
            queue: SqsConversions::new(client.clone(), queue),
            dead_letters: SqsDeadLetters::new(client, dead_letters),
        })
    }

    /// Handles one batch. Failed records are reported in the response.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Result<BatchResponse, std::convert::Infallible> {
        Ok(relay_batch(&self.postbacks, (&self.queue, &self.dead_letters), &event.payload).await)
    }
}

async fn relay_batch(
    postbacks: &impl RecordedRevisions,
    (queue, dead_letters): (&impl ConversionQueue, &impl DeadLetters),
    batch: &Batch,
) -> BatchResponse {
    let records = batch.records();
    let from_stream = Record::are_of_stream(&records);
    let (streamed, put_back): (Vec<Record>, Vec<Record>) = records.into_iter().partition(|record| record.from_stream);
    let mut incoming: Vec<IncomingConversion> = streamed.into_iter().filter_map(from_the_stream).collect();
    match find_recorded(postbacks, put_back.into_iter().map(named).collect()).await {
        Ok(recorded) => incoming.extend(recorded),
        Err(mut relayed) => {
            // `from_stream` is also true for an unreadable message of the queue.
            relayed.failed.extend(incoming.into_iter().map(|unreadable| unreadable.id));
            log("", 0, &relayed);
            return BatchResponse::of(relayed.failed, from_stream);
        }
    }
    let (receipts, unrecorded) = (receipts(&incoming), unrecorded(&incoming));
    let relayed = relay(queue, dead_letters, incoming).await;
    log(&receipts, unrecorded, &relayed);
    BatchResponse::of(relayed.failed, from_stream)
}

/// Returns the conversion to send for a record of the stream, or `None` if the record is no new postback, step or correction.
fn from_the_stream(record: Record) -> Option<IncomingConversion> {
    let Record { id, change, whole, .. } = record;
    let conversion = match change {
        Ok(change) if change.name == "INSERT" => convert(&change).transpose()?,
        Ok(_) => return None,
        Err(reason) => Err(reason),
    };
    Some(IncomingConversion { id, conversion, whole })
}

/// Returns the key of the revision that a record names. The record was put back on a queue, so nothing else in the
/// record is trusted.
fn named(record: Record) -> PutBack {
    let Record { id, change, whole, .. } = record;
    let key = change.and_then(|change| match change.name.as_str() {
        "INSERT" => PostbackItem::lookup_key_of_change(change.keys.as_deref().map_or("", RawValue::get)),
        _ => Err("the record is not the insertion of a postback".to_owned()),
    });
    PutBack { id, key, whole }
}

/// Converts a new item. Returns `None` for an adjustment, because the transaction that caused the adjustment has a
/// conversion, and for the use of a click.
fn convert(change: &Change) -> Result<Option<Conversion>, String> {
    let image = change.new.as_deref().map_or("", RawValue::get);
    let item: serde_dynamo::Item = serde_json::from_str(image).map_err(|fault| fault.to_string())?;
    if ClickUseItem::is(&item) {
        return Ok(None);
    }
    let item: PostbackItem = serde_dynamo::from_item(item).map_err(|fault| fault.to_string())?;
    if item.is_adjustment() {
        return Ok(None);
    }
    Revision::try_from(item).map(|revision| Some(revision.into()))
}

/// Returns the receipts of a batch. The batch's log line contains these receipts, so that a search for a postback's
/// receipt finds the line.
fn receipts(batch: &[IncomingConversion]) -> String {
    let conversions = batch.iter().filter_map(|incoming| incoming.conversion.as_ref().ok());
    let receipts: Vec<&str> = conversions.map(|conversion| conversion.receipt_id.as_str()).collect();
    receipts.join(" ")
}

/// Counts the messages that name a postback which is not recorded.
fn unrecorded(batch: &[IncomingConversion]) -> usize {
    batch.iter().filter(|incoming| incoming.conversion.as_ref().is_err_and(|reason| reason == UNRECORDED)).count()
}

/// Writes one line for the batch.
fn log(receipts: &str, conversions_unrecorded: usize, relayed: &Relayed) {
    let Relayed { failed, sent: conversions_sent, set_aside: conversions_set_aside, unavailable } = relayed;
    let conversions_failed = failed.len();
    if conversions_failed + conversions_set_aside == 0 {
        info!(
            receipts,
            conversions_sent, conversions_set_aside, conversions_unrecorded, conversions_failed, "conversions"
        );
    } else {
        let (reason, words) =
            (unavailable.as_ref().map(display), "some conversions were dead-lettered or will be retried");
        error!(
            receipts,
            conversions_sent, conversions_set_aside, conversions_unrecorded, conversions_failed, reason, "{words}"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use app::memory::{Trouble, World};
    use domain::inbound::conversion::ConversionType;

    use super::*;
    use crate::log::tests::{counted, line};

    /// The key of the transaction `t1` of acme.
    const KEY: &str = "acme#a2dcd477bf1d40b48fdacfd7b5ac48206a02f9254a146a04ff22a786e4693a09";
    const STREAM: &str = include_str!("../fixtures/stream-insert.json");

    fn first(batch: &str) -> Option<IncomingConversion> {
        from_the_stream(serde_json::from_str::<Batch>(batch).unwrap().records().remove(0))
    }

    /// Reads the record as one that was put back on the queue.
    fn put_back(record: &str) -> PutBack {
        let message = serde_json::json!({"messageId": "m1", "eventSource": "aws:sqs", "body": record});
        let batch = serde_json::json!({ "Records": [message] }).to_string();
        named(serde_json::from_str::<Batch>(&batch).unwrap().records().remove(0))
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
    fn only_the_key_of_a_record_put_back_is_read() {
        let record = |revision: &str, transaction: &str| {
            let text = |value: &str| serde_json::json!({"S": value});
            let keys = serde_json::json!({"provider_transaction": text(transaction), "revision": text(revision)});
            serde_json::json!({"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": "anything"}}).to_string()
        };
        let good = record("correction-000002", KEY);
        let again = put_back(&good);
        assert_eq!((again.id.as_str(), &again.whole), ("m1", &good));
        assert_eq!(again.key, Ok(format!("correction-000002#{KEY}")));
        for (revision, transaction) in [
            ("original", "acme#"),
            ("original", "acme"),
            ("original", ""),
            ("", KEY),
            ("correction-x", KEY),
            ("original", &format!("{KEY}{}", "0".repeat(3_000))),
        ] {
            assert!(put_back(&record(revision, transaction)).key.is_err(), "{revision} {transaction}");
        }
        assert!(put_back("{}").key.is_err());
    }

    #[test]
    fn a_queued_change_that_is_no_insertion_is_set_aside() {
        let modified = first(STREAM).unwrap().whole.replace("\"INSERT\"", "\"MODIFY\"");
        let again = put_back(&modified);
        assert_eq!((again.id.as_str(), &again.whole), ("m1", &modified));
        assert!(again.key.is_err());
    }

    #[test]
    fn a_correction_becomes_a_conversion_naming_its_original() {
        let text = |value: &str| serde_json::json!({"S": value});
        let image = serde_json::json!({
            "provider_transaction": text(KEY), "revision": text("correction-000002"),
            "transaction_id": text("t1"), "receipt_id": text("r2"),
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

    /// Relays these records while every queue is down. Returns the identifiers that the response reports.
    async fn reported(records: &str) -> String {
        let world = World::default();
        world.state().trouble = (0..9).map(|call| (call, Trouble::Before)).collect();
        let batch: Batch = serde_json::from_str(&format!("{{\"Records\":[{records}]}}")).unwrap();
        serde_json::to_string(&relay_batch(&world, (&world, &world), &batch).await).unwrap()
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

    #[tokio::test]
    async fn a_failed_read_repeats_unreadable_messages_too() {
        let world = World::default();
        world.state().trouble = BTreeMap::from([(0, Trouble::Before)]);
        let keys = format!(r#"{{"provider_transaction":{{"S":"{KEY}"}},"revision":{{"S":"original"}}}}"#);
        let record = format!(r#"{{"eventName":"INSERT","dynamodb":{{"Keys":{keys}}}}}"#);
        let message = serde_json::json!({"messageId": "m1", "body": record});
        let batch: Batch = serde_json::from_str(&format!("{{\"Records\":[{message},7]}}")).unwrap();
        let response = relay_batch(&world, (&world, &world), &batch).await;
        assert_eq!(response, BatchResponse::of_queue(["m1".to_owned(), String::new()]));
        assert!(world.state().dead_letters.is_empty());
    }

    #[test]
    fn an_adjustment_beside_a_transaction_becomes_no_conversion() {
        let text = |value: &str| serde_json::json!({"S": value});
        let image = serde_json::json!({
            "provider_transaction": text(KEY), "revision": text("revision-000001"), "kind": text("adjustment"),
            "transaction_id": text("t2"), "receipt_id": text("r2"), "received_at": text("2026-11-23T12:00:00Z"),
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
        let (good, receipts) = (line(|| log("r1 r2", 0, &relayed)), "r1 r2");
        assert_eq!((good["receipts"].as_str(), good["level"].as_str()), (Some(receipts), Some("INFO")));
        let unavailable = Some(app::ports::Unavailable { service: "SQS", reason: "down".into() });
        let relayed = Relayed { failed: vec!["7".into()], sent: 1, set_aside: 3, unavailable };
        let bad = line(|| log("r1 r2", 2, &relayed));
        let names = ["conversions_sent", "conversions_set_aside", "conversions_unrecorded", "conversions_failed"];
        for line in [&good, &bad] {
            assert_eq!(
                counted(line),
                ["conversions_failed", "conversions_sent", "conversions_set_aside", "conversions_unrecorded"]
            );
        }
        assert_eq!(names.map(|name| bad[name].as_u64().unwrap()), [1, 3, 2, 1]);
        assert!(bad["level"] == "ERROR" && bad["reason"].as_str().unwrap().contains("down"));
    }
}
