use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::archive::ArchiveKey;
use crate::inbound::acceptance::Acceptance;
use crate::inbound::click::{ClickKeys, ClickOrigin};
use crate::inbound::conversion::{Conversion, ConversionType};
use crate::inbound::postback::{Content, Extra};
use crate::inbound::refusal::Conflict;
use crate::inbound::status::StatusFile;
use crate::values::config_fault::Faults;
use crate::values::ids::{Provider, ReceiptId, TransactionId};
use crate::values::signature::Secret;

fn content(amount: &str) -> Content {
    let json = serde_json::json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": amount});
    serde_json::from_value(json).unwrap()
}

fn agreed(amount_may_change: &[State]) -> StatusAgreement {
    let file = StatusFile { parameter: "s".into(), approved: Vec::from(["yes".into()]), ..StatusFile::default() };
    StatusAgreement::parse(&file, amount_may_change, &mut Faults::default())
}

/// Makes a call for the transaction `t`. The number `receipt` becomes the receipt id, so that each call can have its
/// own.
fn call(state: Option<State>, amount: &str, receipt: u8) -> RecordedPostback {
    let transaction_id = TransactionId::new("t").unwrap();
    let (provider, content) = (Provider::new("acme").unwrap(), content(amount));
    let receipt = Receipt {
        transaction_id: transaction_id.clone(),
        receipt_id: ReceiptId::from_random([receipt; 16]),
        received_at: Timestamp::UNIX_EPOCH,
        ignored: Vec::new(),
        state,
        original_receipt_id: None,
    };
    let click = ClickOrigin::Foreign;
    let postback = Postback {
        provider,
        transaction_id,
        content,
        click,
        state,
        reference: None,
        extra: Extra::new(),
        erased: None,
    };
    RecordedPostback { postback, receipt, reversed: None }
}

/// Applies calls as the store does, and keeps the records that the store would have.
#[derive(Default)]
struct Store {
    revisions: Vec<Revision>,
    adjustments: Vec<Adjustment>,
}

impl Store {
    fn history(&self) -> Option<History> {
        History::new(self.revisions.iter().cloned(), self.adjustments.clone())
    }

    /// Applies one call. Returns the decision, or `None` for the first call.
    fn play(&mut self, call: RecordedPostback, agreed: Option<&StatusAgreement>) -> Option<Decision> {
        let Some(history) = self.history() else {
            self.revisions.push(Revision::Original(call));
            return None;
        };
        let decision = history.decide(&call, agreed);
        if let Decision::Step(step) = &decision {
            self.revisions.push(Revision::Step((**step).clone()));
        }
        Some(decision)
    }

    /// Accepts the conflict that this call caused as a correction.
    fn correct(&mut self, call: &RecordedPostback, differences: Vec<Difference>) {
        let conflict = Conflict {
            provider: call.postback.provider.clone(),
            transaction_id: call.postback.transaction_id.clone(),
            content: call.postback.content.clone(),
            state: call.postback.state,
            reference: call.postback.reference.clone(),
            extra: call.postback.extra.clone(),
            differences,
            received_at: Timestamp::UNIX_EPOCH,
        };
        let keys = ClickKeys::new([Secret::new("k")].into()).unwrap();
        let (history, receipt_id) = (self.history().unwrap(), call.receipt.receipt_id.clone());
        let own = (Some(&history), &[][..]);
        let acceptance = Acceptance::of(&conflict, own, &keys, receipt_id, Timestamp::UNIX_EPOCH).unwrap();
        self.revisions.push(acceptance.revision);
    }

    fn conversions(&self) -> Vec<Conversion> {
        self.revisions.iter().cloned().map(Conversion::from).collect()
    }

    fn current(&self) -> (State, Content) {
        let history = self.history().unwrap();
        (history.current().postback.state(), history.current().postback.content.clone())
    }
}

fn states() -> impl Strategy<Value = State> {
    prop::sample::select(State::ALL.to_vec())
}

