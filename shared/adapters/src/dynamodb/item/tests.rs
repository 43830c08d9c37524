//! Tests items in DynamoDB's JSON. Items of earlier versions must stay readable, and the form of written items must not
//! change.

use app::ports::{Heartbeat, PageToken, SegmentPlace};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    inbound::{
        click::{ClickKeys, ClickOrigin},
        conversion::{Receipt, RecordedPostback, Reversed},
        correction::Revision,
        parameters::Parameters,
        postback::{Content, Extra, ParsedPostback, Postback},
        refusal::{MAX_ITEM_BYTES, Refusal},
        status::State,
        transaction::Adjustment,
    },
    jiff::Timestamp,
    lookup::{Kind, LookupEntry, Origin, Place, Subject},
    partner::{Partner, PartnerFile},
    retention::Expiring,
    values::{
        ids::{ClickId, EventId, EventName, Provider, ReceiptId, TransactionId, UserId},
        parameter_names::Field,
        signature::Secret,
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    ClickItem, PartnerItem, PostbackItem, RefusalItem, SecretsItem,
    change::ChangedItem,
    lookups::{self, HeartbeatItem, LookupItem, RebuildItem},
};
use crate::dynamodb::{Item, from_item, to_item};

const RECEIPT: &str = "qc3terwjnllwztrghrwrjubzcy";
/// The key of the transaction `t#1` of acme.
const KEY: &str = "acme#6131eab423f821e6cdfb6f6d669b31f81ed3e8067ff89e374edbb11da1e67b29";

fn item(json: Value) -> Item {
    serde_json::from_value::<serde_dynamo::Item>(json).unwrap().into()
}

fn read<T: DeserializeOwned>(json: Value) -> Option<T> {
    from_item("test", item(json)).ok()
}

fn stored() -> Value {
    json!({
        "provider_transaction": {"S": KEY}, "revision": {"S": "original"}, "transaction_id": {"S": "t#1"},
        "receipt_id": {"S": RECEIPT},
        "received_at": {"S": "2026-11-23T21:33:22.275Z"}, "click": {"S": "foreign"}, "user_id": {"S": "użytkownik 1"},
        "click_id": {"S": "c"}, "currency": {"S": "USD"}, "amount_decimal": {"S": "100.00"},
    })
}

fn stored_with(name: &str, value: &Value) -> Value {
    let mut stored = stored();
    stored[name] = value.clone();
    stored
}

fn full() -> Value {
    let mut full = stored_with("ignored", &json!({"L": [{"S": "utm"}, {"S": "ź"}, {"S": ""}]}));
    full["event_id"] = json!({"S": "e"});
    full["event_name"] = json!({"S": "Level 2"});
    full
}

fn recorded() -> RecordedPostback {
    let content = json!({"user_id": "użytkownik 1", "click_id": "c", "currency": "USD", "amount_decimal": "100.00"});
    let transaction_id = TransactionId::new("t#1").unwrap();
    RecordedPostback {
        postback: Postback {
            provider: Provider::new("acme").unwrap(),
            transaction_id: transaction_id.clone(),
            content: serde_json::from_value(content).unwrap(),
            click: ClickOrigin::Foreign,
            state: None,
            reference: None,
            extra: Extra::new(),
            erased: None,
        },
        receipt: Receipt {
            transaction_id,
            receipt_id: serde_json::from_value::<ReceiptId>(json!(RECEIPT)).unwrap(),
            received_at: "2026-11-23T21:33:22.275Z".parse::<Timestamp>().unwrap(),
            ignored: Vec::new(),
            state: None,
            original_receipt_id: None,
        },
        reversed: None,
    }
}

fn recorded_in_full() -> RecordedPostback {
    let RecordedPostback { postback, receipt, reversed } = recorded();
    let (event_id, event_name) = (EventId::new("e").ok(), EventName::new("Level 2").ok());
    let content = Content { event_id, event_name, ..postback.content };
    let ignored = ["utm", "ź", ""].map(str::to_owned).to_vec();
    let (postback, receipt) = (Postback { content, ..postback }, Receipt { ignored, ..receipt });
    RecordedPostback { postback, receipt, reversed }
}

