//! Holds the measured figures in the form in which programs read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{fake_aws::Usage, stats::Spread};

/// Holds all figures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// Says where and when the figures were measured.
    pub machine: Machine,
    /// Holds a row for each contender at each job.
    pub rows: Vec<Row>,
    /// Holds the figures of the stand-in for AWS.
    pub fake: Fake,
    /// Holds the figures of concurrent webhooks.
    pub webhooks: Webhooks,
    /// Gives the time of one event and of ten events of ten users while each DynamoDB call takes 5 ms, in
    /// microseconds.
    pub distant_events_us: [Spread; 2],
    /// Gives the times of first invocations with a small function's share of a processor, in microseconds, by
    /// contender. Is none if the system cannot limit the share of a processor.
    pub throttled_first_us: Option<BTreeMap<String, Spread>>,
    /// Holds time and memory against size.
    pub growth: Vec<Series>,
    /// Holds the functions' figures at the limits of their inputs. The normal input of each function comes first.
    #[serde(default)]
    pub worst: Vec<Worst>,
    /// Holds the figures of honest partners beside flooding ones.
    #[serde(default)]
    pub neighbours: Neighbours,
    /// Holds the times of the reports over a million rows.
    #[serde(default)]
    pub reports: Vec<ReportTime>,
}

/// Holds the times of a report's query on this machine, in seconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReportTime {
    /// Names the report.
    pub report: String,
    /// Gives the time over gzipped lines of JSON, as the archive has them.
    pub json: Spread,
    /// Gives the time over Parquet.
    pub parquet: Spread,
}

/// Holds the figures of a function with one input.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Worst {
    /// Names the function.
    pub program: String,
    /// Describes the input.
    pub input: String,
    /// Is true for the normal input. The other inputs of the function are compared with it.
    pub normal: bool,
    /// Gives the processor time of an invocation, in microseconds.
    pub cpu_us: f64,
    /// Gives the time of an invocation, in microseconds.
    pub warm_us: f64,
    /// Gives the peak memory, in KiB.
    pub peak_kib: u64,
}

/// Holds the figures of two batches. One has nine honest deliveries; the other has six honest and three flooding
/// deliveries.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Neighbours {
    /// Gives the time until the last delivery of the honest batch arrives, in microseconds.
    pub alone_us: Spread,
    /// Gives the time until the last honest delivery of the batch with floods arrives, in microseconds.
    pub among_us: Spread,
    /// Gives the processor time of the honest batch, in microseconds.
    pub alone_cpu_us: Spread,
    /// Gives the processor time of the batch with floods, in microseconds.
    pub among_cpu_us: Spread,
    /// Gives the peak memory, in KiB.
    pub peak_kib: u64,
}

/// Says where and when the figures were measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Gives the day.
    pub date: String,
    /// Names the processor.
    pub processor: String,
    /// Counts the processors.
    pub processors: usize,
    /// Names the kernel.
    pub kernel: String,
    /// Gives the average load over a minute at the beginning and at the end.
    pub load: [String; 2],
    /// Lists the versions of the programs that built and ran the contenders.
    pub versions: Vec<String>,
    /// Is true for the short run.
    pub quick: bool,
    /// Gives the duration of the run, in seconds.
    pub seconds: u64,
}

/// Holds the figures of one contender at one job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Row {
    /// Names the program.
    pub program: String,
    /// Names its job.
    pub job: String,
    /// Is true if the program is a deployed function.
    pub ours: bool,
    /// Gives the size of the contender's archive, in bytes.
    pub zip_bytes: usize,
    /// Gives the time from the contender's start to its first request for work, in microseconds.
    pub init_us: Spread,
    /// Gives the time of the first invocation, in microseconds.
    pub first_us: Spread,
    /// Gives the time of later invocations, in microseconds.
    pub warm_us: Spread,
    /// Gives the 99th percentile of the times of later invocations, in microseconds.
    pub warm_p99_us: f64,
    /// Gives the processor time of an invocation, in microseconds. The spread is over rounds.
    pub cpu_us: Spread,
    /// Gives the median processor time of each run with new processes, in microseconds.
    pub cpu_runs_us: Vec<f64>,
    /// Counts the instructions of an invocation. Is none if they were not counted.
    pub instructions: Option<u64>,
    /// Gives the peak memory of any run, in KiB.
    pub peak_kib: u64,
    /// Holds the AWS usage of all these invocations.
    pub usage: Usage,
    /// Counts the invocations.
    pub invocations: u64,
    /// Counts the bytes that the invocations logged.
    pub logged_bytes: u64,
}

impl Row {
    /// Returns the row's name in tables.
    pub fn name(&self) -> String {
        format!("{}: {}", self.program, self.job)
    }

    /// Describes the AWS calls of one invocation.
    pub fn calls(&self) -> String {
        let one = |(name, count): (&String, &u64)| {
            // Configuration is read again once a minute. Calls that fewer than one in ten invocations make are left
            // out.
            let each = (count * 10 / self.invocations.max(1)).div_ceil(10);
            (count * 10 >= self.invocations).then(|| format!("{each} {name}"))
        };
        let words: Vec<String> = self.usage.calls.iter().filter_map(one).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}

/// Holds the figures of the stand-in for AWS.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Fake {
    /// Gives the average time to make an answer over all calls, in microseconds.
    pub answer_us: f64,
    /// Gives the round trip of a conditional put over TLS by an otherwise idle client, in microseconds.
    pub round_trip_us: Spread,
    /// Counts such puts in a second from eight clients at once.
    pub puts_per_second: f64,
}

/// Holds the figures of concurrent webhooks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Webhooks {
    /// Gives the time of one delivery to a partner that takes 200 ms, in microseconds.
    pub slow_one_us: Spread,
    /// Gives the time of ten such deliveries in a batch, in microseconds.
    pub slow_ten_us: Spread,
    /// Counts the deliveries in a second to a partner that answers at once. Batches of ten follow each other.
    pub sustained_per_second: f64,
    /// Counts these deliveries in a second of the function's processor time.
    pub sustained_per_cpu_second: f64,
    /// Gives the memory of a function that is ready, in KiB.
    pub ready_kib: u64,
    /// Gives the peak memory after a batch of eight small answers, in KiB.
    pub small_kib: u64,
    /// Gives the peak memory after a batch of eight answers of 300 MB, in KiB.
    pub large_kib: u64,
}

/// Holds how figures grow with a size.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Series {
    /// Names the measured thing.
    pub title: String,
    /// Says what the size counts, such as `messages in the batch`.
    pub against: String,
    /// Holds the points.
    pub points: Vec<Point>,
}

/// Holds the figures at one size.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Point {
    /// Gives the size.
    pub size: u64,
    /// Gives the processor time of an invocation, in microseconds.
    pub cpu_us: f64,
    /// Gives the time of an invocation, in microseconds.
    pub warm_us: f64,
    /// Gives the time from start to the first request for work, in microseconds.
    pub init_us: f64,
    /// Gives the peak memory, in KiB.
    pub peak_kib: u64,
    /// Counts the write units of an invocation.
    pub write_units: f64,
}
