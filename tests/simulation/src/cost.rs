//! Computes the day's costs by asking the operator's command.

use std::process::Command;

use serde_json::Value;

/// Gives the cost of a million of each unit of work, in dollars.
pub(crate) struct Costs(Vec<Value>);

impl Costs {
    /// Asks `postbackctl cost` with these flags. The command is the one that cargo built beside this program.
    pub(crate) fn ask(flags: &[String]) -> Self {
        let program = std::env::current_exe().expect("a process knows its own path").with_file_name("postbackctl");
        let answer = Command::new(&program).args(["cost", "--json"]).args(flags).output();
        let answer = answer.unwrap_or_else(|fault| panic!("{}: {fault}; run `make simulate`", program.display()));
        Self(serde_json::from_slice(&answer.stdout).expect("postbackctl cost --json prints JSON"))
    }

    /// Returns the cost of this many units of work, in dollars.
    pub(crate) fn of(&self, what: &str, count: u64) -> f64 {
        let row = self.0.iter().find(|row| row["what"] == what).unwrap_or_else(|| panic!("no unit of work {what}"));
        let million = row["total"].as_f64().expect("a total is a number");
        million * count as f64 / 1e6
    }
}
