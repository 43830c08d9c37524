use alloc::vec;

use super::*;
use crate::inbound::click::ClickOrigin;
use crate::inbound::postback::{Content, Extra};
use crate::inbound::status::State;
use crate::values::signature::Secret;

fn id(text: &str) -> TransactionId {
    TransactionId::new(text).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn conflict(transaction: &str, amount: &str, reference: Option<&str>) -> Conflict {
    let json = serde_json::json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": amount});
    let content: Content = serde_json::from_value(json).unwrap();
    Conflict {
        provider: crate::values::ids::Provider::new("acme").unwrap(),
        transaction_id: id(transaction),
        content,
        state: None,
        reference: reference.map(id),
        extra: Extra::from([("sub1".to_owned(), "x".to_owned())]),
        differences: Vec::new(),
        received_at: at(1),
    }
}

fn keys() -> ClickKeys {
    ClickKeys::new([Secret::new("k")].into()).unwrap()
}

fn receipt(number: u8) -> ReceiptId {
    ReceiptId::from_random([number; 16])
}

/// Returns the history of a recorded transaction. `takers` are the transactions that take an amount from it.
fn history(transaction: &str, amount: &str, takers: &[(&str, &str)]) -> History {
    let original = recorded(&conflict(transaction, amount, None), &keys(), receipt(0));
    let mut history = History::of(original.clone());
    let mut adjustments = Vec::new();
    for (taker, taken) in takers {
        let by = recorded(&conflict(taker, taken, Some(transaction)), &keys(), receipt(9));
        adjustments.push(history.adjust(&by).unwrap());
        history = History::new([Revision::Original(original.clone())], adjustments.clone()).unwrap();
    }
    history
}

/// Returns the history of a recorded negative transaction, which takes its amount from `of`.
fn taker(transaction: &str, amount: &str, of: &History) -> History {
    let by = recorded(&conflict(transaction, amount, Some("t")), &keys(), receipt(9));
    History::of(of.adjust(&by).unwrap().by)
}

fn accept(conflict: &Conflict, own: Option<&History>, others: &[History]) -> Result<Acceptance, Unacceptable> {
    Acceptance::of(conflict, (own, others), &keys(), receipt(1), at(100))
}

/// Returns each adjustment as its transaction, its amount and its place.
fn amounts(acceptance: &Acceptance) -> Vec<(&str, String, u32)> {
    let amount = |adjustment: &Adjustment| adjustment.by.postback.content.amount_decimal.to_string();
    acceptance.adjustments.iter().map(|(of, it)| (of.as_str(), amount(it), it.place)).collect()
}

#[test]
fn a_correction_keeps_what_the_partner_sent() {
    let sent = conflict("t", "2", None);
    let accepted = accept(&sent, Some(&history("t", "1", &[])), &[]).unwrap();
    let Revision::Correction(correction) = accepted.revision else { panic!() };
    assert_eq!((correction.number, correction.place, correction.corrected_at), (1, 1, at(100)));
    assert_eq!((&correction.postback.content, &correction.postback.extra), (&sent.content, &sent.extra));
    assert_eq!((correction.receipt.received_at, correction.postback.click), (at(1), ClickOrigin::Foreign));
    assert!(correction.reversed.is_none() && accepted.adjustments.is_empty());
}

#[test]
fn a_negative_amount_that_took_too_much_takes_from_no_transaction() {
    let named = history("t", "100", &[("r-1", "-60")]);
    let sent = conflict("r-2", "-60", Some("t"));
    assert_eq!(Acceptance::reversed(&sent, None), [id("t")]);
    let accepted = accept(&sent, None, &[named]).unwrap();
    let Revision::Original(original) = &accepted.revision else { panic!() };
    assert_eq!((&original.reversed, original.receipt.received_at), (&Some(Reversed::Unknown), at(100)));
    assert_eq!((original.postback.reference.as_ref(), accepted.adjustments.len()), (Some(&id("t")), 0));
}

#[test]
fn a_negative_amount_that_fits_by_now_takes_from_its_transaction() {
    let accepted = accept(&conflict("r-2", "-60", Some("t")), None, &[history("t", "100", &[])]).unwrap();
    let Revision::Original(original) = &accepted.revision else { panic!() };
    let known = Reversed::Known { transaction_id: id("t"), receipt_id: receipt(0) };
    assert_eq!(original.reversed, Some(known));
    assert_eq!(amounts(&accepted), [("t", "-60".to_owned(), 1)]);
}

#[test]
fn a_second_use_of_a_click_becomes_a_transaction_of_its_own() {
    let mut sent = conflict("t2", "5", None);
    let (original, second) = ("t".to_owned(), "t2".to_owned());
    sent.differences = [Difference { field: Field::TransactionId, original, sent: second }].into();
    let accepted = accept(&sent, None, &[]).unwrap();
    let Revision::Original(original) = accepted.revision else { panic!() };
    assert_eq!((original.reversed, original.receipt.received_at), (None, at(100)));
}

#[test]
fn a_corrected_negative_amount_takes_its_new_amount() {
    let named = history("t", "100", &[("r-1", "-60"), ("r-2", "-10")]);
    let own = taker("r-1", "-60", &history("t", "100", &[]));
    let sent = conflict("r-1", "-90", Some("t"));
    let accepted = accept(&sent, Some(&own), core::slice::from_ref(&named)).unwrap();
    assert_eq!(amounts(&accepted), [("t", "-90".to_owned(), 3)]);
    let Revision::Correction(correction) = &accepted.revision else { panic!() };
    assert_eq!((&correction.reversed, &correction.postback.reference), (&own.original().reversed, &Some(id("t"))));
    // Another transaction already takes 10, so 91 more do not fit.
    let Err(Unacceptable::DoesNotFit(of, differences)) =
        accept(&conflict("r-1", "-91", Some("t")), Some(&own), &[named])
    else {
        panic!()
    };
    assert_eq!((of, differences[0].original.as_str()), (id("t"), "90"));
}

#[test]
fn a_corrected_reference_gives_back_and_takes_anew() {
    let (before, after) = (history("t", "100", &[("r-1", "-60")]), history("t2", "80", &[]));
    let own = taker("r-1", "-60", &history("t", "100", &[]));
    for (reference, expected) in [
        (Some("t2"), vec![("t", "0".to_owned(), 2), ("t2", "-60".to_owned(), 1)]),
        (Some("nowhere"), vec![("t", "0".to_owned(), 2)]),
        (None, vec![("t", "0".to_owned(), 2)]),
    ] {
        let sent = conflict("r-1", "-60", reference);
        let others = [before.clone(), after.clone()];
        let needed = Acceptance::reversed(&sent, Some(&own));
        let others: Vec<_> =
            others.into_iter().filter(|it| needed.contains(&it.original().postback.transaction_id)).collect();
        let accepted = accept(&sent, Some(&own), &others).unwrap();
        assert_eq!(amounts(&accepted), expected, "{reference:?}");
        let Revision::Correction(correction) = accepted.revision else { panic!() };
        assert_eq!(matches!(correction.reversed, Some(Reversed::Known { .. })), reference == Some("t2"));
    }
}

#[test]
fn an_amount_that_was_given_back_can_be_taken_again() {
    let released = history("t", "100", &[("r-1", "-60")]).release(&id("r-1")).unwrap();
    let original = history("t", "100", &[]).original().clone();
    let first = history("t", "100", &[("r-1", "-60")]).adjustments().next().unwrap().clone();
    let history = History::new([Revision::Original(original)], [first, released].into()).unwrap();
    assert!(!history.adjusted().is_negative() && history.release(&id("r-1")).is_none());
    assert_eq!(history.revisions().count(), 1, "nothing takes from it now");
    let by = recorded(&conflict("r-2", "-100", Some("t")), &keys(), receipt(3));
    assert_eq!(history.adjust(&by).unwrap().place, 3);
}

#[test]
fn no_correction_leaves_less_than_zero() {
    let own = history("t", "100", &[("r-1", "-60")]);
    for (amount, currency, state, fields) in [
        ("60", "USD", None, vec![]),
        ("59.99", "USD", None, vec![Field::AmountDecimal]),
        ("100", "EUR", None, vec![Field::Currency]),
        ("1", "USD", Some(State::Rejected), vec![]),
        ("-5", "USD", None, vec![Field::AmountDecimal]),
    ] {
        let mut sent = conflict("t", amount, None);
        sent.content.currency = serde_json::from_value(currency.into()).unwrap();
        sent.state = state;
        let found = match accept(&sent, Some(&own), &[]) {
            Ok(_) => vec![],
            Err(Unacceptable::DoesNotFit(of, differences)) if of == id("t") => {
                differences.into_iter().map(|it| it.field).collect()
            }
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(found, fields, "{amount} {currency} {state:?}");
    }
    assert_eq!(accept(&conflict("x", "5", None), None, &[]), Err(Unacceptable::NoOriginal));
}
