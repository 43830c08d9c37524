use domain::{
    lookup::Origin,
    values::{
        ids::{ClickId, Provider, TransactionId, UserId},
        signature::Secret,
    },
};
use serde_json::{Value, json};

use super::{super::change::ChangedItem, *};

fn key() -> ArchiveKey {
    ArchiveKey::new(Secret::new("k"))
}

fn item(json: Value) -> serde_dynamo::Item {
    serde_json::from_value(json).unwrap()
}

fn rows_of(origin: Origin, json: Value) -> Vec<Value> {
    let rows = ChangedItem::read(origin, item(json), None).unwrap().rows(&key());
    rows.into_iter().map(|row| serde_json::to_value(row).unwrap()).collect()
}

fn postback() -> Value {
    json!({
        "provider_transaction": {"S": "acme#t"}, "revision": {"S": "original"}, "transaction_id": {"S": "t"},
        "receipt_id": {"S": "r"},
        "received_at": {"S": "2026-11-23T21:33:22.275Z"}, "click": {"S": "foreign"}, "user_id": {"S": "u"},
        "click_id": {"S": "c"}, "currency": {"S": "USD"}, "amount_decimal": {"S": "100.00"},
    })
}

#[test]
fn only_revisions_of_transactions_have_rows() {
    let rows = rows_of(Origin::Postbacks, postback());
    assert_eq!((rows.len(), &rows[0]["amount"], &rows[0]["kind"]), (1, &json!("100.00"), &json!("original")));
    let mut note = postback();
    note["revision"] = json!({"S": "revision-000001"});
    note["kind"] = json!({"S": "adjustment"});
    assert_eq!(rows_of(Origin::Postbacks, note), Vec::<Value>::new());
    let used = json!({"provider_transaction": {"S": "acme@x"}, "revision": {"S": "click-use"}});
    assert_eq!(rows_of(Origin::Postbacks, used), Vec::<Value>::new());
}

fn refusal(kind: &str) -> Value {
    json!({
        "provider_content": {"S": "acme#00ff"}, "kind": {"S": kind}, "provider": {"S": "acme"},
        "first_received_at": {"S": "2026-11-23T21:33:22.275Z"}, "last_received_at": {"S": "2026-11-23T21:34:22.275Z"},
        "times": {"N": "2"}, "transaction_id": {"S": "t"}, "user_id": {"S": "u"},
        "faults": {"L": [{"M": {"code": {"S": "missing"}, "expected": {"S": "x"}, "fix": {"S": "y"}}}]},
    })
}

#[test]
fn a_sighting_and_each_resolution_have_a_row() {
    let accepted = json!({"M": {
        "transaction_id": {"S": "t"}, "receipt_id": {"S": "r"}, "received_at": {"S": "2026-11-23T21:33:22.275Z"},
        "ignored": {"L": []},
    }});
    let at = json!({"S": "2026-11-24T00:00:00Z"});
    for (kind, attributes, codes, resolution) in [
        ("refusal", &[][..], "missing", Value::Null),
        ("refusal", &["accepted", "accepted_at"], "missing", json!("resubmitted")),
        ("conflict", &[], "conflict", Value::Null),
        ("conflict", &["accepted", "accepted_at"], "conflict", json!("accepted")),
        ("conflict", &["original_kept_at"], "conflict", json!("original_kept")),
    ] {
        let mut stored = refusal(kind);
        for name in attributes {
            stored[*name] = if *name == "accepted" { accepted.clone() } else { at.clone() };
        }
        let resolved_at = if resolution.is_null() { Value::Null } else { json!("2026-11-24 00:00:00.000") };
        let expected = json!({
            "provider": "acme", "content_hash": key().content("acme#00ff"), "kind": kind, "codes": codes,
            "first_received_at": "2026-11-23 21:33:22.275", "seen_at": "2026-11-23 21:34:22.275", "times": 2,
            "resolution": resolution, "resolved_at": resolved_at, "click_hash": null,
            "transaction_hash": key().transaction(&Provider::new("acme").unwrap(), &TransactionId::new("t").unwrap()),
            "user_hash": key().user(&UserId::new("u").unwrap()),
        });
        assert_eq!(rows_of(Origin::Refusals, stored), [expected]);
    }
    assert_eq!(rows_of(Origin::Refusals, json!({"kept": {"N": "1"}})), Vec::<Value>::new());
}

#[test]
fn a_click_has_a_row_without_its_ids() {
    let stored = json!({
        "click_id": {"S": "c-1"}, "provider": {"S": "acme"}, "landing": {"S": "main"}, "user_id": {"S": "u"},
        "clicked_at": {"S": "2026-11-23T21:33:22.275Z"}, "expires_at": {"N": "7"},
    });
    let expected = json!({
        "provider": "acme", "landing": "main", "click_hash": key().click(&ClickId::new("c-1").unwrap()),
        "user_hash": key().user(&UserId::new("u").unwrap()), "clicked_at": "2026-11-23 21:33:22.275",
    });
    assert_eq!(rows_of(Origin::Clicks, stored), [expected]);
}

