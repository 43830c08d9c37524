//! Runs the whole of GG3 Postback under kill -9 and failing calls.
//!
//! The real function binaries run behind proxies that fail, delay and cut their calls of the local AWS, and they are
//! killed in the middle of these calls. Meanwhile partners send postbacks, some of them with statuses and reversals in
//! mixed order, GG3 sends events, and the partners' servers answer webhooks with any status. When everything is at
//! rest, the ledger is checked: nothing is lost, nothing happens twice, nothing comes early.
//!
//! The seed decides what is sent and in which order, the partners' answers, and the fault at the n-th call of each
//! process. The machine decides how the processes interleave. The same seed therefore brings the same faults, but not
//! the same order of events.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and prints its progress"
)]

mod dice;
mod events;
mod faults;
mod ledger;
mod partners;
mod postbacks;
mod pump;
mod rising;
mod run;
mod worker;
mod world;

use std::process::ExitCode;

use clap::Parser;

/// Runs GG3 Postback under kill -9 on the stack that `GG3_STACK_FILE` names, and checks the results.
#[derive(Debug, Parser)]
struct Arguments {
    /// Decides what is sent, what fails and when processes are killed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Counts the transactions that partners send, most of them more than once.
    #[arg(long, default_value_t = 1500)]
    transactions: u64,
    /// Counts the transactions that rise through states, each with several calls, some with reversals.
    #[arg(long, default_value_t = 500)]
    rising: u64,
    /// Counts the users. Each does 4 to 15 things.
    #[arg(long, default_value_t = 300)]
    users: u64,
    /// Limits the time until everything is at rest, in seconds.
    #[arg(long, default_value_t = 600)]
    within_seconds: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (seed, ledger) = (arguments.seed, run::run(arguments).await);
    for (what, count) in ledger.lines() {
        println!("{what:<55}{count:>8}");
    }
    let differences = ledger.differences();
    for difference in differences.iter().take(20) {
        println!("\n✗ {difference}");
    }
    if differences.is_empty() {
        println!("\n✓ Nothing lost, nothing twice, nothing early (seed {seed}).");
        return ExitCode::SUCCESS;
    }
    println!(
        "\n✗ {} differences; make chaos SEED={seed} sends the same, and kills by the same plan.",
        differences.len()
    );
    ExitCode::FAILURE
}
