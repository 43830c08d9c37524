//! Runs the function `lookup-writer`. It writes lookups and rows of the archive for the records of the tables' streams,
//! and for records that were put back on a queue.

use adapters::{
    aws::CallLimits,
    dynamodb::{
        item::{archive, change::ChangedItem, lookups::origin_with_key, media_buying::ATTEMPT},
        lookups::DynamoLookups,
        partners::DynamoArchiveKey,
    },
    firehose::FirehoseArchive,
    sqs::SqsDeadLetters,
};
use app::{
    ports::{Archive, Unavailable},
    write_lookups::{IncomingChange, Indexed, beats::Beats, index},
};
use domain::{
    archive::{ArchiveKey, ArchiveRow},
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
    archive: FirehoseArchive,
    dead_letters: SqsDeadLetters,
    beats: Beats,
}

impl LookupWriterFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let (aws, timeout) = (env.aws(), env.function_timeout());
        let (table, secrets) = (env.required("LOOKUPS_TABLE"), env.required("SECRETS_TABLE"));
        let streams = env.required("ARCHIVE_STREAMS");
        let dead_letters = env.required("LOOKUP_DEAD_LETTERS_QUEUE_URL");
        env.finish()?;
        // The added requests are one dead letter, one heartbeat, the key of the archive, and the rows of all tables at once.
        let limits = CallLimits::answering(timeout, DynamoLookups::requests_in_a_row(ENTRIES) + 4);
        let dynamodb = aws.dynamodb(limits);
        let key = DynamoArchiveKey::new(dynamodb.clone(), secrets);
        Ok(Self {
            lookups: DynamoLookups::new(dynamodb, table),
            archive: FirehoseArchive::new(aws.firehose(limits), streams, key),
            dead_letters: SqsDeadLetters::new(aws.sqs(limits), dead_letters),
            beats: Beats::default(),
        })
    }

    /// Handles one batch. Failed records are reported in the response.
    pub async fn handle(&self, event: LambdaEvent<Batch>) -> Result<BatchResponse, std::convert::Infallible> {
        let records = event.payload.records();
        let from_stream = Record::are_of_stream(&records);
        let key = self.archive.key().await;
        let incoming = records.into_iter().filter_map(|record| incoming(record, &key)).collect();
        let ports = (&self.lookups, &self.archive, &self.dead_letters);
        let indexed = index(ports, (&self.beats, Timestamp::now()), incoming).await;
        log(&indexed);
        Ok(BatchResponse::of(indexed.failed, from_stream))
    }
}

/// Returns the entries and rows to write for a record. Returns `None` for a deletion, because the entries of a deleted
/// item expire by themselves, and the archive keeps what happened.
fn incoming(record: Record, key: &Result<ArchiveKey, Unavailable>) -> Option<IncomingChange> {
    let Record { id, change, whole, from_stream } = record;
    let change = match change {
        Ok(change) if change.name == "REMOVE" => return None,
        other => other,
    };
    let found = change.as_ref().map_err(Clone::clone).and_then(|change| Found::of(change, key));
    // The time of a record that was put back does not show how far the stream has been processed.
    let at = change.ok().and_then(|change| change.at).filter(|_| from_stream);
    let (entries, rows, origin) = match found {
        Ok(Found { entries, rows, origin }) => (Ok(entries), rows, origin),
        Err(reason) => (Err(reason), Ok(Vec::new()), None),
    };
    Some(IncomingChange { id, entries, rows, change: origin.zip(at), whole })
}

/// Holds the entries and rows that are found in a change.
struct Found {
    entries: Vec<LookupEntry>,
    rows: Result<Vec<ArchiveRow>, Unavailable>,
    /// Names the table, if its items have entries.
    origin: Option<Origin>,
}

impl Found {
    /// Reads a change. The names of the key attributes identify the table. The error says why the change cannot be read.
    fn of(change: &Change, key: &Result<ArchiveKey, Unavailable>) -> Result<Self, String> {
        let names = change.keys.as_deref().map_or("{}", RawValue::get);
        let names: serde_json::Map<String, Value> = serde_json::from_str(names).map_err(|fault| fault.to_string())?;
        let image = item(change.new.as_deref().ok_or("the change has no new image of the item")?)?;
        if names.contains_key(ATTEMPT) {
            let rows = match key {
                Ok(key) => Ok(archive::late_attempt(key, image)?.into_iter().collect()),
                Err(unavailable) => Err(unavailable.clone()),
            };
            return Ok(Self { entries: Vec::new(), rows, origin: None });
        }
        let origin = names.keys().find_map(|name| origin_with_key(name));
        let origin = origin.ok_or("the key belongs to no table with lookups")?;
        let before = change.old.as_deref().map(item).transpose()?;
        let item = ChangedItem::read(origin, image, before)?;
        let rows = key.as_ref().map(|key| item.rows(key)).map_err(Clone::clone);
        Ok(Self { entries: item.entries(), rows, origin: Some(origin) })
    }
}

fn item(image: &RawValue) -> Result<serde_dynamo::Item, String> {
    serde_json::from_str(image.get()).map_err(|fault| fault.to_string())
}

