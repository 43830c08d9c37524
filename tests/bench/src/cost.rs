//! What a million of each thing costs on AWS, by part, from measured time and counted calls.

use crate::{
    results::{Results, Row},
    stats::number,
};

/// US East, arm64, on demand, in dollars: from AWS's price lists as of November 2026.
mod price {
    pub(super) const LAMBDA_REQUEST: f64 = 0.20e-6;
    pub(super) const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
    pub(super) const HTTP_API_REQUEST: f64 = 1.00e-6;
    pub(super) const WRITE_UNIT: f64 = 0.625e-6;
    pub(super) const READ_UNIT: f64 = 0.125e-6;
    pub(super) const SQS_REQUEST: f64 = 0.40e-6;
    pub(super) const LOG_BYTE: f64 = 0.50e-9;
}

/// The memory that the template gives functions, in GB.
const MEMORY_GB: f64 = 0.25;

/// A million of something, in dollars, by part.
#[derive(Debug, Clone)]
pub struct Cost {
    /// What there is a million of.
    pub what: String,
    /// How long an invocation is billed, in milliseconds.
    pub billed_ms: f64,
    /// How many of them an invocation handles.
    pub batch: f64,
    /// The API's requests.
    pub api: f64,
    /// Invocations.
    pub requests: f64,
    /// Their time.
    pub time: f64,
    /// DynamoDB's units.
    pub dynamodb: f64,
    /// SQS's requests, those that take messages off the queue included.
    pub sqs: f64,
    /// Logs.
    pub logs: f64,
}

impl Cost {
    /// All parts together.
    pub fn total(&self) -> f64 {
        self.api + self.requests + self.time + self.dynamodb + self.sqs + self.logs
    }

    /// What a millisecond more in each invocation adds.
    pub fn millisecond(&self) -> f64 {
        1e6 / self.batch * MEMORY_GB * price::LAMBDA_GB_SECOND / 1e3
    }
}

/// What is paid for, by the row that says how much: its job, what there is a million of, how many a batch has, whether the
/// API brings it, how many requests of SQS bring a batch.
const PAID: [(&str, &str, &str, f64, bool, f64); 10] = [
    ("postback", "new", "postbacks, new", 1.0, true, 0.0),
    ("postback", "duplicate", "postbacks, duplicate", 1.0, true, 0.0),
    ("postback", "conflict", "postbacks, conflicting", 1.0, true, 0.0),
    ("click", "redirected", "clicks", 1.0, true, 0.0),
    ("conversion-relay", "100 conversions", "conversions, by the hundred", 100.0, false, 0.0),
    ("lookup-writer", "100 postbacks", "postbacks' lookups, by the hundred", 100.0, false, 0.0),
    ("event-evaluator", "10 events of 10 users", "events, by ten", 10.0, false, 2.0),
    ("event-evaluator", "10 events, 10 goals reached", "events that reach a goal, by ten", 10.0, false, 2.0),
    ("webhook-sender", "10 deliveries", "deliveries, by ten", 10.0, false, 2.0),
    ("webhook-sender", "10 attempts, failed", "attempts that fail, by ten", 10.0, false, 2.0),
];

/// A line for each thing that is paid for and was measured.
pub fn costs(results: &Results) -> Vec<Cost> {
    let find = |program: &str, job: &str| results.rows.iter().find(|row| row.program == program && row.job == job);
    let cost = |(program, job, what, batch, api, taking): &(&str, &str, &str, f64, bool, f64)| {
        find(program, job).map(|row| of(row, what, *batch, *api, *taking))
    };
    PAID.iter().filter_map(cost).collect()
}

fn of(row: &Row, what: &str, batch: f64, api: bool, taking: f64) -> Cost {
    let each = |count: u64| number(count) / number(row.invocations.max(1));
    let billed_ms = (row.warm_us.median / 1e3).ceil();
    let million = 1e6 / batch;
    Cost {
        what: what.to_owned(),
        billed_ms,
        batch,
        api: if api { 1e6 * price::HTTP_API_REQUEST } else { 0.0 },
        requests: million * price::LAMBDA_REQUEST,
        time: million * billed_ms / 1e3 * MEMORY_GB * price::LAMBDA_GB_SECOND,
        dynamodb: million
            * (each(row.usage.write_units) * price::WRITE_UNIT
                + each(row.usage.half_read_units) / 2.0 * price::READ_UNIT),
        sqs: million * (each(row.usage.sqs_requests) + taking) * price::SQS_REQUEST,
        logs: million * each(row.logged_bytes) * price::LOG_BYTE,
    }
}