/// Makes states with amounts that fit together in one transaction: an amount differs from the amount of a lower state
/// only if such a change is agreed.
fn steps() -> impl Strategy<Value = (Vec<State>, Vec<(State, &'static str)>)> {
    let may_change = prop::sample::subsequence(Vec::from([State::Approved, State::Rejected]), 0..=2);
    let sent = prop::sample::subsequence(State::ALL.to_vec(), 1..=3);
    (may_change, sent, prop::collection::vec(prop::sample::select(&["1", "2", "3"][..]), 3)).prop_map(
        |(may_change, sent, amounts)| {
            let mut steps: Vec<(State, &str)> = Vec::new();
            for (state, amount) in sent.into_iter().zip(amounts) {
                let fixed = steps.first().filter(|_| !may_change.contains(&state)).map(|(_, amount)| *amount);
                let all_equal = steps.iter().all(|(_, amount)| Some(*amount) == fixed);
                if fixed.is_some() && !all_equal {
                    continue;
                }
                steps.push((state, fixed.unwrap_or(amount)));
            }
            (may_change, steps)
        },
    )
}

proptest! {
    #[test]
    fn every_order_and_repetition_of_steps_ends_alike(
        (may_change, steps) in steps(), order in prop::collection::vec(any::<prop::sample::Index>(), 0..12)
    ) {
        let agreed = agreed(&may_change);
        let mut store = Store::default();
        // Calls come in any order, and then each comes once more, because a partner repeats every call that was not
        // answered 200.
        let calls = order.iter().map(|at| *at.get(&steps)).chain(steps.iter().rev().copied());
        for (at, (state, amount)) in calls.enumerate() {
            let before = store.revisions.len();
            let decision = store.play(call(Some(state), amount, u8::try_from(at).unwrap()), Some(&agreed));
            if let Some(Decision::Conflict(differences)) = decision {
                let fields: Vec<Field> = differences.iter().map(|difference| difference.field).collect();
                prop_assert_eq!((state, fields, store.current().0), (State::Approved, Vec::from([Field::Status]), State::Rejected));
            }
            // Each revision is stored once and raises the rank.
            prop_assert!(store.revisions.len() <= before + 1);
            prop_assert!(store.revisions.windows(2).all(|pair| pair[0].rank() < pair[1].rank()));
        }
        let (highest, amount) = steps.last().copied().unwrap();
        prop_assert_eq!(store.current(), (highest, content(amount)));
        let conversions = store.conversions();
        for state in State::ALL {
            let of_it = conversions.iter().filter(|conversion| conversion.state == Some(state)).count();
            prop_assert!(of_it <= 1 && (of_it == 1 || state != highest));
        }
    }

    #[test]
    fn a_call_without_a_state_is_decided_as_before(recorded in "[1-3]", sent in "[1-3](\\.0)?", corrected in prop::option::of("[4-5]")) {
        let mut store = Store::default();
        store.play(call(None, &recorded, 0), None);
        if let Some(corrected) = corrected {
            store.correct(&call(None, &corrected, 1), Vec::new());
        }
        // The function postback compares a call with the original alone.
        let Revision::Original(original) = store.revisions[0].clone() else { panic!() };
        let sent = call(None, &sent, 2);
        let differences = original.postback.content.differences(&sent.postback.content);
        let before = if differences.is_empty() {
            Decision::Duplicate(original.receipt.clone())
        } else {
            Decision::Conflict(differences)
        };
        prop_assert_eq!(History::of(original).decide(&sent, None), before);
    }

    #[test]
    fn corrections_and_states_rise_along_the_chain(calls in prop::collection::vec((states(), "[1-2]"), 1..12)) {
        let agreed = agreed(&[]);
        let mut store = Store::default();
        for (at, (state, amount)) in calls.into_iter().enumerate() {
            let call = call(Some(state), &amount, u8::try_from(at).unwrap());
            if let Some(Decision::Conflict(differences)) = store.play(call.clone(), Some(&agreed)) {
                store.correct(&call, differences);
            }
            prop_assert!(store.revisions.windows(2).all(|pair| pair[0].rank() < pair[1].rank()));
            prop_assert!(store.revisions.windows(2).all(|pair| pair[0].place() + 1 == pair[1].place()));
            // A conflict that was accepted and is sent again is a duplicate.
            prop_assert!(matches!(store.history().unwrap().decide(&call, Some(&agreed)), Decision::Duplicate(_)));
        }
        let latest = Revision::latest(store.revisions.iter().cloned()).unwrap();
        let history = store.history().unwrap();
        prop_assert_eq!(latest.receipt(), history.current().receipt);
    }
}

#[test]
fn a_step_names_the_original_and_a_resend_tells_what_stands() {
    let agreed = agreed(&[]);
    let mut store = Store::default();
    store.play(call(Some(State::Approved), "1", 1), Some(&agreed));
    let Some(Decision::Step(step)) = store.play(call(Some(State::Rejected), "1", 2), Some(&agreed)) else { panic!() };
    assert_eq!(step.receipt.original_receipt_id, Some(ReceiptId::from_random([1; 16])));
    assert_eq!((step.receipt.receipt_id.clone(), step.place), (ReceiptId::from_random([2; 16]), 1));
    for state in State::ALL {
        let decision = store.play(call(Some(state), "1.0", 3), Some(&agreed));
        assert_eq!(decision, Some(Decision::Duplicate(step.receipt.clone())), "{state}");
    }
    let kinds: Vec<_> = store.conversions().into_iter().map(|conversion| conversion.kind).collect();
    assert_eq!(kinds, [ConversionType::Accepted, ConversionType::Rejected]);
}

#[test]
fn no_step_makes_a_positive_transaction_negative() {
    let agreed = agreed(&[State::Approved]);
    for (first, second) in [("100", "-50"), ("-50", "100")] {
        let mut store = Store::default();
        store.play(call(Some(State::Pending), first, 1), Some(&agreed));
        let decision = store.play(call(Some(State::Approved), second, 2), Some(&agreed));
        let Some(Decision::Conflict(differences)) = decision else { panic!("{decision:?}") };
        assert_eq!(differences.iter().map(|it| it.field).collect::<Vec<_>>(), [Field::AmountDecimal]);
    }
}

#[test]
fn an_approval_after_a_rejection_conflicts_in_its_status() {
    let agreed = agreed(&[]);
    let mut store = Store::default();
    store.play(call(Some(State::Rejected), "1", 1), Some(&agreed));
    let approval = call(Some(State::Approved), "1", 2);
    let Some(Decision::Conflict(differences)) = store.play(approval.clone(), Some(&agreed)) else { panic!() };
    let told: Vec<_> = differences.iter().map(|it| (it.field, it.original.as_str(), it.sent.as_str())).collect();
    assert_eq!(told, [(Field::Status, "rejected", "approved")]);
    store.correct(&approval, differences);
    assert_eq!(store.current().0, State::Approved);
}

#[test]
fn a_rejection_after_an_accepted_approval_is_never_lost() {
    let agreed = agreed(&[]);
    let rejected: [&[State]; 3] =
        [&[State::Rejected], &[State::Approved, State::Rejected], &[State::Pending, State::Rejected]];
    for first in rejected {
        let mut store = Store::default();
        for state in first {
            store.play(call(Some(*state), "1", 1), Some(&agreed));
        }
        let approval = call(Some(State::Approved), "1", 2);
        store.correct(&approval, Vec::new());
        // The call may repeat the overruled rejection or make a new one, so an operator decides.
        let again = call(Some(State::Rejected), "1", 3);
        let Some(Decision::Conflict(differences)) = store.play(again.clone(), Some(&agreed)) else { panic!() };
        let told: Vec<_> = differences.iter().map(|it| (it.field, it.original.as_str(), it.sent.as_str())).collect();
        assert_eq!(told, [(Field::Status, "approved", "rejected")]);
        assert_eq!(store.current().0, State::Approved);
        // After the operator has accepted the conflict, the repeated call is a duplicate.
        store.correct(&again, differences);
        assert_eq!(store.current().0, State::Rejected);
        assert!(matches!(store.play(again, Some(&agreed)), Some(Decision::Duplicate(_))));
        assert!(matches!(store.play(approval, Some(&agreed)), Some(Decision::Duplicate(_))));
    }
}

#[test]
fn an_amount_changes_only_with_a_step_for_which_it_is_agreed() {
    for (may_change, state, changes) in [
        (&[State::Approved][..], State::Approved, true),
        (&[State::Approved], State::Rejected, false),
        (&[], State::Approved, false),
    ] {
        let agreed = agreed(may_change);
        let mut store = Store::default();
        store.play(call(Some(State::Pending), "1", 1), Some(&agreed));
        let decision = store.play(call(Some(state), "2", 2), Some(&agreed));
        assert_eq!(matches!(decision, Some(Decision::Step(_))), changes, "{may_change:?} {state}");
        assert_eq!(matches!(decision, Some(Decision::Conflict(_))), !changes);
        if changes {
            let again = store.play(call(Some(state), "3", 3), Some(&agreed));
            assert!(matches!(again, Some(Decision::Conflict(_))), "the same state with another amount");
        }
    }
}

#[test]
fn adjustments_never_take_more_than_a_step_leaves() {
    let agreed = agreed(&[State::Approved]);
    for (amount, state, fits) in [
        ("3", State::Approved, true),
        ("2", State::Approved, true),
        ("1.99", State::Approved, false),
        // A rejection takes what is left.
        ("5", State::Rejected, true),
    ] {
        let mut store = Store::default();
        store.play(call(Some(State::Pending), "5", 1), Some(&agreed));
        store.adjustments.push(Adjustment { by: call(None, "-2", 9), place: 1 });
        let by = |amount: &str| {
            let mut by = call(None, amount, 8);
            by.postback.transaction_id = TransactionId::new("r").unwrap();
            by
        };
        match store.play(call(Some(state), amount, 2), Some(&agreed)) {
            Some(Decision::Step(step)) => {
                assert_eq!((fits, step.place), (true, 2), "{amount} {state}");
                // Nothing more can be taken than is left: 1 of 3, and nothing of 2 or of a rejected transaction.
                let history = store.history().unwrap();
                assert!(history.adjust(&by("-1.01")).is_err());
                assert_eq!(history.adjust(&by("-1")).is_ok(), amount == "3");
            }
            other => assert!(!fits && matches!(other, Some(Decision::Conflict(_))), "{amount} {state}: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn an_erased_transaction_knows_its_own_calls_alone(
        calls in prop::collection::vec((prop::sample::select(&State::ALL[..]), 1..3_u32), 1..6),
        (state, amount) in (prop::sample::select(&State::ALL[..]), 1..4_u32),
    ) {
        let (agreed, key) = (agreed(&[State::Approved]), ArchiveKey::new(Secret::new("k")));
        let mut store = Store::default();
        for (receipt, (state, amount)) in (1..).zip(calls) {
            store.play(call(Some(state), &amount.to_string(), receipt), Some(&agreed));
        }
        let sent = call(Some(state), &amount.to_string(), 9);
        let before = store.history().unwrap().decide(&sent, Some(&agreed));
        let erased: Vec<Revision> = store.revisions.iter().map(|revision| revision.erase(&key)).collect();
        let twice: Vec<Revision> = erased.iter().map(|revision| revision.erase(&key)).collect();
        prop_assert_eq!(&erased, &twice);
        let after = History::new(erased, Vec::new()).unwrap().decide(&sent, Some(&agreed));
        match (before, after) {
            (Decision::Duplicate(before), Decision::Duplicate(after)) => {
                prop_assert_eq!(before.receipt_id, after.receipt_id);
            }
            (Decision::Step(_) | Decision::Conflict(_), Decision::Erased) => {}
            // A late call with another amount that may change was a duplicate. The hash cannot tell that.
            (Decision::Duplicate(_), Decision::Erased) if state == State::Pending => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
