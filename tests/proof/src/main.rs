//! Runs `make prove`, `make soak` and `make explore`.

#![allow(clippy::print_stdout, reason = "printing results is its purpose")]

use std::{process::ExitCode, time::Instant};

use proof::{
    faults::{self, Played},
    protocol::{Flaw, Report, Scenario, check, explore},
    transactions::{self, Explored, Story},
};

/// Gives the address at which the states can be explored in a browser.
const EXPLORER: &str = "127.0.0.1:3000";

/// Counts the long histories that `make prove` draws.
const SEEDS: u64 = 2_000;
/// Counts the histories of transactions that `make prove` draws.
const DRAWN: u64 = 40_000;

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).unwrap_or_default();
    let seed = std::env::var("PROOF_SEED").ok().and_then(|seed| seed.parse().ok());
    let good = match (asked.as_str(), seed) {
        ("prove" | "soak", Some(seed)) => {
            mishaps("the history of this seed", || faults::from_seed(seed))
                & transaction("the history of this seed", || transactions::from_seed(seed))
        }
        ("prove", None) => {
            protocol(Scenario::small().into_iter().chain(Scenario::large()))
                & flaws()
                & mishaps("every mishap and every pair of mishaps", || faults::exhaustively(true))
                & mishaps("long histories, drawn from seeds", || faults::at_random(0..SEEDS))
                & every_order(transactions::large())
                & transaction("many calls, drawn from seeds", || transactions::at_random(0..DRAWN))
                & broken_parts()
        }
        ("soak", None) => {
            protocol(Scenario::largest())
                & mishaps("long histories, drawn from seeds", || faults::at_random(SEEDS..10 * SEEDS))
                & every_order(transactions::largest())
                & transaction("many calls, drawn from seeds", || transactions::at_random(DRAWN..10 * DRAWN))
        }
        ("explore", _) => {
            println!("The states of \"{}\": http://{EXPLORER}", Scenario::end_of_a_round().name);
            explore(Scenario::end_of_a_round(), EXPLORER);
            true
        }
        _ => {
            println!("Usage: proof prove | soak | explore");
            false
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn protocol(scenarios: impl IntoIterator<Item = Scenario>) -> bool {
    println!("\nThe protocol, every state within the scenario's bounds:\n");
    let mut good = true;
    for scenario in scenarios {
        let name = scenario.name;
        let report = check(scenario);
        let sound = report.broken.is_empty() && report.unseen.is_empty();
        println!("  {} {name:36} {}", if sound { '✓' } else { '✗' }, figures(&report));
        for unseen in &report.unseen {
            println!("    not seen: {unseen}");
        }
        tell(&report);
        good &= sound;
    }
    good
}

/// Checks that each flaw is found. If the checker misses a flaw, its other results prove nothing.
fn flaws() -> bool {
    println!("\nThe same with one rule broken, which the checker must find:\n");
    let mut good = true;
    for flaw in Flaw::ALL {
        let report = check(flaw.scenario());
        let law = report.broken.first().map_or("not found", |(law, _)| law);
        println!(
            "  {} {:36} {:8} states: {law}",
            if report.broken.is_empty() { '✗' } else { '✓' },
            format!("{flaw:?}"),
            report.states
        );
        good &= !report.broken.is_empty();
    }
    good
}

fn every_order(stories: Vec<(&'static str, Vec<Story>)>) -> bool {
    let each = |(name, stories): (&str, Vec<Story>)| transaction(name, || transactions::explore(&stories, None));
    stories.into_iter().fold(true, |good, stories| each(stories) & good)
}

fn transaction(name: &str, explore: impl FnOnce() -> Explored) -> bool {
    println!("\nThe states of a transaction, {name}:\n");
    let began = Instant::now();
    let Explored { stories, states, calls, ends, wrong } = explore();
    let mark = if wrong.is_none() { '✓' } else { '✗' };
    println!(
        "  {mark} {stories:6} stories, {states:9} states, {calls:10} calls of ports, {ends:8} ends, {:6.1} s",
        began.elapsed().as_secs_f32()
    );
    if let Some(wrong) = &wrong {
        println!("    {wrong}");
    }
    wrong.is_none()
}

/// Checks that each flaw of a worker, a table or a stream is found.
fn broken_parts() -> bool {
    println!("\nThe same with one part broken, which the explorer must find:\n");
    let (stories, mut good) = (transactions::for_flaws(), true);
    for flaw in transactions::Flaw::ALL {
        let found = transactions::explore(&stories, Some(flaw)).wrong;
        let what = found.as_ref().and_then(|wrong| wrong.lines().last()).unwrap_or("not found").trim();
        let mark = if found.is_some() { '✓' } else { '✗' };
        println!("  {mark} {:32} {}", format!("{flaw:?}"), what.chars().take(120).collect::<String>());
        good &= found.is_some();
    }
    good
}

fn mishaps(name: &str, play: impl FnOnce() -> Played) -> bool {
    println!("\nThe use cases, {name}:\n");
    let began = Instant::now();
    let played = play();
    let Played { histories, turns, wrong, .. } = &played;
    let mark = if wrong.is_none() { '✓' } else { '✗' };
    println!("  {mark} {histories:9} histories, {turns:10} calls of ports, {:6.1} s", began.elapsed().as_secs_f32());
    let Played { requests, cut_short, late, rounds, swept, .. } = &played;
    println!(
        "    {requests} requests to partners, {cut_short} of workers that died before recording, {late} recorded late; \
         {rounds} rounds by hand, {swept} deliveries swept"
    );
    if let Some((way, what)) = wrong {
        println!("    {way}: {what}");
    }
    wrong.is_none()
}

fn figures(report: &Report) -> String {
    let Report { states, steps, depth, took, .. } = report;
    format!("{states:9} states, {steps:10} steps, depth {depth:3}, {:6.1} s", took.as_secs_f32())
}

fn tell(report: &Report) {
    for (law, way) in &report.broken {
        println!("    broken: {law}");
        for (number, happening) in way.iter().enumerate() {
            println!("      {:3} {happening:?}", number + 1);
        }
    }
}
