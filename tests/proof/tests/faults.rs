//! Runs the use cases under every mishap, in small. `make prove` runs them in full.

use proof::faults::{Played, Slip, at_random, exhaustively, from_seed, with_a_slip};

#[test]
fn no_single_mishap_loses_anything_or_makes_it_happen_twice() {
    let played = exhaustively(false);
    assert_eq!(played.wrong, None);
    assert!(played.histories > 400, "{played:?}");
}

#[test]
fn long_drawn_histories_lose_nothing_and_repeat_nothing() {
    let played = at_random(0..40);
    assert_eq!(played.wrong, None);
    // The histories must contain the situations that they are drawn for.
    let Played { requests, cut_short, late, rounds, swept, .. } = played;
    assert!(requests > 40 && cut_short > 0 && late > 0 && rounds > 0 && swept > 0, "{played:?}");
}

#[test]
fn a_seed_plays_the_same_history_again() {
    assert_eq!(from_seed(7).turns, from_seed(7).turns);
}

/// Checks the ledger itself: it must report these faults.
#[test]
fn forgetful_queues_and_unconditional_tables_are_reported() {
    for slip in [Slip::TheDeadHadAcknowledged, Slip::FailuresAreAcknowledged, Slip::TheTableStoresWhatever] {
        for played in with_a_slip(slip) {
            assert_ne!(played.wrong, None, "{slip:?}");
        }
    }
}
