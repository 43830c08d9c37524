use alloc::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::inbound::click::ClickOrigin;
use crate::inbound::conversion::{Receipt, RecordedPostback, Reversed};
use crate::inbound::correction::{Correction, Revision, Step};
use crate::inbound::fault::{Fault, FaultCode};
use crate::inbound::postback::{Extra, Postback};
use crate::inbound::status::State;
use crate::outbound::agreed_ids::PartnerIds;
use crate::outbound::attempt::{AnswerExcerpt, Attempt, AttemptFault, AttemptOutcome, Phase};
use crate::outbound::delivery::Delivery;
use crate::outbound::participant::{Owed, Participant};
use crate::values::ids::{CampaignName, ChainTicket, ReceiptId};
use crate::values::time::UnixMillis;

fn key() -> ArchiveKey {
    ArchiveKey::new(Secret::new("k"))
}

fn acme() -> Provider {
    Provider::new("acme").unwrap()
}

fn json_of(row: impl Serialize) -> Value {
    serde_json::to_value(row).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

proptest! {
    #[test]
    fn a_hash_shows_nothing_of_its_id(id in "[a-z0-9]{6,60}") {
        let hash = key().user(&UserId::new(id.as_str()).unwrap());
        prop_assert_eq!(hash.as_str().len(), 32);
        prop_assert!(hash.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
        prop_assert!(!hash.as_str().contains(&id));
    }

    #[test]
    fn one_text_has_another_hash_for_each_kind_partner_and_key(id in "[a-z0-9/#-]{1,60}", other in "[a-z0-9/#-]{1,60}") {
        let (key, acme, globex) = (key(), acme(), Provider::new("globex").unwrap());
        let transaction = |provider, id: &str| key.transaction(provider, &TransactionId::new(id).unwrap());
        let partner_user = |provider| key.partner_user(provider, &PartnerUserId::new(id.as_str()).unwrap());
        let user = UserId::new(id.as_str()).unwrap();
        let hashes = [
            key.user(&user),
            ArchiveKey::new(Secret::new("other")).user(&user),
            key.click(&ClickId::new(id.as_str()).unwrap()),
            key.delivery(&DeliveryId::new(id.as_str()).unwrap()),
            key.opening(&ReportId::new(id.as_str()).unwrap()),
            key.content(&id),
            transaction(&acme, &id),
            transaction(&globex, &id),
            partner_user(&acme),
            partner_user(&globex),
        ];
        prop_assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
        prop_assert_eq!(transaction(&acme, &id) == transaction(&acme, &other), id == other);
    }
}

#[test]
fn a_hash_is_the_first_half_of_an_hmac_over_kind_and_id() {
    // echo -ne 'user\0gg3-42' | openssl dgst -sha256 -hmac k
    assert_eq!(key().user(&UserId::new("gg3-42").unwrap()).as_str(), "19ef10e87e65aa2b4f4cfe63f5667d0c");
    // echo -ne 'transaction\0acme\0t-1' | openssl dgst -sha256 -hmac k
    assert_eq!(
        key().transaction(&acme(), &TransactionId::new("t-1").unwrap()).as_str(),
        "ff1821c645025acb5470d3142c14cc0e"
    );
}

fn postback(amount: &str, state: Option<State>) -> RecordedPostback {
    let content =
        json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": amount, "event_id": "e"});
    let transaction_id = TransactionId::new("t-1").unwrap();
    RecordedPostback {
        postback: Postback {
            provider: acme(),
            transaction_id: transaction_id.clone(),
            content: serde_json::from_value(content).unwrap(),
            click: ClickOrigin::Foreign,
            state,
            reference: None,
            extra: Extra::new(),
            erased: None,
        },
        receipt: Receipt {
            transaction_id,
            receipt_id: ReceiptId::new("r").unwrap(),
            received_at: at("2026-11-23T12:00:00.5Z"),
            ignored: Vec::new(),
            state,
            original_receipt_id: None,
        },
        reversed: None,
    }
}

#[test]
fn a_row_of_an_original_has_every_key() {
    let row = TransactionRow::of(&key(), &Revision::Original(postback("100.00", None)));
    let expected = json!({
        "provider": "acme", "transaction_hash": key().transaction(&acme(), &TransactionId::new("t-1").unwrap()),
        "revision": 0, "kind": "original", "correction": 0, "state": "approved",
        "received_at": "2026-11-23 12:00:00.500", "recorded_at": "2026-11-23 12:00:00.500", "currency": "USD",
        "amount": "100.00", "event_id": "e", "click": "foreign", "user_hash": key().user(&UserId::new("u").unwrap()),
        "click_hash": key().click(&ClickId::new("c").unwrap()), "reverses": null,
    });
    assert_eq!(json_of(ArchiveRow::Transaction(row)), expected);
}

#[test]
fn steps_and_corrections_say_what_they_follow() {
    let RecordedPostback { postback: rejected, receipt, .. } = postback("1", Some(State::Rejected));
    let step = Step { postback: rejected.clone(), receipt: receipt.clone(), correction: 2, place: 7 };
    let row = json_of(TransactionRow::of(&key(), &Revision::Step(step)));
    let of_step = json!([row["revision"], row["kind"], row["correction"], row["state"]]);
    assert_eq!(of_step, json!([7, "step", 2, "rejected"]));
    let correction = Correction {
        postback: rejected,
        receipt,
        original_receipt_id: ReceiptId::new("r0").unwrap(),
        number: 3,
        corrected_at: at("2026-11-24T00:00:00Z"),
        place: 8,
        reversed: None,
    };
    let row = json_of(TransactionRow::of(&key(), &Revision::Correction(correction)));
    let of_correction = json!([row["kind"], row["correction"], row["received_at"], row["recorded_at"]]);
    assert_eq!(of_correction, json!(["correction", 3, "2026-11-23 12:00:00.500", "2026-11-24 00:00:00.000"]));
}

#[test]
fn a_negative_amount_names_the_hash_of_what_it_reverses() {
    let original = TransactionId::new("t-0").unwrap();
    let known = Reversed::Known { transaction_id: original.clone(), receipt_id: ReceiptId::new("r").unwrap() };
    for (reversed, reverses) in [
        (None, Value::Null),
        (Some(Reversed::Unknown), json!("unknown")),
        (Some(known), json!(key().transaction(&acme(), &original))),
    ] {
        let revision = Revision::Original(RecordedPostback { reversed, ..postback("1", None) });
        assert_eq!(json_of(TransactionRow::of(&key(), &revision))["reverses"], reverses);
    }
}

#[test]
fn codes_of_faults_are_joined_by_commas() {
    let fault = |code| Fault::of("amount_decimal", code, "x", "y");
    assert_eq!(RefusalRow::codes_of(&[fault(FaultCode::Missing), fault(FaultCode::NotUtf8)]), "missing,not_utf8");
    assert_eq!(RefusalRow::codes_of(&[]), "");
}

fn delivery() -> Delivery {
    let owed = Owed {
        provider: acme(),
        campaign: CampaignName::new("welcome").unwrap(),
        ids: PartnerIds { click_id: ClickId::new("c-1").ok(), user_id: None },
        occurred_at: UnixMillis::from_millisecond(1),
    };
    let now = UnixMillis::from_millisecond(2);
    Delivery::new(UserId::new("gg3-42").unwrap(), owed, now, ChainTicket::from_random([1; 8]))
}

#[test]
fn a_delivery_and_its_attempts_share_a_hash() {
    let delivery = delivery();
    let row = json_of(DeliveryRow::of(&key(), &delivery));
    let expected = json!({
        "provider": "acme", "campaign": "welcome", "delivery_hash": key().delivery(delivery.id()),
        "user_hash": key().user(delivery.participant()), "click_hash": key().click(&ClickId::new("c-1").unwrap()),
        "revision": 1, "status": "pending", "round": 1, "attempts": 0, "occurred_at": "1970-01-01 00:00:00.001",
        "created_at": "1970-01-01 00:00:00.002", "ended_at": null,
    });
    assert_eq!(row, expected);
    let of = (delivery.provider(), delivery.campaign(), delivery.id());
    let timed_out = AttemptFault::TimedOut { waiting_for: Phase::Headers, after_ms: 5 };
    for (outcome, name, verdict) in [
        (AttemptOutcome::Status(204), "204", "delivered"),
        (AttemptOutcome::Status(410), "410", "gone"),
        (AttemptOutcome::Fault(timed_out), "timed_out", "failed"),
        (AttemptOutcome::Fault(AttemptFault::NotHttp), "not_http", "failed"),
        (AttemptOutcome::Fault(AttemptFault::Other("secret words".into())), "other", "failed"),
    ] {
        let due_at = UnixMillis::from_millisecond(3);
        let attempt =
            Attempt { n: 1, due_at, sent_at: due_at, duration_ms: 7, outcome, answer: AnswerExcerpt::default() };
        let row = json_of(AttemptRow::of(&key(), of, (1, false), &attempt));
        assert_eq!((&row["delivery_hash"], &row["took_ms"]), (&expected["delivery_hash"], &json!(7)));
        assert_eq!((&row["outcome"], &row["verdict"]), (&json!(name), &json!(verdict)));
    }
}

#[test]
fn an_opening_has_a_row_when_it_becomes_the_latest() {
    let opened = |at: u32| -> Participant {
        let latest = json!({"at": at, "event": "evt-1", "user_id": "p-9"});
        let partner = json!({"since": 1, "counts_from": 1, "baseline": 0, "latest": latest});
        serde_json::from_value(json!({"partners": {"acme": partner}})).unwrap()
    };
    let (user, before) = (UserId::new("gg3-42").unwrap(), opened(5));
    assert_eq!(OpeningRow::of(&key(), &user, Some(&before), &opened(5)), []);
    let expected = json!([{
        "provider": "acme", "opening_hash": key().opening(&ReportId::new("evt-1").unwrap()),
        "user_hash": key().user(&user), "opened_at": "1970-01-01 00:00:00.006", "click_hash": null,
        "partner_user_hash": key().partner_user(&acme(), &PartnerUserId::new("p-9").unwrap()),
    }]);
    for before in [None, Some(&before)] {
        assert_eq!(json_of(OpeningRow::of(&key(), &user, before, &opened(6))), expected);
    }
}
