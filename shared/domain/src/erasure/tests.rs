use alloc::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::inbound::click::ClickOrigin;
use crate::inbound::status::State;
use crate::outbound::attempt::{AnswerExcerpt, AttemptOutcome, FinishedAttempt};
use crate::outbound::delivery::tests::{moment, owed, participant, ticket};
use crate::outbound::delivery::{AttemptDecision, Delivery, Ending};
use crate::outbound::retry::RetryPolicy;
use crate::values::signature::Secret;

fn key() -> ArchiveKey {
    ArchiveKey::new(Secret::new("k"))
}

/// Returns a negative postback in which every id and text of the person has the mark `PERSON`.
fn recorded() -> RecordedPostback {
    let content = serde_json::json!({
        "user_id": "PERSON-u", "click_id": "PERSON-c", "currency": "USD", "amount_decimal": "-1.50", "event_id": "001",
        "event_name": "PERSON-e",
    });
    let id = |text: &str| TransactionId::new(text).unwrap();
    let receipt = Receipt {
        transaction_id: id("PERSON-t"),
        receipt_id: ReceiptId::from_random([1; 16]),
        received_at: Timestamp::UNIX_EPOCH,
        ignored: Vec::from(["PERSON-i".to_owned()]),
        state: Some(State::Approved),
        original_receipt_id: None,
    };
    let postback = Postback {
        provider: Provider::new("acme").unwrap(),
        transaction_id: id("PERSON-t"),
        content: serde_json::from_value(content).unwrap(),
        click: ClickOrigin::Verified,
        state: Some(State::Approved),
        reference: Some(id("PERSON-r")),
        extra: BTreeMap::from([("goal".to_owned(), "PERSON-x".to_owned())]),
        erased: None,
    };
    let receipt_id = ReceiptId::from_random([2; 16]);
    let reversed = Some(Reversed::Known { transaction_id: id("PERSON-r"), receipt_id });
    RecordedPostback { postback, receipt, reversed }
}

#[test]
fn an_erased_postback_names_nobody_and_keeps_its_amount() {
    let recorded = recorded();
    let erased = recorded.erase(&key());
    assert!(!format!("{erased:?}").contains("PERSON"), "{erased:?}");
    let (before, after) = (&recorded.postback, &erased.postback);
    assert_eq!((after.key(), after.is_erased()), (before.key(), true));
    assert_eq!(after.content.amount_decimal, before.content.amount_decimal);
    assert_eq!(
        (&after.content.event_id, after.state, after.click),
        (&before.content.event_id, before.state, before.click)
    );
    assert_eq!(erased.receipt.receipt_id, recorded.receipt.receipt_id);
    let of = |recorded: &RecordedPostback| recorded.reversed.as_ref().unwrap().key(&recorded.postback);
    assert_eq!(of(&erased), of(&recorded));
    assert_eq!(erased.erase(&key()), erased);
}

#[test]
fn an_id_that_took_the_place_of_an_erased_one_keeps_its_hash() {
    let (key, user) = (key(), UserId::new("12345").unwrap());
    let erased = key.erased_user(&user);
    assert_eq!(key.user(&erased), key.user(&user));
    assert_eq!(key.erased_user(&erased), erased);
}

#[test]
fn an_erased_delivery_ends_and_no_worker_brings_it_back() {
    let delivery = Delivery::new(participant(), owed(), moment(0), ticket(1));
    let message = delivery.first_message(ticket(2)).unwrap();
    let pace = crate::outbound::delivery::DeliveryPace::try_new(core::time::Duration::from_secs(30), 60).unwrap();
    let mark = crate::values::ids::ClaimMark::new("m").unwrap();
    let open = crate::outbound::campaign::CampaignState::Open;
    let claim = message.claim(moment(1), open, &pace, &mark).unwrap();
    let claimed = delivery.with_claim(claim.clone());
    let erased = claimed.erase(&key(), moment(2)).unwrap();
    assert_eq!((erased.ending(), erased.revision()), (Some(Ending::Cancelled), claimed.revision() + 1));
    assert_eq!((erased.id(), erased.erase(&key(), moment(3))), (delivery.id(), None));
    let stored = serde_json::to_string(&erased).unwrap();
    for id in ["gg3-42", "p-9", "c-1"] {
        assert!(!stored.contains(&format!("\"{id}\"")), "{stored}");
    }
    // The answer of an attempt that was under way is not kept, but a delivery counts.
    let answered = |status| FinishedAttempt {
        sent_at: moment(1),
        ended_at: moment(5),
        outcome: AttemptOutcome::Status(status),
        answer: AnswerExcerpt::of(b"p-9"),
        retry_after: None,
    };
    for (status, delivered) in [(500, false), (200, true)] {
        match erased.record(&claim, &answered(status), RetryPolicy::default(), ticket(4)) {
            AttemptDecision::ClaimLost { delivery, late } => {
                assert!(late.attempt.answer.is_empty());
                let is_delivered = delivery.is_some_and(|it| it.ending() == Some(Ending::Delivered) && it.is_erased());
                assert_eq!(is_delivered, delivered);
            }
            other => panic!("{other:?}"),
        }
    }
}
