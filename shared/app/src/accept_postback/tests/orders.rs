//! Tests that a transaction has the same end in whatever order and however often its calls come, even if calls of ports
//! fail.

use domain::inbound::{
    conversion::{Conversion, ConversionType},
    correction::Revision,
    status::State,
};

use super::*;

const AGREED: &str = r#"{"provider":"acme","postback":{"amount_may_change":["approved","rejected"],
    "status":{"parameter":"state","pending":["pending"],"approved":["approved"],"rejected":["rejected"]}}}"#;

/// Makes some of the three states, each with its own amount.
fn steps() -> impl Strategy<Value = Vec<(State, &'static str)>> {
    let amounts = prop::collection::vec(prop::sample::select(&["100.00", "90", "0"][..]), 3);
    let states = prop::sample::subsequence(State::ALL.to_vec(), 1..=3);
    (states, amounts).prop_map(|(states, amounts)| states.into_iter().zip(amounts).collect())
}

fn faults() -> impl Strategy<Value = BTreeMap<usize, Trouble>> {
    prop::collection::btree_map(0..40_usize, prop::sample::select(&[Trouble::Before, Trouble::After][..]), 0..8)
}

/// Returns the conversions of the transaction in the order in which its records were stored.
fn told(rig: &Rig) -> Vec<Conversion> {
    let state = rig.world.state();
    let originals = state.postbacks.values().cloned().map(Revision::Original);
    originals.chain(state.steps.values().flatten().cloned().map(Revision::Step)).map(Conversion::from).collect()
}

proptest! {
    #[test]
    fn every_order_and_repetition_tells_each_rise_once(
        steps in steps(), order in prop::collection::vec(any::<prop::sample::Index>(), 0..12), faults in faults()
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let rig = Rig::with([AGREED]);
        rig.world.state().trouble = faults;
        // Each call is sent at least once in any order, and then once more.
        let calls: Vec<_> = order.iter().map(|at| *at.get(&steps)).chain(steps.iter().rev().copied()).collect();
        for (state, amount) in &calls {
            let query = format!("{}&state={state}", SAMPLE.replace("100.00", amount));
            let answer = runtime.block_on(rig.answered(&query));
            let is_late = *state == State::Approved && matches!(answer, PostbackAnswer::Conflict(_));
            let is_taken = matches!(answer, PostbackAnswer::Accepted(_) | PostbackAnswer::Duplicate(_));
            prop_assert!(is_late || is_taken, "{:?}", answer);
        }
        // GG3 receives each call with a higher state than all earlier calls, and no other call.
        let mut rises: Vec<(State, &str)> = Vec::new();
        for call in calls {
            if rises.last().is_none_or(|last| last.0 < call.0) {
                rises.push(call);
            }
        }
        let told = told(&rig);
        let said: Vec<_> = told.iter().map(|it| (it.state.unwrap(), it.content.amount_decimal.to_string())).collect();
        let expected: Vec<_> = rises.iter().map(|(state, amount)| (*state, (*amount).to_owned())).collect();
        prop_assert_eq!(&said, &expected);
        // The same conversion is valid in whatever order GG3 reads the conversions.
        let valid = told.iter().max_by_key(|it| (it.correction, it.state)).unwrap();
        let (highest, amount) = steps.last().copied().unwrap();
        let kinds = [ConversionType::Pending, ConversionType::Accepted, ConversionType::Rejected];
        prop_assert_eq!((valid.state, valid.kind), (Some(highest), kinds[highest as usize]));
        prop_assert_eq!(valid.content.amount_decimal.to_string(), amount);
    }
}