fn postback_of(json: Value) -> Option<RecordedPostback> {
    read::<PostbackItem>(json)?.try_into().ok()
}

#[test]
fn a_postback_keeps_its_stored_form_and_reads_back() {
    for (recorded, stored) in [(recorded(), stored()), (recorded_in_full(), full())] {
        assert_eq!(to_item("test", &PostbackItem::from(&recorded)).unwrap(), item(stored.clone()));
        assert_eq!(postback_of(stored), Some(recorded));
    }
}

#[test]
fn a_stored_set_of_ignored_names_is_read() {
    let stored = stored_with("ignored", &json!({"SS": ["utm"]}));
    assert_eq!(postback_of(stored).unwrap().receipt.ignored, ["utm"]);
    assert_eq!(postback_of(stored_with("ignored", &json!({"L": []}))), Some(recorded()));
}

#[test]
fn an_optional_attribute_that_is_null_is_none() {
    for name in ["event_id", "event_name", "original_receipt_id", "corrected_at", "state", "kind", "reversed"] {
        assert_eq!(postback_of(stored_with(name, &json!({"NULL": true}))), Some(recorded()), "{name}");
    }
}

#[test]
fn kept_parameters_are_stored_as_a_map() {
    let mut kept = recorded();
    kept.postback.extra = Extra::from([("goal".to_owned(), "a ź".to_owned()), ("sub1".to_owned(), " ".to_owned())]);
    let stored = stored_with("extra", &json!({"M": {"goal": {"S": "a ź"}, "sub1": {"S": " "}}}));
    assert_eq!(to_item("test", &PostbackItem::from(&kept)).unwrap(), item(stored.clone()));
    assert_eq!(postback_of(stored), Some(kept));
    assert_eq!(postback_of(stored_with("extra", &json!({"M": {"goal": {"N": "1"}}}))), None);
}

#[test]
fn an_unknown_attribute_is_ignored() {
    assert_eq!(postback_of(stored_with("mood", &json!({"S": "good"}))), Some(recorded()));
}

#[test]
fn a_postback_with_an_attribute_missing_or_wrong_is_refused() {
    let (stored, optional) = (full(), ["event_id", "event_name", "ignored"]);
    for name in stored.as_object().unwrap().keys() {
        let mut without = stored.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(postback_of(without).is_some(), optional.contains(&name.as_str()), "without {name}");
        for wrong in [json!({"N": "1"}), json!({"BOOL": true}), json!({"M": {}}), json!({"L": [{"N": "1"}]})] {
            let mut item = stored.clone();
            item[name] = wrong.clone();
            assert_eq!(postback_of(item), None, "{name} is {wrong}");
        }
    }
    for (name, wrong) in [("revision", "originals"), ("provider_transaction", "acme"), ("amount_decimal", "1e3")] {
        assert_eq!(postback_of(stored_with(name, &json!({"S": wrong}))), None, "{name} is {wrong}");
    }
}

#[test]
fn a_stored_revision_is_read_and_written_back_unchanged() {
    let mut correction = stored_with("revision", &json!({"S": "revision-000012"}));
    correction["kind"] = json!({"S": "correction"});
    correction["correction"] = json!({"N": "3"});
    correction["original_receipt_id"] = json!({"S": "aaaaaaaaaaaaaaaaaaaaaaaaaa"});
    correction["corrected_at"] = json!({"S": "2026-11-24T00:00:00Z"});
    let mut step = stored_with("revision", &json!({"S": "revision-000013"}));
    step["kind"] = json!({"S": "step"});
    step["state"] = json!({"S": "rejected"});
    step["original_receipt_id"] = json!({"S": "aaaaaaaaaaaaaaaaaaaaaaaaaa"});
    for (stored, rank) in [(correction, (3, State::Approved)), (step, (0, State::Rejected))] {
        let revision: Revision = read::<PostbackItem>(stored.clone()).unwrap().try_into().unwrap();
        assert_eq!(revision.rank(), rank);
        assert_eq!(to_item("test", &PostbackItem::from(&revision)).unwrap(), item(stored));
    }
}

