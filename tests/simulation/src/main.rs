//! Simulates a day of webhooks for 10,000 partners, the largest of which is down for two hours, with and without fair
//! queues; and one partner that is down while its webhooks wait or do not. Writes `OUTAGE.md`, `SIMULATION.md` and `SIMULATION.svg` beside its sources. The same seed writes the same files.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a model that is never deployed, so a fault may end it"
)]

mod cost;
mod day;
mod dice;
mod outage;
mod partners;
mod plot;
mod queue;
mod report;

use std::path::Path;

use clap::Parser;
use fastrand::Rng;

use self::{
    day::{Scenario, simulate},
    partners::{Outage, Partners},
};

/// Computes a day of webhooks, and writes the results.
#[derive(Debug, Parser)]
struct Arguments {
    /// Chooses the random numbers; the same seed computes the same day.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Equals the values in template.yaml.
const CONCURRENCY: [usize; 2] = [200, 50];

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "hangs, one line", outage: Outage::Hangs, fair: false, concurrency: CONCURRENCY },
    Scenario { name: "hangs, fair", outage: Outage::Hangs, fair: true, concurrency: CONCURRENCY },
    Scenario { name: "refuses, fair", outage: Outage::Refuses, fair: true, concurrency: CONCURRENCY },
    Scenario { name: "hangs, fair, 1,000 and 500", outage: Outage::Hangs, fair: true, concurrency: [1000, 500] },
];

fn main() {
    let Arguments { seed } = Arguments::parse();
    let partners = Partners::new(&mut Rng::with_seed(seed));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outages: Vec<_> = outage::stories().into_iter().map(|story| (outage::play(&story), story)).collect();
    let outages = report::outages(&outages);
    std::fs::write(folder.join("OUTAGE.md"), &outages).expect("OUTAGE.md can be written");
    println!("{outages}");
    let days = SCENARIOS.map(|scenario| (scenario, simulate(scenario, &partners, seed)));
    let report = report::markdown(&days, &partners, seed);
    std::fs::write(folder.join("SIMULATION.md"), &report).expect("SIMULATION.md can be written");
    std::fs::write(folder.join("SIMULATION.svg"), plot::svg(&days)).expect("SIMULATION.svg can be written");
    println!("{report}");
}
