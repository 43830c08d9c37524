//! The billed units that a unit of work takes of each part of AWS, and their cost, in exact decimals.

use std::ops::{Add, Mul};

use rust_decimal::{Decimal, dec};
use serde::Serialize;

const MILLION: Decimal = dec!(1_000_000);
/// Counts the bytes of a GB. For some parts a GB has 2^30 bytes, so this slightly overstates their cost.
const GB: Decimal = dec!(1_000_000_000);

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
    /// Bytes that Firehose bills.
    pub(super) firehose_bytes: Decimal,
    pub(super) stored_objects: Decimal,
    /// Bytes in S3 by the months for which they are kept.
    pub(super) stored_byte_months: Decimal,
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
    firehose_gb: Decimal,
    object_thousand: Decimal,
    stored_gb_month: Decimal,
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
        firehose_gb: dec!(0.029),
        object_thousand: dec!(0.005),
        stored_gb_month: dec!(0.023),
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
    pub(super) firehose: Decimal,
    pub(super) s3: Decimal,
}

impl Usage {
    /// Computes the cost of a million of these.
    pub(super) fn bill(&self, prices: &Prices) -> Bill {
        // A GB-second is 1,024 MB for 1,000 ms.
        let gb_seconds = self.mb_milliseconds * MILLION / dec!(1_024_000);
        Bill {
            api_gateway: self.api_requests * prices.api_million,
            lambda: self.invocations * prices.invocation_million + gb_seconds * prices.gb_second,
            dynamodb: self.write_units * prices.write_million + self.read_units * prices.read_million,
            sqs: self.queue_requests * prices.queue_million + self.fair_requests * prices.fair_million,
            logs: self.log_bytes * MILLION / GB * prices.log_gb,
            firehose: self.firehose_bytes * MILLION / GB * prices.firehose_gb,
            s3: self.stored_objects * MILLION / dec!(1_000) * prices.object_thousand
                + self.stored_byte_months * MILLION / GB * prices.stored_gb_month,
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
            firehose_bytes: self.firehose_bytes + other.firehose_bytes,
            stored_objects: self.stored_objects + other.stored_objects,
            stored_byte_months: self.stored_byte_months + other.stored_byte_months,
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
            firehose_bytes: self.firehose_bytes * times,
            stored_objects: self.stored_objects * times,
            stored_byte_months: self.stored_byte_months * times,
        }
    }
}

impl Bill {
    pub(super) const PARTS: [&'static str; 7] = ["API Gateway", "Lambda", "DynamoDB", "SQS", "logs", "Firehose", "S3"];

    /// Returns the costs in the order of [`Bill::PARTS`].
    pub(super) fn parts(&self) -> [&Decimal; 7] {
        [&self.api_gateway, &self.lambda, &self.dynamodb, &self.sqs, &self.logs, &self.firehose, &self.s3]
    }

    pub(super) fn total(&self) -> Decimal {
        self.parts().into_iter().sum()
    }
}