fn attempt(n: u8) -> Value {
    json!({"M": {
        "n": {"N": n.to_string()}, "due_at": {"N": "2"}, "sent_at": {"N": "3"}, "duration_ms": {"N": "4"},
        "outcome": {"M": {"status": {"N": "500"}}},
    }})
}

fn delivery(attempts: &[Value]) -> Value {
    let next = json!({"M": {"due_at": {"N": "2"}, "ticket": {"S": "t"}}});
    json!({
        "delivery_id": {"S": "d"}, "provider": {"S": "acme"}, "campaign": {"S": "welcome"}, "user_id": {"S": "gg3-42"},
        "ids": {"M": {}}, "occurred_at": {"N": "1"}, "created_at": {"N": "2"}, "opened_at": {"N": "2"},
        "revision": {"N": "3"}, "round": {"N": "1"}, "attempts": {"L": attempts}, "status": {"S": "retrying"},
        "life": {"M": {"under_way": {"M": {"next": next}}}},
    })
}

#[test]
fn a_delivery_has_a_row_and_so_has_its_last_attempt() {
    let fresh = rows_of(Origin::Deliveries, delivery(&[]));
    assert_eq!((fresh.len(), &fresh[0]["status"], &fresh[0]["attempts"]), (1, &json!("pending"), &json!(0)));
    let rows = rows_of(Origin::Deliveries, delivery(&[attempt(1), attempt(2)]));
    assert_eq!((&rows[0]["attempts"], &rows[0]["revision"]), (&json!(2), &json!(3)));
    assert_eq!((rows.len(), &rows[1]["n"], &rows[1]["outcome"]), (2, &json!(2), &json!("500")));
    assert_eq!(rows[0]["delivery_hash"], rows[1]["delivery_hash"]);
}

#[test]
fn a_claim_and_a_message_of_the_sweep_have_no_rows() {
    let mut claimed = delivery(&[attempt(1)]);
    claimed["life"]["M"]["under_way"]["M"]["claim"] = json!({"M": {
        "round": {"N": "1"}, "n": {"N": "2"}, "ticket": {"S": "t"}, "mark": {"S": "m"}, "due_at": {"N": "2"},
        "until": {"N": "9"},
    }});
    assert_eq!(rows_of(Origin::Deliveries, claimed), Vec::<Value>::new());
    let mut swept = delivery(&[attempt(1)]);
    swept["swept_at"] = json!({"N": "9"});
    assert_eq!(rows_of(Origin::Deliveries, swept), Vec::<Value>::new());
}

#[test]
fn only_a_late_attempt_of_a_known_partner_has_a_row() {
    let late = json!({
        "delivery_id": {"S": "d"}, "attempt": {"S": "0000000002#1#m"}, "round": {"N": "2"}, "late": {"BOOL": true},
        "provider": {"S": "acme"}, "campaign": {"S": "welcome"}, "n": {"N": "1"}, "due_at": {"N": "2"},
        "sent_at": {"N": "3"}, "duration_ms": {"N": "4"}, "outcome": {"M": {"status": {"N": "204"}}},
    });
    let row = |item_json: &Value| late_attempt(&key(), item(item_json.clone())).unwrap();
    let made = serde_json::to_value(row(&late).unwrap()).unwrap();
    assert_eq!(json!([made["provider"], made["round"], made["late"]]), json!(["acme", 2, true]));
    for name in ["late", "provider", "campaign"] {
        let mut without = late.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(row(&without), None, "without {name}");
    }
}

#[test]
fn a_new_opening_has_a_row() {
    let opened = |at: u32| {
        let partner = json!({"since": 1, "counts_from": 1, "baseline": 0, "latest": {"at": at, "event": "e"}});
        let participant = json!({"partners": {"acme": partner}}).to_string();
        item(json!({"user_id": {"S": "gg3-42"}, "version": {"N": "1"}, "participant": {"S": participant}}))
    };
    for (before, count) in [(None, 1), (Some(5), 0), (Some(4), 1)] {
        let item = ChangedItem::read(Origin::Participants, opened(5), before.map(opened)).unwrap();
        let rows = item.rows(&key());
        assert_eq!(rows.len(), count);
    }
}

#[test]
fn an_item_that_cannot_be_read_has_a_reason() {
    for origin in Origin::ALL {
        assert!(ChangedItem::read(origin, item(json!({"user_id": {"S": "u"}})), None).is_err(), "{origin}");
    }
}
