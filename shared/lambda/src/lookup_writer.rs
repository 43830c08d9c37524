//! Runs the function `lookup-writer`. It writes lookups for the records of the tables' streams, and for records that
//! were put back on a queue.

use adapters::{
    aws::CallLimits,
    dynamodb::{
        item::lookups::{self as item_lookups, origin_with_key},
        lookups::DynamoLookups,
    },
    sqs::SqsDeadLetters,
};
use app::write_lookups::{IncomingChange, Indexed, beats::Beats, index};
use domain::{
    jiff::Timestamp,
    lookup::{LookupEntry, Origin},
};
use lambda_runtime::LambdaEvent;
use serde_json::{Value, value::RawValue};
use tracing::{error, field::display, info, warn};

use crate::{
    batch::{Batch, BatchResponse, Change, Record},
    environment::{Environment, EnvironmentFaults},
};

/// Limits the entries of a batch. A batch has 100 records with four entries each (see the template), or 20 participants
/// with ten events each, which have four entries each too.
const ENTRIES: usize = 800;

/// Handles batches of stream records.
pub struct LookupWriterFunction {
    lookups: DynamoLookups,
    dead_letters: SqsDeadLetters,
    beats: Beats,
}

impl LookupWriterFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let (aws, timeout) = (env.aws(), env.function_timeout());
        let table = env.required("LOOKUPS_TABLE");
        let dead_letters = env.required("LOOKUP_DEAD_LETTERS_QUEUE_URL");
        env.finish()?;
        // The added requests are one dead letter and one heartbeat.
        let limits = CallLimits::answering(timeout, DynamoLookups::requests_in_a_row(ENTRIES) + 2);
        Ok(Self {
            lookups: DynamoLookups::new(aws.dynamodb(limits), table),
            dead_letters: SqsDeadLetters::new(aws.sqs(limits), dead_letters),
            beats: Beats::default(),
        })
    }

    /// Handles one batch. Failed records are reported in the response.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Result<BatchResponse, std::convert::Infallible> {
        let records = event.payload.records();
        let from_stream = Record::are_of_stream(&records);
        let incoming = records.into_iter().filter_map(incoming).collect();
        let indexed = index((&self.lookups, &self.dead_letters), (&self.beats, Timestamp::now()), incoming).await;
        log(&indexed);
        Ok(BatchResponse::of(indexed.failed, from_stream))
    }
}

/// Returns the lookups to write for a record. Returns `None` for a deletion, because the entries of a deleted item
/// expire by themselves.
fn incoming(record: Record) -> Option<IncomingChange> {
    let Record { id, change, whole, from_stream } = record;
    let change = match change {
        Ok(change) if change.name == "REMOVE" => return None,
        other => other,
    };
    let origin = change.as_ref().map_err(Clone::clone).and_then(origin);
    let entries = origin.clone().and_then(|origin| entries(origin, change.as_ref().map_err(Clone::clone)?));
    // The time of a record that was put back does not show how far the stream has been processed.
    let at = change.ok().and_then(|change| change.at).filter(|_| from_stream);
    Some(IncomingChange { id, entries, change: origin.ok().zip(at), whole })
}

/// Returns the table of a change. The names of the key attributes identify the table.
fn origin(change: &Change) -> Result<Origin, String> {
    let keys = change.keys.as_deref().map_or("{}", RawValue::get);
    let keys: serde_json::Map<String, Value> = serde_json::from_str(keys).map_err(|fault| fault.to_string())?;
    let origin = keys.keys().find_map(|name| origin_with_key(name));
    origin.ok_or_else(|| "the key belongs to no table with lookups".to_owned())
}

/// Returns the entries of a change of this table.
fn entries(origin: Origin, change: &Change) -> Result<Vec<LookupEntry>, String> {
    let image = change.new.as_deref().ok_or("the change has no new image of the item")?;
    item_lookups::entries(origin, item(image)?, change.old.as_deref().map(item).transpose()?)
}

fn item(image: &RawValue) -> Result<serde_dynamo::Item, String> {
    serde_json::from_str(image.get()).map_err(|fault| fault.to_string())
}