#[test]
fn an_adjustment_is_a_note_in_the_history_and_no_revision() {
    let by = RecordedPostback { reversed: Some(Reversed::Unknown), ..recorded() };
    let reversed = TransactionId::new("t0").unwrap();
    let note = PostbackItem::adjustment(&reversed, &Adjustment { by, place: 1 });
    let key = PostbackItem::key(&Provider::new("acme").unwrap(), &reversed);
    assert_eq!((&note.provider_transaction, note.revision.as_str()), (&key, "revision-000001"));
    assert!(Revision::try_from(note.clone()).is_err());
    let stored = to_item("test", &note).unwrap().into();
    assert!(matches!(ChangedItem::read(Origin::Postbacks, stored, None), Ok(ChangedItem::Note)));
    let original =
        PostbackItem { provider_transaction: key, transaction_id: reversed, ..PostbackItem::from(&recorded()) };
    let history = PostbackItem::history([note, original].into()).unwrap().unwrap();
    let by: Vec<&str> = history.adjustments().map(|it| it.by.postback.transaction_id.as_str()).collect();
    assert_eq!((by, history.next_place()), (vec!["t#1"], 2));
    assert_eq!(PostbackItem::history(Vec::new()), Ok(None));
}

#[test]
fn a_transaction_that_a_negative_amount_reverses_is_kept() {
    let known = json!({"M": {"transaction_id": {"S": "t0"}, "receipt_id": {"S": RECEIPT}}});
    for reversed in [json!({"S": "unknown"}), known] {
        let mut stored = stored_with("reversed", &reversed);
        stored["amount_decimal"] = json!({"S": "-7.50"});
        stored["reference"] = json!({"S": "t0"});
        let recorded = postback_of(stored.clone()).unwrap();
        assert!(recorded.reversed.is_some() && recorded.postback.content.amount_decimal.is_negative());
        assert_eq!(to_item("test", &PostbackItem::from(&recorded)).unwrap(), item(stored));
    }
}

#[test]
fn an_original_stored_without_a_state_is_approved() {
    let recorded = postback_of(stored()).unwrap();
    assert_eq!((recorded.postback.state, recorded.postback.state()), (None, State::Approved));
}

#[test]
fn a_correction_stored_under_its_own_number_is_read() {
    let mut stored = stored_with("revision", &json!({"S": "correction-000012"}));
    stored["original_receipt_id"] = json!({"S": "aaaaaaaaaaaaaaaaaaaaaaaaaa"});
    stored["corrected_at"] = json!({"S": "2026-11-24T00:00:00Z"});
    let Revision::Correction(correction) = read::<PostbackItem>(stored).unwrap().try_into().unwrap() else {
        panic!("a correction")
    };
    assert_eq!(correction.number, 12);
}

/// Reads an item and writes it again unchanged.
fn round<T: DeserializeOwned + serde::Serialize>(stored: Value) -> T {
    let read: T = read(stored.clone()).unwrap();
    assert_eq!(to_item("test", &read).unwrap(), item(stored));
    read
}

#[test]
fn a_stored_refusal_is_read_and_written_back_unchanged() {
    let refusal: RefusalItem = round(json!({
        "provider_content": {"S": "acme#00ff"}, "kind": {"S": "refusal"}, "provider": {"S": "acme"},
        "first_received_at": {"S": "2026-11-23T21:33:22.275Z"}, "last_received_at": {"S": "2026-11-23T21:34:22.275Z"},
        "times": {"N": "2"}, "request": {"S": "GET user_id=u"}, "source": {"S": "192.0.2.1"}, "user_id": {"S": "u"},
        "expires_at": {"N": "1798061662"},
    }));
    assert_eq!((refusal.times, refusal.expires_at, refusal.faults.len()), (2, Some(1_798_061_662), 0));
}

#[test]
fn a_refusal_whose_request_was_cut_says_so() {
    let refusal: RefusalItem = round(json!({
        "provider_content": {"S": "acme#00ff"}, "kind": {"S": "refusal"}, "provider": {"S": "acme"},
        "first_received_at": {"S": "2026-11-23T21:33:22.275Z"}, "last_received_at": {"S": "2026-11-23T21:34:22.275Z"},
        "times": {"N": "2"}, "request": {"S": "user_id=u"}, "request_bytes": {"N": "24576"},
    }));
    assert!(!refusal.kept_request().unwrap().is_whole());
}

