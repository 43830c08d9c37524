//! What is measured, as it is written for programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{fake_aws::Usage, stats::Spread};

/// All of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// Where and when.
    pub machine: Machine,
    /// A line for each contender at each job.
    pub rows: Vec<Row>,
    /// What the fake itself takes.
    pub fake: Fake,
    /// What webhooks do beside each other.
    pub webhooks: Webhooks,
    /// An event, and ten events of ten users, while DynamoDB takes 5 ms for each call, in microseconds.
    pub distant_events_us: [Spread; 2],
    /// First invocations with a small function's share of a processor, in microseconds, by contender; none where the
    /// system does not let it be limited.
    pub throttled_first_us: Option<BTreeMap<String, Spread>>,
    /// Time and memory against size.
    pub growth: Vec<Series>,
}

/// Where and when it was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Machine {
    /// The day.
    pub date: String,
    /// The processor.
    pub processor: String,
    /// How many of them.
    pub processors: usize,
    /// The kernel.
    pub kernel: String,
    /// The average load over a minute when it began, and when it ended.
    pub load: [String; 2],
    /// What built and ran the programs.
    pub versions: Vec<String>,
    /// Whether it was the short run.
    pub quick: bool,
    /// How long it took, in seconds.
    pub seconds: u64,
}

/// One contender at one job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Row {
    /// The program.
    pub program: String,
    /// Its job.
    pub job: String,
    /// Whether it is one of the functions that are deployed.
    pub ours: bool,
    /// Its archive, in bytes.
    pub zip_bytes: usize,
    /// From its start to its first asking for work, in microseconds.
    pub init_us: Spread,
    /// The first invocation, in microseconds.
    pub first_us: Spread,
    /// An invocation after that, in microseconds.
    pub warm_us: Spread,
    /// 99 of 100 are no longer, in microseconds.
    pub warm_p99_us: f64,
    /// The processor's time of an invocation, in microseconds; the spread is over rounds.
    pub cpu_us: Spread,
    /// The median of the same in each of the runs with new processes, in microseconds.
    pub cpu_runs_us: Vec<f64>,
    /// Instructions of an invocation; none where they were not counted.
    pub instructions: Option<u64>,
    /// The most memory that it had in any run, in KiB.
    pub peak_kib: u64,
    /// What was used of AWS in so many invocations.
    pub usage: Usage,
    /// How many.
    pub invocations: u64,
    /// How many bytes were logged in them.
    pub logged_bytes: u64,
}

impl Row {
    /// Its name in tables.
    pub fn name(&self) -> String {
        format!("{}: {}", self.program, self.job)
    }

    /// Calls of AWS in one invocation, as words.
    pub fn calls(&self) -> String {
        let one = |(name, count): (&String, &u64)| {
            // A minute's configuration is read again now and then; what is not once in ten is left out here.
            let each = (count * 10 / self.invocations.max(1)).div_ceil(10);
            (count * 10 >= self.invocations).then(|| format!("{each} {name}"))
        };
        let words: Vec<String> = self.usage.calls.iter().filter_map(one).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}

/// What the fake itself takes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Fake {
    /// To make an answer, in microseconds, on average over all calls.
    pub answer_us: f64,
    /// A conditional put from a client that does nothing else, over TLS, there and back, in microseconds.
    pub round_trip_us: Spread,
    /// Such puts in a second, from eight clients at once.
    pub puts_per_second: f64,
}

/// What webhooks do beside each other.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Webhooks {
    /// One delivery to a partner who thinks for 200 ms, in microseconds.
    pub slow_one_us: Spread,
    /// Ten of them.
    pub slow_ten_us: Spread,
    /// Deliveries in a second of time, in batches of ten, one after another, to a partner who answers at once.
    pub sustained_per_second: f64,
    /// The same in a second of the function's own processor time.
    pub sustained_per_cpu_second: f64,
    /// The memory of a function that is ready, in KiB.
    pub ready_kib: u64,
    /// The most memory after a batch of eight small answers, in KiB.
    pub small_kib: u64,
    /// The most memory after a batch of eight answers of 300 MB, in KiB.
    pub large_kib: u64,
}

/// How something grows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Series {
    /// Of what.
    pub title: String,
    /// Against what.
    pub against: String,
    /// Its points.
    pub points: Vec<Point>,
}

/// One size.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Point {
    /// The size.
    pub size: u64,
    /// The processor's time of an invocation, in microseconds.
    pub cpu_us: f64,
    /// An invocation, in microseconds.
    pub warm_us: f64,
    /// From start to the first asking for work, in microseconds.
    pub init_us: f64,
    /// The most memory, in KiB.
    pub peak_kib: u64,
    /// Write units of an invocation.
    pub write_units: f64,
}
