//! Computes the AWS cost of a million postbacks, clicks and so on, by part of AWS, from measured times and counted
//! calls.

use crate::{
    results::{Results, Row},
    stats::number,
};

/// Holds AWS's prices for US East, arm64, on demand, in dollars, as of November 2026.
mod price {
    pub(super) const LAMBDA_REQUEST: f64 = 0.20e-6;
    pub(super) const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
    pub(super) const HTTP_API_REQUEST: f64 = 1.00e-6;
    pub(super) const WRITE_UNIT: f64 = 0.625e-6;
    pub(super) const READ_UNIT: f64 = 0.125e-6;
    pub(super) const SQS_REQUEST: f64 = 0.40e-6;
    pub(super) const LOG_BYTE: f64 = 0.50e-9;
}

/// Gives the memory that the template allots to functions, in GB.
const MEMORY_GB: f64 = 0.25;

/// Holds the cost of a million units of work, in dollars, by part of AWS.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Names the unit of work.
    pub what: String,
    /// Gives the billed time of an invocation, in milliseconds.
    pub billed_ms: f64,
    /// Counts the units of work that an invocation handles.
    pub batch: f64,
    /// Gives the cost of the API's requests.
    pub api: f64,
    /// Gives the cost of invocations.
    pub requests: f64,
    /// Gives the cost of the invocations' time.
    pub time: f64,
    /// Gives the cost of DynamoDB's units.
    pub dynamodb: f64,
    /// Gives the cost of SQS's requests, including those that receive and delete messages.
    pub sqs: f64,
    /// Gives the cost of logs.
    pub logs: f64,
}

impl Cost {
    /// Returns the sum of all parts.
    pub fn total(&self) -> f64 {
        self.api + self.requests + self.time + self.dynamodb + self.sqs + self.logs
    }

    /// Returns the cost of one more millisecond in each invocation.
    pub fn millisecond(&self) -> f64 {
        1e6 / self.batch * MEMORY_GB * price::LAMBDA_GB_SECOND / 1e3
    }
}

/// Lists the units of work. Each entry names the measured program and job, the unit, how many units an invocation
/// handles, true if the API calls the function, and how many SQS requests receive and delete a batch.
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

/// Returns the cost of each unit of work that was measured.
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
