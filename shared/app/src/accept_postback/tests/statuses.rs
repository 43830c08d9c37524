//! Tests calls of partners that agreed on statuses and on negative amounts.

use domain::{
    audit::{Author, Channel, Operation},
    inbound::{
        conversion::{ConversionType, Reversed},
        correction::Revision,
        status::State,
    },
};

use super::*;
use crate::resolve_conflict::{Resolution, accept};

const AGREED: &str = r#"{"provider":"acme","postback":{"status":{"parameter":"state","pending":["pending"],
    "approved":["approved"],"rejected":["rejected"],"ignored":["test"]},"amount_may_change":["approved"],
    "negative_amounts":"reverse","reference":"ref"}}"#;

fn rig() -> Rig {
    Rig::with([AGREED])
}

impl Rig {
    /// Changes what the partner agreed on.
    fn agreed(self, file: &str) -> Self {
        let (postbacks, refusals) = (self.world.clone(), self.world.clone());
        Self { accept: AcceptPostback { postbacks, refusals, ..Self::with([file]).accept }, ..self }
    }
}

fn said(state: &str) -> String {
    format!("{SAMPLE}&state={state}")
}

/// Returns the sample as a transaction with this id and amount, which reverses the transaction `reference`.
fn negative(transaction: &str, amount: &str, reference: &str) -> String {
    let sample = SAMPLE.replace("123123123", transaction).replace("100.00", amount);
    format!("{sample}&ref={reference}")
}

