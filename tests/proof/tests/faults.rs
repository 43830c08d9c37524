//! The use cases under every mishap, in the small. `make prove` does it in the large.

use proof::faults::{Played, Slip, at_random, exhaustively, from_seed, with_a_slip};

#[test]
fn whichever_call_fails_dies_waits_or_comes_twice_nothing_is_lost_and_nothing_happens_twice() {
    let played = exhaustively(false);
    assert_eq!(played.wrong, None);
    assert!(played.histories > 400, "{played:?}");
}

#[test]
fn so_it_is_in_long_histories_drawn_from_seeds() {
    let played = at_random(0..40);
    assert_eq!(played.wrong, None);
    // What these histories are there for has come to pass in them.
    let Played { requests, cut_short, late, rounds, swept, .. } = played;
    assert!(requests > 40 && cut_short > 0 && late > 0 && rounds > 0 && swept > 0, "{played:?}");
}

#[test]
fn a_seed_plays_the_same_history_again() {
    assert_eq!(from_seed(7).turns, from_seed(7).turns);
}

/// A ledger that these would not show in would show nothing.
#[test]
fn a_queue_that_forgets_and_a_table_that_forgets_to_compare_are_found_out() {
    for slip in [Slip::TheDeadHadAcknowledged, Slip::FailuresAreAcknowledged, Slip::TheTableStoresWhatever] {
        for played in with_a_slip(slip) {
            assert_ne!(played.wrong, None, "{slip:?}");
        }
    }
}