/// Returns the size of a value as DynamoDB bills it.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(_) => 21,
        AttributeValue::Bool(_) => 1,
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + size(value)).sum::<usize>(),
        AttributeValue::M(map) => 3 + map.iter().map(|(name, value)| 1 + name.len() + size(value)).sum::<usize>(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_refusal_is_larger_than_its_bound() {
    let events: Vec<String> = (0..500).map(|at| format!("event-{at}")).collect();
    let currencies: Vec<String> = (0..500).map(|at| format!("CUR{at}")).collect();
    let file = json!({"provider": "a".repeat(63), "postback": {"event_ids": events, "currencies": currencies}});
    let partner = Partner::try_from(serde_json::from_value::<PartnerFile>(file).unwrap()).unwrap();
    let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    let macros: String = Field::ALL.map(|field| format!("{field}={{a|{}}}&", "\u{1f600}".repeat(100))).concat();
    let values =
        format!("user_id={0}&click_id={0}&currency=x&event_id=x&amount_decimal=-1&dry_run=x&", "u".repeat(255));
    let names =
        |count: usize| (0..count).map(|at| format!("%{at}{}=&", "\u{1f600}".repeat(60))).collect::<Vec<_>>().concat();
    let mut largest = 0;
    for (query, body) in [
        (vec![0xff; 8192], vec![0xff; 16_384]),
        ([&b"a="[..], &[0xff; 8190]].concat(), b"&=".repeat(63)),
        (macros.into_bytes(), names(50).into_bytes()),
        (values.into_bytes(), names(50).into_bytes()),
        (b"%00=&".repeat(64), Vec::new()),
    ] {
        let sent = Parameters::split(&query, &body);
        let faults = ParsedPostback::parse(&sent, partner.provider(), partner.rules(), &keys).unwrap_err();
        let source = "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap();
        let refusal = Refusal::of((partner.provider(), partner.rules()), &sent, source, faults, Timestamp::MAX);
        let item = to_item("test", &RefusalItem::of_refusal(&refusal, Expiring::Refusal.default_retention())).unwrap();
        largest = largest.max(item.iter().map(|(name, value)| name.len() + size(value)).sum());
    }
    // Only known parameters have faults, so no call has more faults than there are known names.
    assert!((6 * 1024..MAX_ITEM_BYTES).contains(&largest), "{largest}");
}

#[test]
fn a_stored_conflict_is_read_and_written_back_unchanged() {
    let conflict: RefusalItem = round(json!({
        "provider_content": {"S": "acme#00ff"}, "kind": {"S": "conflict"}, "provider": {"S": "acme"},
        "first_received_at": {"S": "2026-11-23T21:33:22.275Z"}, "last_received_at": {"S": "2026-11-23T21:33:22.275Z"},
        "times": {"N": "1"}, "transaction_id": {"S": "t"},
        "content": {"M": {
            "user_id": {"S": "u"}, "click_id": {"S": "c"}, "currency": {"S": "USD"}, "amount_decimal": {"S": "2"},
        }},
        "differences": {"L": [
            {"M": {"field": {"S": "amount_decimal"}, "original": {"S": "1"}, "sent": {"S": "2"}}},
        ]},
        "accepted": {"M": {
            "transaction_id": {"S": "t"}, "receipt_id": {"S": RECEIPT},
            "received_at": {"S": "2026-11-23T21:33:22.275Z"}, "ignored": {"L": []},
        }},
        "accepted_at": {"S": "2026-11-24T00:00:00Z"},
    }));
    assert_eq!(conflict.accepted.unwrap().receipt_id.as_str(), RECEIPT);
}

#[test]
fn stored_partners_secrets_and_clicks_are_read_and_written_back() {
    let hash = "ab".repeat(32);
    let partner: PartnerItem = round(json!({
        "provider": {"S": "acme"}, "version": {"N": "3"}, "updated_at": {"S": "2026-11-23T21:33:22.275Z"},
        "file": {"S": "{\"provider\":\"acme\"}"}, "token_hashes": {"L": [{"S": hash}]},
    }));
    assert_eq!((partner.version, partner.token_hashes.len(), partner.pauses.is_none()), (3, 1, true));
    let paused: PartnerItem = round(json!({
        "provider": {"S": "acme"}, "version": {"N": "4"}, "updated_at": {"S": "2026-11-23T21:33:22.275Z"},
        "file": {"S": "{\"provider\":\"acme\"}"}, "token_hashes": {"L": []},
        "pauses": {"M": {"postbacks_since": {"S": "2026-11-23T21:33:22.275Z"}}},
    }));
    assert!(paused.pauses.webhooks_since.is_none() && paused.pauses.postbacks_since.is_some());
    round::<SecretsItem>(json!({
        "owner": {"S": "webhook#acme"}, "version": {"N": "2"}, "newest_at": {"S": "2026-11-23T21:33:22.275Z"},
        "secrets": {"L": [{"S": "whsec_"}]},
    }));
    round::<ClickItem>(json!({
        "click_id": {"S": "c-1"}, "provider": {"S": "acme"}, "landing": {"S": "main"}, "user_id": {"S": "u"},
        "clicked_at": {"S": "2026-11-23T21:33:22.275Z"}, "expires_at": {"N": "1830029602"},
    }));
}

#[test]
fn heartbeats_and_places_of_rebuilds_keep_their_form() {
    let places = [SegmentPlace::Begin, SegmentPlace::At(PageToken("{}".to_owned())), SegmentPlace::End];
    let rebuild = RebuildItem::new(Origin::Clicks, &places, Timestamp::from_second(1).unwrap());
    let stored = json!({
        "subject": {"S": "rebuild"}, "place": {"S": "clicks"}, "expires_at": {"N": "604801"},
        "segments": {"L": [{"S": "begin"}, {"M": {"at": {"S": "{}"}}}, {"S": "end"}]},
    });
    assert_eq!(to_item("test", &rebuild).unwrap(), item(stored.clone()));
    assert_eq!(read::<RebuildItem>(stored), Some(rebuild));
    let at = |second| Timestamp::from_second(second).unwrap();
    let heartbeat = Heartbeat { since: at(1), up_to: at(2), beaten_at: at(3) };
    let stored = json!({
        "subject": {"S": "heartbeat"}, "place": {"S": "clicks"}, "since": {"N": "1000"}, "up_to": {"N": "2000"},
        "beaten_at": {"N": "3000"},
    });
    assert_eq!(to_item("test", &HeartbeatItem::new(Origin::Clicks, &heartbeat)).unwrap(), item(stored.clone()));
    assert_eq!(read::<HeartbeatItem>(stored).map(Heartbeat::from), Some(heartbeat));
}

#[test]
fn stored_entries_of_users_are_read_as_they_were_written() {
    let (user, at) = (UserId::new("a#b").unwrap(), Timestamp::from_second(1).unwrap());
    let place = Place::new(at, Kind::Click, "c");
    let entry = LookupEntry { subject: Subject::User(user), place: place.clone(), expires_at: Some(9) };
    let stored = |entry: &LookupEntry| to_item("test", &LookupItem::from(entry)).unwrap().into();
    assert_eq!(lookups::of_user(stored(&entry)), Ok(vec![entry]));
    let other = LookupEntry { subject: Subject::Click(ClickId::new("c").unwrap()), place, expires_at: None };
    assert_eq!(lookups::of_user(stored(&other)), Ok(Vec::new()));
    let heartbeat = json!({"subject": {"S": "heartbeat"}, "place": {"S": "clicks"}, "since": {"N": "1000"}});
    assert_eq!(lookups::of_user(item(heartbeat).into()), Ok(Vec::new()));
}

#[test]
fn an_item_that_cannot_be_read_still_has_its_key() {
    let broken = item(json!({"provider_transaction": {"S": "acme#t"}, "revision": {"S": "original"}}));
    assert_eq!(lookups::key(Origin::Postbacks, &broken), "acme#t original");
    assert!(ChangedItem::read(Origin::Postbacks, broken.into(), None).is_err());
}