/// Writes one line for the batch.
fn log(indexed: &Indexed) {
    let Indexed { failed, written: lookups_written, set_aside: lookups_set_aside, .. } = indexed;
    let (archive_rows, archive_failed) = (indexed.archived, indexed.unarchived);
    if let Some(reason) = &indexed.no_heartbeat {
        warn!(reason = display(reason), "the heartbeat of the lookups was not stored; the next batch tries again");
    }
    let lookups_failed = failed.len();
    if lookups_failed + lookups_set_aside == 0 {
        info!(lookups_written, lookups_set_aside, lookups_failed, archive_rows, archive_failed, "lookups");
    } else {
        let reason = indexed.unavailable.as_ref().map(display);
        let words = "some lookups or rows of the archive were dead-lettered or will be retried";
        error!(lookups_written, lookups_set_aside, lookups_failed, archive_rows, archive_failed, reason, "{words}");
    }
}

#[cfg(test)]
mod tests {
    use domain::{archive::ArchiveTable, values::signature::Secret};
    use serde_json::json;

    use super::*;
    use crate::log::tests::{counted, line};

    fn read(name: &str, keys: &Value, new: &Value) -> Option<IncomingChange> {
        let change = json!({"SequenceNumber": "7", "Keys": keys, "NewImage": new});
        let batch = json!({"Records": [{"eventName": name, "dynamodb": change}]});
        let batch: Batch = serde_json::from_str(&batch.to_string()).unwrap();
        incoming(batch.records().remove(0), &Ok(key()))
    }

    fn key() -> ArchiveKey {
        ArchiveKey::new(Secret::new("k"))
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
            let entries = incoming(batch.records().remove(0), &Ok(key())).unwrap().entries.unwrap();
            let subjects: Vec<String> = entries.iter().map(|entry| entry.subject.to_string()).collect();
            assert_eq!(subjects, ["click/c-77", "user/gg3-42"].repeat(expected));
        }
    }

    #[test]
    fn a_record_has_rows_beside_its_entries() {
        let (keys, image) = click();
        let rows = read("INSERT", &keys, &image).unwrap().rows.unwrap();
        assert_eq!(rows.iter().map(ArchiveRow::table).collect::<Vec<_>>(), [ArchiveTable::Clicks]);
        let attempt = json!({
            "delivery_id": text("d"), "attempt": text("0000000002#1#m"), "round": {"N": "2"}, "late": {"BOOL": true},
            "provider": text("acme"), "campaign": text("welcome"), "n": {"N": "1"}, "due_at": {"N": "2"},
            "sent_at": {"N": "3"}, "duration_ms": {"N": "4"}, "outcome": {"M": {"status": {"N": "204"}}},
        });
        let keys = json!({"delivery_id": text("d"), "attempt": text("0000000002#1#m")});
        let late = read("INSERT", &keys, &attempt).unwrap();
        assert_eq!((late.entries, late.change), (Ok(Vec::new()), None));
        let rows = late.rows.unwrap();
        assert_eq!(rows.iter().map(ArchiveRow::table).collect::<Vec<_>>(), [ArchiveTable::Attempts]);
    }

    #[test]
    fn without_the_key_a_record_still_has_its_entries() {
        let (keys, image) = click();
        let change = json!({"SequenceNumber": "7", "Keys": keys, "NewImage": image});
        let batch = json!({"Records": [{"eventName": "INSERT", "dynamodb": change}]});
        let batch: Batch = serde_json::from_str(&batch.to_string()).unwrap();
        let unavailable = Unavailable { service: "secrets", reason: "no key".into() };
        let incoming = incoming(batch.records().remove(0), &Err(unavailable.clone())).unwrap();
        assert_eq!((incoming.entries.unwrap().len(), incoming.rows), (1, Err(unavailable)));
    }

    #[test]
    fn only_a_record_of_a_stream_says_how_far_it_is() {
        let (keys, image) = click();
        let change = json!({"ApproximateCreationDateTime": 7, "SequenceNumber": "7", "Keys": keys, "NewImage": image});
        let record = json!({"eventName": "INSERT", "dynamodb": change});
        let put_back = json!({"messageId": "m", "body": record.to_string()});
        let at = |record: Value| {
            let batch: Batch = serde_json::from_str(&json!({"Records": [record]}).to_string()).unwrap();
            incoming(batch.records().remove(0), &Ok(key())).unwrap().change
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
        let failed = vec!["7".into()];
        let failed =
            Indexed { failed, written: 1, set_aside: 3, archived: 5, unarchived: 1, unavailable, no_heartbeat: None };
        let written = Indexed { written: 2, archived: 4, ..Indexed::default() };
        for (indexed, level, counts) in [(written, "INFO", [0, 4, 0, 0, 2]), (failed, "ERROR", [1, 5, 1, 3, 1])] {
            let line = line(|| log(&indexed));
            let names = ["archive_failed", "archive_rows", "lookups_failed", "lookups_set_aside", "lookups_written"];
            assert_eq!(counted(&line), names);
            assert_eq!(names.map(|name| line[name].as_u64().unwrap()), counts);
            assert_eq!(line["level"], level);
        }
    }
}