/// Writes one line for the batch.
fn log(indexed: &Indexed) {
    let Indexed { failed, written: lookups_written, set_aside: lookups_set_aside, unavailable, no_heartbeat } = indexed;
    if let Some(reason) = no_heartbeat {
        warn!(reason = display(reason), "the heartbeat of the lookups was not stored; the next batch tries again");
    }
    let lookups_failed = failed.len();
    if lookups_failed + lookups_set_aside == 0 {
        info!(lookups_written, lookups_set_aside, lookups_failed, "lookups");
    } else {
        let (reason, words) = (unavailable.as_ref().map(display), "some lookups were dead-lettered or will be retried");
        error!(lookups_written, lookups_set_aside, lookups_failed, reason, "{words}");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::log::tests::{counted, line};

    fn read(name: &str, keys: &Value, new: &Value) -> Option<IncomingChange> {
        let change = json!({"SequenceNumber": "7", "Keys": keys, "NewImage": new});
        let batch = json!({"Records": [{"eventName": name, "dynamodb": change}]});
        let batch: Batch = serde_json::from_str(&batch.to_string()).unwrap();
        incoming(batch.records().remove(0))
    }

    fn text(value: &str) -> Value {
        json!({"S": value})
    }

    fn click() -> (Value, Value) {
        let image = json!({
            "click_id": text("c"), "provider": text("acme"), "landing": text("welcome"), "user_id": text("u"),
            "clicked_at": text("2026-11-23T12:00:00Z"), "expires_at": {"N": "7"},
        });
        (json!({"click_id": text("c")}), image)
    }

    #[test]
    fn each_table_is_recognised_by_its_key() {
        let (keys, image) = click();
        assert_eq!(read("INSERT", &keys, &image).unwrap().entries.unwrap().len(), 1);
        let keys = json!({"provider_transaction": text("acme#hash"), "revision": text("original")});
        let image = json!({
            "provider_transaction": text("acme#hash"), "revision": text("original"), "transaction_id": text("t"),
            "receipt_id": text("r"),
            "received_at": text("2026-11-23T12:00:00Z"), "click": text("foreign"), "user_id": text("u"),
            "click_id": text("c"), "currency": text("USD"), "amount_decimal": text("1.50"),
        });
        let entries = read("INSERT", &keys, &image).unwrap().entries.unwrap();
        let subjects: Vec<String> = entries.iter().map(|entry| entry.subject.to_string()).collect();
        assert_eq!(subjects, ["postbacks/acme", "user/u", "click/c"]);
        assert_eq!(entries[0].place.key(), "original#acme#hash");
    }

    #[test]
    fn deliveries_and_openings_are_found_by_their_ids() {
        let ids = json!({"M": {"click_id": text("c-77"), "user_id": text("p-9")}});
        let next = json!({"M": {"due_at": {"N": "2"}, "ticket": text("t")}});
        let image = json!({
            "delivery_id": text("d"), "provider": text("acme"), "campaign": text("welcome"), "user_id": text("gg3-42"),
            "ids": ids, "occurred_at": {"N": "1"}, "created_at": {"N": "2"}, "opened_at": {"N": "2"},
            "revision": {"N": "1"}, "round": {"N": "1"}, "attempts": {"L": []}, "status": text("pending"),
            "life": {"M": {"under_way": {"M": {"next": next}}}},
        });
        let entries = read("INSERT", &json!({"delivery_id": text("d")}), &image).unwrap().entries.unwrap();
        let subjects: Vec<String> = entries.iter().map(|entry| entry.subject.to_string()).collect();
        assert_eq!(subjects, ["deliveries/acme", "user/gg3-42", "click/c-77", "partner-user/acme/p-9"]);

        let opened = |at: u32| {
            json!({"user_id": text("gg3-42"), "version": {"N": "1"}, "participant": text(&json!({"partners": {"acme": {
                "since": 1, "counts_from": 1, "baseline": 0, "latest": {"at": at, "event": "e", "click_id": "c-77"},
            }}}).to_string())})
        };
        for (before, now, expected) in [(None, 5, 1), (Some(5), 5, 0), (Some(5), 6, 1)] {
            let change = json!({"SequenceNumber": "7", "Keys": {"user_id": text("gg3-42")}, "NewImage": opened(now),
                "OldImage": before.map(opened)});
            let batch = json!({"Records": [{"eventName": "MODIFY", "dynamodb": change}]});
            let batch: Batch = serde_json::from_str(&batch.to_string()).unwrap();
            let entries = incoming(batch.records().remove(0)).unwrap().entries.unwrap();
            let subjects: Vec<String> = entries.iter().map(|entry| entry.subject.to_string()).collect();
            assert_eq!(subjects, ["click/c-77", "user/gg3-42"].repeat(expected));
        }
    }

    #[test]
    fn only_a_record_of_a_stream_says_how_far_it_is() {
        let (keys, image) = click();
        let change = json!({"ApproximateCreationDateTime": 7, "SequenceNumber": "7", "Keys": keys, "NewImage": image});
        let record = json!({"eventName": "INSERT", "dynamodb": change});
        let put_back = json!({"messageId": "m", "body": record.to_string()});
        let at = |record: Value| {
            let batch: Batch = serde_json::from_str(&json!({"Records": [record]}).to_string()).unwrap();
            incoming(batch.records().remove(0)).unwrap().change
        };
        assert_eq!(at(record), Some((Origin::Clicks, Timestamp::from_second(7).unwrap())));
        assert_eq!(at(put_back), None);
    }

    #[test]
    fn deletions_are_skipped_and_unreadable_records_set_aside() {
        let (keys, image) = click();
        assert!(read("REMOVE", &keys, &image).is_none());
        for (keys, image) in [(json!({}), image.clone()), (keys.clone(), keys), (json!({"other": text("x")}), image)] {
            let incoming = read("INSERT", &keys, &image).unwrap();
            assert_eq!((incoming.id.as_str(), incoming.entries.is_err()), ("7", true));
        }
    }

    #[test]
    fn a_batch_writes_one_line_with_its_counts() {
        let unavailable = Some(app::ports::Unavailable { service: "DynamoDB", reason: "down".into() });
        let failed = Indexed { failed: vec!["7".into()], written: 1, set_aside: 3, unavailable, no_heartbeat: None };
        for (indexed, level, counts) in
            [(Indexed { written: 2, ..Indexed::default() }, "INFO", [0, 0, 2]), (failed, "ERROR", [1, 3, 1])]
        {
            let line = line(|| log(&indexed));
            let names = ["lookups_failed", "lookups_set_aside", "lookups_written"];
            assert_eq!(counted(&line), names);
            assert_eq!(names.map(|name| line[name].as_u64().unwrap()), counts);
            assert_eq!(line["level"], level);
        }
    }
}
