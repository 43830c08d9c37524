//! Plays calls about one transaction and decisions on its conflicts in every order, in small. `make prove` plays them
//! in full.

use proof::transactions::{Flaw, at_random, explore, for_flaws, from_seed, small};

#[test]
fn no_order_crash_or_race_of_two_calls_breaks_a_transaction() {
    let explored = explore(&small(), None);
    assert_eq!(explored.wrong, None);
    assert!(explored.stories > 300 && explored.ends > explored.stories, "{explored:?}");
}

#[test]
fn drawn_orders_of_many_calls_break_no_transaction() {
    let played = at_random(0..500);
    assert_eq!(played.wrong, None);
}

#[test]
fn a_seed_plays_the_same_history_of_a_transaction_again() {
    assert_eq!(from_seed(7).calls, from_seed(7).calls);
}

/// Checks the explorer itself: it must find each flaw.
#[test]
fn each_broken_part_is_found() {
    for flaw in Flaw::ALL {
        assert_ne!(explore(&for_flaws(), Some(flaw)).wrong, None, "{flaw:?}");
    }
}
