use std::collections::BTreeMap;

use domain::{
    audit::{Author, Channel},
    inbound::{
        conversion::{Conversion, ConversionType, RecordedPostback},
        correction::{Correction, Revision},
        postback::{Content, Extra, Postback},
        refusal::{Conflict, KeptConflict},
    },
    values::{ids::Provider, signature::Secret},
};

use super::*;
use crate::{
    memory::{Trouble, World},
    ports::{Postbacks, Refusals},
};

fn keys() -> ClickKeys {
    ClickKeys::new(vec![Secret::new("k")]).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn transaction() -> TransactionId {
    TransactionId::new("t").unwrap()
}

fn content(amount: &str) -> Content {
    let json = serde_json::json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": amount});
    serde_json::from_value(json).unwrap()
}

fn conflict(amount: &str) -> Conflict {
    Conflict {
        provider: Provider::new("acme").unwrap(),
        transaction_id: transaction(),
        content: content(amount),
        state: None,
        reference: None,
        extra: Extra::from([("sub1".to_owned(), amount.to_owned())]),
        differences: content("1").differences(&content(amount)),
        received_at: at(100),
    }
}

/// Returns a world in which transaction `t` is recorded with the amount 1, and these amounts conflict.
async fn world(amounts: &[&str]) -> World {
    let world = World::default();
    let postback = Postback {
        provider: Provider::new("acme").unwrap(),
        transaction_id: transaction(),
        content: content("1"),
        click: keys().origin(&conflict("1").provider, &content("1").user_id, &content("1").click_id),
        state: None,
        reference: None,
        extra: Extra::new(),
        erased: None,
    };
    let receipt = Receipt {
        transaction_id: transaction(),
        receipt_id: ReceiptId::from_random([0; 16]),
        received_at: at(1),
        ignored: Vec::new(),
        state: None,
        original_receipt_id: None,
    };
    world.record(&RecordedPostback { postback, receipt, reversed: None }).await.unwrap();
    for amount in amounts {
        assert_eq!(world.keep_conflict(&conflict(amount), 99).await, Ok(KeptConflict::Unresolved));
    }
    world
}

/// Returns an operation that differs from every other by its random bytes.
fn operation(random: u8) -> Operation {
    Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [random; 8])
}

async fn accept_as(world: &World, amount: &str, receipt: u8) -> Result<Resolution, Unavailable> {
    let key = conflict(amount).key();
    let operation = operation(receipt);
    accept(world, &keys(), (&transaction(), &key), (&operation, at(200)), ReceiptId::from_random([receipt; 16])).await
}