fn duplicate(answer: PostbackAnswer) -> Receipt {
    match answer {
        PostbackAnswer::Duplicate(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

fn conflict(answer: PostbackAnswer) -> Contradiction {
    match answer {
        PostbackAnswer::Conflict(conflict) => *conflict,
        other => panic!("{other:?}"),
    }
}

/// Returns the states of all revisions in the order in which they were recorded.
fn states(rig: &Rig) -> Vec<State> {
    let state = rig.world.state();
    let originals = state.postbacks.values().map(|original| original.postback.state());
    originals.chain(state.steps.values().flatten().map(|step| step.postback.state())).collect()
}

#[tokio::test]
async fn a_reversal_is_a_step_and_never_lost() {
    let rig = rig();
    let approved = accepted(rig.get(&said("approved")).await);
    let rejected = accepted(rig.get(&said("rejected")).await);
    assert_eq!(rejected.original_receipt_id.as_ref(), Some(&approved.receipt_id));
    assert_eq!((approved.state, rejected.state), (Some(State::Approved), Some(State::Rejected)));
    for resend in [said("rejected"), said("approved"), said("pending"), SAMPLE.to_owned()] {
        assert_eq!(duplicate(rig.get(&resend).await), rejected, "{resend}");
    }
    assert_eq!(states(&rig), [State::Approved, State::Rejected]);
}

#[tokio::test]
async fn a_first_step_costs_two_writes_and_other_calls_one_read() {
    let rig = rig();
    rig.get(&said("pending")).await;
    rig.calls();
    let taken = ["record postback", "add step", "read history", "add step"];
    let read = ["record postback", "read history"];
    for (query, calls) in [
        (said("approved"), &["record postback", "add step"][..]),
        (said("approved"), &["record postback", "add step", "read history"]),
        (said("pending"), &read),
        (said("rejected"), &taken),
        (said("pending"), &read),
        (said("approved").replace("USD", "EUR"), &["record postback", "read history", "keep conflict"]),
    ] {
        rig.get(&query).await;
        assert_eq!(rig.calls(), calls, "{query}");
    }
    let first = said("rejected").replace("123123123", "2");
    rig.get(&first).await;
    rig.calls();
    rig.get(&first).await;
    assert_eq!(rig.calls(), read, "an operator may have accepted an approval since");
}

#[tokio::test]
async fn an_approval_after_a_rejection_is_a_conflict_until_accepted() {
    let rig = rig();
    let rejected = accepted(rig.get(&said("rejected")).await);
    let told = conflict(rig.get(&said("approved")).await);
    assert_eq!((told.original, told.differences.len()), (rejected, 1));
    let (name, difference) = &told.differences[0];
    assert_eq!((name.as_str(), difference.original.as_str()), ("state", "rejected"));
    let kept = rig.world.state().conflicts.values().next().unwrap().0.clone();
    assert_eq!(kept.state, Some(State::Approved));
}

#[tokio::test]
async fn an_ignored_status_is_kept_and_never_recorded() {
    let rig = rig();
    assert_eq!(rig.get(&said("test")).await, PostbackAnswer::Ignored);
    assert_eq!(rig.get(&format!("{}&dry_run=true", said("test"))).await, PostbackAnswer::Ignored);
    let state = rig.world.state();
    assert!(state.postbacks.is_empty());
    let codes: Vec<_> = state.refusals.values().flat_map(|(refusal, _)| &refusal.faults).map(|it| it.code).collect();
    assert_eq!(codes, [FaultCode::StatusIgnored]);
}

#[tokio::test]
async fn a_dry_run_tells_the_step_and_writes_nothing() {
    let rig = rig();
    rig.get(&said("approved")).await;
    let dry = accepted(rig.get(&format!("{}&dry_run=true", said("rejected"))).await);
    assert_eq!(dry.state, Some(State::Rejected));
    assert!(rig.world.state().steps.is_empty());
}

#[tokio::test]
async fn states_survive_the_end_of_an_agreement() {
    let rig = rig();
    rig.get(&said("pending")).await;
    let approved = accepted(rig.get(&said("approved")).await);
    let without = rig.agreed(r#"{"provider":"acme"}"#);
    assert_eq!(duplicate(without.get(SAMPLE).await), approved);
    assert!(matches!(without.get(&said("rejected")).await, PostbackAnswer::Malformed(_)));
}

/// Tries every single fault and every pair of faults of the ports over one transaction. Each call is repeated until it
/// is answered.
#[tokio::test]
async fn whatever_fails_a_step_answered_200_is_recorded_once() {
    let approved = said("approved").replace("100.00", "90");
    let rejected = said("rejected").replace("100.00", "90");
    for trouble in one_or_two_faults(20) {
        let rig = rig();
        rig.world.state().trouble.clone_from(&trouble);
        let mut receipts = Vec::new();
        for query in [&said("pending"), &approved, &approved, &rejected, &said("pending"), &rejected] {
            match rig.answered(query).await {
                PostbackAnswer::Accepted(receipt) | PostbackAnswer::Duplicate(receipt) => receipts.push(receipt),
                other => panic!("{other:?} under {trouble:?}"),
            }
        }
        assert_eq!(states(&rig), State::ALL, "{trouble:?}");
        let state = rig.world.state();
        let steps = state.steps.values().flatten().cloned().map(Revision::Step);
        let originals = state.postbacks.values().cloned().map(Revision::Original);
        let recorded: Vec<_> = originals.chain(steps).map(|revision| revision.receipt().receipt_id.clone()).collect();
        // Each answer names the revision that was current at the time of the answer.
        let answered: Vec<_> = receipts.iter().map(|receipt| receipt.receipt_id.clone()).collect();
        let expected: Vec<_> = [0, 1, 1, 2, 2, 2].map(|at: usize| recorded[at].clone()).into();
        assert_eq!(answered, expected, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_negative_amount_never_takes_more_than_is_left() {
    let rig = rig();
    accepted(rig.get(SAMPLE).await);
    accepted(rig.get(&negative("r-1", "-60", "123123123")).await);
    duplicate(rig.get(&negative("r-1", "-60.00", "123123123")).await);
    let told = conflict(rig.get(&negative("r-2", "-40.01", "123123123")).await);
    let (name, difference) = &told.differences[0];
    assert_eq!(
        (name.as_str(), difference.original.as_str(), difference.sent.as_str()),
        ("amount_decimal", "40.00", "-40.01")
    );
    accepted(rig.get(&negative("r-3", "-40", "123123123")).await);
    // The same transaction with another amount or another reference is a conflict.
    conflict(rig.get(&negative("r-1", "-1", "123123123")).await);
    conflict(rig.get(&negative("r-1", "-60", "other")).await);
    // A rejection takes what is left, and nothing can be taken from it later.
    accepted(rig.get(&said("rejected")).await);
    conflict(rig.get(&negative("r-4", "-1", "123123123")).await);
    let state = rig.world.state();
    let adjusted: Vec<_> = state.adjustments.values().flatten().map(|adjustment| adjustment.place).collect();
    assert_eq!((state.postbacks.len(), adjusted), (3, vec![1, 2]));
}

#[tokio::test]
async fn a_negative_amount_for_an_unknown_transaction_is_recorded() {
    let rig = rig();
    accepted(rig.get(&negative("r-1", "-60", "nowhere")).await);
    accepted(rig.get(&negative("r-2", "-60", "")).await);
    accepted(rig.get(SAMPLE).await);
    accepted(rig.get(&negative("r-3", "-100", "123123123")).await);
    let state = rig.world.state();
    let mut conversions: Vec<_> =
        state.postbacks.values().cloned().map(domain::inbound::conversion::Conversion::from).collect();
    conversions.sort_by(|one, other| one.transaction_id.cmp(&other.transaction_id));
    let told: Vec<_> =
        conversions.iter().map(|it| (it.transaction_id.as_str(), it.kind, it.original.clone())).collect();
    let known = Reversed::Known {
        transaction_id: TransactionId::new("123123123").unwrap(),
        receipt_id: conversions[0].receipt_id.clone(),
    };
    assert_eq!(
        told,
        [
            ("123123123", ConversionType::Accepted, None),
            ("r-1", ConversionType::Adjusted, Some(Reversed::Unknown)),
            ("r-2", ConversionType::Adjusted, Some(Reversed::Unknown)),
            ("r-3", ConversionType::Adjusted, Some(known)),
        ]
    );
}

/// Tries every single fault and every pair of faults of the ports over two adjustments of one transaction.
#[tokio::test]
async fn whatever_fails_an_adjustment_is_recorded_once_or_not_at_all() {
    for trouble in one_or_two_faults(14) {
        let rig = rig();
        rig.world.state().trouble.clone_from(&trouble);
        let (one, other) = (negative("r-1", "-60", "123123123"), negative("r-2", "-60", "123123123"));
        for (query, fits) in [(SAMPLE, true), (&one, true), (&other, false), (&one, true)] {
            let answer = rig.answered(query).await;
            assert_eq!(!matches!(answer, PostbackAnswer::Conflict(_)), fits, "{query} {trouble:?}");
        }
        let state = rig.world.state();
        assert_eq!((state.postbacks.len(), state.adjustments.values().flatten().count()), (2, 1));
    }
}

/// Accepts the conflict that this answer told, as an operator does.
async fn accept_conflict(rig: &Rig, told: &Contradiction, receipt: u8) {
    let conflicts = rig.world.state().conflicts.clone();
    let open = conflicts.into_values().filter(|(_, _, accepted)| accepted.is_none()).map(|(conflict, ..)| conflict);
    let [conflict] = &open.collect::<Vec<_>>()[..] else { panic!("not one open conflict") };
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [receipt; 8]);
    let keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    let (which, by) = ((&told.transaction_id, &conflict.key()), (&operation, Timestamp::UNIX_EPOCH));
    let resolution = accept(&rig.world, &keys, which, by, ReceiptId::from_random([receipt; 16])).await;
    assert!(matches!(resolution, Ok(Resolution::Accepted(_))), "{resolution:?}");
}

#[tokio::test]
async fn a_rejection_that_no_longer_stands_is_never_a_duplicate() {
    let rig = rig();
    accepted(rig.get(&said("rejected")).await);
    let other = said("approved").replace("100.00", "110");
    for (receipt, query) in [(101, said("approved")), (102, said("rejected")), (103, other)] {
        let told = conflict(rig.get(&query).await);
        accept_conflict(&rig, &told, receipt).await;
    }
    // An operator accepted this rejection once, and has approved the transaction since.
    let told = conflict(rig.get(&said("rejected")).await);
    assert_eq!((told.original.state, told.is_kept), (Some(State::Approved), false));
}

/// Version 0.1.0 numbered corrections apart, so number 1 can be free although there is a correction.
#[tokio::test]
async fn a_first_step_never_overlooks_a_correction_of_version_0_1() {
    let rig = rig().agreed(r#"{"provider":"acme"}"#);
    accepted(rig.get(SAMPLE).await);
    let told = conflict(rig.get(&SAMPLE.replace("100.00", "90")).await);
    accept_conflict(&rig, &told, 101).await;
    rig.world.state().corrections.values_mut().flatten().for_each(|correction| correction.place = 0);
    let rig = rig.agreed(AGREED);
    conflict(rig.get(&said("rejected")).await);
    accepted(rig.get(&said("rejected").replace("100.00", "90")).await);
    assert_eq!(rig.world.state().steps.values().flatten().map(|step| step.correction).collect::<Vec<_>>(), [1]);
}
