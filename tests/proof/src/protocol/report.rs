//! Reports the result of a run.

use std::time::{Duration, Instant};

use stateright::{Checker, DiscoveryClassification, Model};

use super::{Happening, scenario::Scenario};

/// Limits the steps of a run. A scenario with more steps would take too long, and counts as broken. The largest
/// scenario takes 21 million steps.
const MAX_STEPS: usize = 100_000_000;

/// Holds the result of a run.
#[derive(Debug)]
pub struct Report {
    /// Counts the distinct states that were visited.
    pub states: usize,
    /// Counts the steps between states, including steps that lead to a known state.
    pub steps: usize,
    /// Counts the steps from the beginning to the farthest state.
    pub depth: usize,
    /// Gives the time that the run took.
    pub took: Duration,
    /// Lists the broken laws, each with the steps that lead there.
    pub broken: Vec<(&'static str, Vec<Happening>)>,
    /// Lists the situations that should have been seen and were not.
    pub unseen: Vec<&'static str>,
}

/// Visits every state of this scenario. With a flaw it stops at the first broken law.
pub fn check(scenario: Scenario) -> Report {
    let (began, flawed) = (Instant::now(), scenario.flaw.is_some());
    let wanted: Vec<&'static str> = scenario.properties().iter().map(|property| property.name).collect();
    let builder = scenario.checker().threads(std::thread::available_parallelism().map_or(1, usize::from));
    let builder = builder.target_state_count(MAX_STEPS);
    let builder = if flawed { builder.finish_when(stateright::HasDiscoveries::AnyFailures) } else { builder };
    let checker = builder.spawn_bfs().join();
    let discoveries = checker.discoveries();
    let counter =
        |name: &&'static str| matches!(checker.discovery_classification(name), DiscoveryClassification::Counterexample);
    let mut broken: Vec<(&'static str, Vec<Happening>)> = Vec::new();
    for name in wanted.iter().filter(|name| counter(name)) {
        if let Some(path) = discoveries.get(name) {
            broken.push((name, path.clone().into_actions()));
        }
    }
    if checker.state_count() >= MAX_STEPS {
        broken.push(("the scenario has too many steps to visit every state", Vec::new()));
    }
    let unseen = wanted.into_iter().filter(|name| !counter(name) && !discoveries.contains_key(name)).collect();
    Report {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        took: began.elapsed(),
        broken,
        unseen,
    }
}

/// Serves the states of this scenario to a browser until the process is stopped.
pub fn explore(scenario: Scenario, address: &str) {
    scenario.checker().serve(address);
}
