//! The billed units that a unit of work takes of each part of AWS, and their cost, in exact decimals.

use std::ops::{Add, Mul};

use rust_decimal::{Decimal, dec};
use serde::Serialize;

const MILLION: Decimal = dec!(1_000_000);

/// Counts the billed units of each part of AWS. Fractions are a share of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) api_requests: Decimal,
    pub(super) invocations: Decimal,
    /// Memory in MB by billed milliseconds.
    pub(super) mb_milliseconds: Decimal,
    pub(super) write_units: Decimal,
    pub(super) read_units: Decimal,
    pub(super) queue_requests: Decimal,
    /// The part of `queue_requests` for messages with a group. These requests cost more.
    pub(super) fair_requests: Decimal,
    pub(super) log_bytes: Decimal,
}

/// Prices in dollars.
pub(super) struct Prices {
    api_million: Decimal,
    invocation_million: Decimal,
    gb_second: Decimal,
    write_million: Decimal,
    read_million: Decimal,
    queue_million: Decimal,
    fair_million: Decimal,
    log_gb: Decimal,
}

impl Prices {
    /// The prices of November 2026 in us-east-1, on demand, with functions on arm64. Free tiers, volume tiers and
    /// discounts are left out.
    pub(super) const US_EAST_1: Self = Self {
        api_million: dec!(1.00),
        invocation_million: dec!(0.20),
        gb_second: dec!(0.0000133334),
        write_million: dec!(0.625),
        read_million: dec!(0.125),
        queue_million: dec!(0.40),
        fair_million: dec!(0.10),
        log_gb: dec!(0.50),
    };
}

/// The cost of a million units of work, by part, in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Bill {
    pub(super) api_gateway: Decimal,
    pub(super) lambda: Decimal,
    pub(super) dynamodb: Decimal,
    pub(super) sqs: Decimal,
    pub(super) logs: Decimal,
}

impl Usage {
    /// Computes the cost of a million of these.
    pub(super) fn bill(&self, prices: &Prices) -> Bill {
        // A GB-second is 1,024 MB for 1,000 ms. A GB of logs is counted as 10^9 bytes, which slightly overstates the
        // cost.
        let gb_seconds = self.mb_milliseconds * MILLION / dec!(1_024_000);
        Bill {
            api_gateway: self.api_requests * prices.api_million,
            lambda: self.invocations * prices.invocation_million + gb_seconds * prices.gb_second,
            dynamodb: self.write_units * prices.write_million + self.read_units * prices.read_million,
            sqs: self.queue_requests * prices.queue_million + self.fair_requests * prices.fair_million,
            logs: self.log_bytes * MILLION / dec!(1_000_000_000) * prices.log_gb,
        }
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            api_requests: self.api_requests + other.api_requests,
            invocations: self.invocations + other.invocations,
            mb_milliseconds: self.mb_milliseconds + other.mb_milliseconds,
            write_units: self.write_units + other.write_units,
            read_units: self.read_units + other.read_units,
            queue_requests: self.queue_requests + other.queue_requests,
            fair_requests: self.fair_requests + other.fair_requests,
            log_bytes: self.log_bytes + other.log_bytes,
        }
    }
}

impl Mul<Decimal> for Usage {
    type Output = Self;

    fn mul(self, times: Decimal) -> Self {
        Self {
            api_requests: self.api_requests * times,
            invocations: self.invocations * times,
            mb_milliseconds: self.mb_milliseconds * times,
            write_units: self.write_units * times,
            read_units: self.read_units * times,
            queue_requests: self.queue_requests * times,
            fair_requests: self.fair_requests * times,
            log_bytes: self.log_bytes * times,
        }
    }
}

impl Bill {
    pub(super) const PARTS: [&'static str; 5] = ["API Gateway", "Lambda", "DynamoDB", "SQS", "logs"];

    /// Returns the costs in the order of [`Bill::PARTS`].
    pub(super) fn parts(&self) -> [&Decimal; 5] {
        [&self.api_gateway, &self.lambda, &self.dynamodb, &self.sqs, &self.logs]
    }

    pub(super) fn total(&self) -> Decimal {
        self.parts().into_iter().sum()
    }
}
