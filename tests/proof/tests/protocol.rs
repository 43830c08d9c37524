//! Checks the protocol of deliveries, in small. `make prove` checks it in full.

use proof::protocol::{Flaw, Law, Scenario, check};

#[test]
fn no_order_of_steps_and_crashes_breaks_a_law() {
    for scenario in Scenario::small() {
        let name = scenario.name;
        let report = check(scenario);
        assert_eq!(report.broken, [], "{name}");
        assert_eq!(report.unseen, [""; 0], "{name}");
    }
}

/// Checks the checker itself: it must find each flaw.
#[test]
fn each_broken_rule_is_found() {
    for flaw in Flaw::ALL {
        assert_ne!(check(flaw.scenario()).broken, [], "{flaw:?}");
    }
}

#[test]
fn each_law_is_checked_in_every_scenario() {
    use stateright::Model;
    let asked: Vec<&str> = Scenario::one_round().properties().iter().map(|property| property.name).collect();
    assert!(Law::ALL.iter().all(|law| asked.contains(&law.name())), "{asked:?}");
}