/// Accepts the conflict of this amount, and returns the correction.
async fn corrected_as(world: &World, amount: &str, receipt: u8) -> Correction {
    match accept_as(world, amount, receipt).await {
        Ok(Resolution::Accepted(revision)) => match *revision {
            Revision::Correction(correction) => correction,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

async fn keep(world: &World, amount: &str) -> Resolution {
    keep_original(world, (&transaction(), &conflict(amount).key()), (&operation(9), at(200))).await.unwrap()
}

/// Returns the actions of the audit records.
fn actions(world: &World) -> Vec<Action> {
    world.state().audit.iter().map(|record| record.action).collect()
}

fn corrections(world: &World) -> Vec<Correction> {
    world.state().corrections.values().flatten().cloned().collect()
}

#[tokio::test]
async fn accepting_makes_a_correction_that_answers_the_same_content() {
    let world = world(&["2"]).await;
    let originals = world.state().postbacks.clone();
    let made = corrected_as(&world, "2", 1).await;
    assert_eq!((made.number, made.corrected_at, made.receipt.received_at), (1, at(200), at(100)));
    assert_eq!(world.state().postbacks, originals);
    assert_eq!(world.keep_conflict(&conflict("2"), 99).await, Ok(KeptConflict::AcceptedAs(made.receipt.clone())));
    let conversion = Conversion::from(Revision::Correction(made));
    assert_eq!((conversion.kind, conversion.correction), (ConversionType::Corrected, Some(1)));
    assert_eq!(conversion.extra, conflict("2").extra);
    assert_eq!(conversion.original_receipt_id, Some(ReceiptId::from_random([0; 16])));
}

#[tokio::test]
async fn accepting_again_makes_no_second_correction() {
    let world = world(&["2"]).await;
    let made = corrected_as(&world, "2", 1).await;
    assert_eq!(accept_as(&world, "2", 2).await, Ok(Resolution::AcceptedBefore(made.receipt)));
    assert_eq!(corrections(&world).len(), 1);
}

#[tokio::test]
async fn a_repeated_acceptance_leaves_one_correction_after_any_fault() {
    for call in 0..3 {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = world(&["2"]).await;
            let calls = world.state().calls.len();
            world.state().trouble = BTreeMap::from([(calls + call, trouble)]);
            let _ = accept_as(&world, "2", 1).await;
            let again = accept_as(&world, "2", 2).await;
            assert!(matches!(again, Ok(Resolution::Accepted(_) | Resolution::AcceptedBefore(_))), "{again:?}");
            assert_eq!(corrections(&world).len(), 1, "call {call}, {trouble:?}");
            assert_eq!(actions(&world), [Action::AcceptConflict], "call {call}, {trouble:?}");
        }
    }
}

#[tokio::test]
async fn a_second_correction_has_the_next_number() {
    let world = world(&["2", "3"]).await;
    for (amount, number) in [("2", 1), ("3", 2)] {
        let made = corrected_as(&world, amount, 9).await;
        assert_eq!((made.number, &made.original_receipt_id), (number, &ReceiptId::from_random([0; 16])));
    }
}

#[tokio::test]
async fn two_operators_corrections_get_different_numbers() {
    let world = world(&["2", "3"]).await;
    // The second operator has read the transaction before the first one writes.
    let history = Resolutions::history(&world, &conflict("3").provider, &transaction()).await.unwrap().unwrap();
    let receipt_id = ReceiptId::from_random([3; 16]);
    let late = Acceptance::of(&conflict("3"), (Some(&history), &[]), &keys(), receipt_id, at(200)).unwrap();
    assert!(matches!(accept_as(&world, "2", 2).await, Ok(Resolution::Accepted(_))));
    let late_record = operation(7).record(at(200), Action::AcceptConflict, Subject::Catalogue);
    assert_eq!(Resolutions::accept(&world, &conflict("3").key(), &late, &late_record).await, Ok(Replaced::Changed));
    assert!(matches!(accept_as(&world, "3", 3).await, Ok(Resolution::Accepted(_))));
    assert_eq!(corrections(&world).iter().map(|made| made.number).collect::<Vec<_>>(), [1, 2]);
    // The operator who lost the race left no audit record.
    assert_eq!(actions(&world), [Action::AcceptConflict; 2]);
}

#[tokio::test]
async fn a_kept_originals_conflict_expires_unless_it_comes_again() {
    let world = world(&["2"]).await;
    assert_eq!(keep(&world, "2").await, Resolution::OriginalKept);
    let key = conflict("2").key();
    let expired = at(crate::memory::REFUSALS.end(at(200)));
    assert_eq!(world.find_conflict(&key, expired).await, Ok(None));
    assert_eq!(world.keep_conflict(&conflict("2"), 99).await, Ok(KeptConflict::Unresolved));
    assert!(world.find_conflict(&key, expired).await.unwrap().is_some());
}

#[tokio::test]
async fn an_accepted_conflict_stays_accepted_and_never_expires() {
    let world = world(&["2"]).await;
    keep(&world, "2").await;
    let made = corrected_as(&world, "2", 1).await;
    assert_eq!(keep(&world, "2").await, Resolution::AcceptedBefore(made.receipt));
    assert!(world.find_conflict(&conflict("2").key(), at(9_000_000_000)).await.unwrap().is_some());
}

#[tokio::test]
async fn an_unknown_or_foreign_conflict_is_not_resolved() {
    let world = world(&["2"]).await;
    assert_eq!(accept_as(&world, "7", 1).await, Ok(Resolution::Unknown));
    assert_eq!(keep(&world, "7").await, Resolution::Unknown);
    let (other, key) = (TransactionId::new("other").unwrap(), conflict("2").key());
    let receipt_id = ReceiptId::from_random([1; 16]);
    let resolved = accept(&world, &keys(), (&other, &key), (&operation(1), at(200)), receipt_id).await;
    assert_eq!(resolved, Ok(Resolution::OfAnother(transaction())));
    assert!(corrections(&world).is_empty() && actions(&world).is_empty());
}

#[tokio::test]
async fn an_original_is_kept_with_its_record_or_neither_is_stored() {
    for call in 0..2 {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = world(&["2"]).await;
            let calls = world.state().calls.len();
            world.state().trouble = BTreeMap::from([(calls + call, trouble)]);
            let key = conflict("2").key();
            let kept = keep_original(&world, (&transaction(), &key), (&operation(1), at(200))).await;
            assert!(kept.is_err());
            let state = world.state();
            assert_eq!(state.kept_originals.len(), state.audit.len(), "call {call}, {trouble:?}");
        }
    }
}

/// Records a negative transaction that takes this amount from `t`.
async fn take_back(world: &World, amount: &str) {
    let history = Resolutions::history(world, &conflict("1").provider, &transaction()).await.unwrap().unwrap();
    let mut by = history.original().clone();
    let id = TransactionId::new("r").unwrap();
    (by.postback.transaction_id, by.receipt.transaction_id) = (id.clone(), id);
    (by.postback.content, by.receipt.receipt_id) = (content(amount), ReceiptId::from_random([8; 16]));
    assert_eq!(world.adjust(&transaction(), &history.adjust(&by).unwrap()).await, Ok(Replaced::Done));
}

#[tokio::test]
async fn no_correction_leaves_less_than_was_taken_back() {
    for (accepted, leaves_enough) in [("0.59", false), ("0.6", true), ("2", true)] {
        let world = world(&[accepted]).await;
        take_back(&world, "-0.6").await;
        let resolution = accept_as(&world, accepted, 1).await.unwrap();
        assert_eq!(matches!(resolution, Resolution::Accepted(_)), leaves_enough, "{accepted}: {resolution:?}");
        assert_eq!(corrections(&world).len(), usize::from(leaves_enough));
        assert_eq!(actions(&world).len(), usize::from(leaves_enough));
    }
}

#[tokio::test]
async fn no_correction_changes_the_currency_of_what_was_taken_back() {
    let world = world(&[]).await;
    let mut conflict = conflict("2");
    conflict.content.currency = serde_json::from_str("\"EUR\"").unwrap();
    world.keep_conflict(&conflict, 9).await.unwrap();
    take_back(&world, "-0.6").await;
    let which = (&transaction(), &conflict.key());
    let resolution = accept(&world, &keys(), which, (&operation(1), at(200)), ReceiptId::from_random([1; 16])).await;
    let Ok(Resolution::Unacceptable(Unacceptable::DoesNotFit(id, _))) = resolution else { panic!("{resolution:?}") };
    assert_eq!(id, transaction());
}
