//! The protocol of deliveries, in the small: what every build can afford. `make prove` checks it in the large.

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

/// A flaw that is not found out would say that the checker is blind, not that the rules are good.
#[test]
fn each_rule_broken_is_found_out() {
    for flaw in Flaw::ALL {
        assert_ne!(check(flaw.scenario()).broken, [], "{flaw:?}");
    }
}

#[test]
fn each_law_is_asked_of_every_scenario() {
    use stateright::Model;
    let asked: Vec<&str> = Scenario::one_round().properties().iter().map(|property| property.name).collect();
    assert!(Law::ALL.iter().all(|law| asked.contains(&law.name())), "{asked:?}");
}
