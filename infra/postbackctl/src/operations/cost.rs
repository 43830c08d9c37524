//! `postbackctl cost`: computes the AWS cost of a million of each unit of work, part by part.

mod usage;
mod work;

use std::{fmt::Write, process::ExitCode};

use anyhow::Result;
use clap::Args;
use domain::outbound::retry::MAX_HOP_SECONDS;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;
use serde_json::Value;

use self::{
    usage::{Bill, Prices},
    work::units_of_work,
};
use crate::output;

/// The values to compute with. The defaults are the template's values, or guesses that docs/capacity.md names.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Memory of each function in MB; the default is that of template.yaml.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    memory_mb: u32,
    /// Billed ms of one postback, mostly the wait for one write.
    #[arg(long, default_value_t = 8)]
    postback_ms: u32,
    /// Billed ms of one click, mostly the wait for one write.
    #[arg(long, default_value_t = 8)]
    click_ms: u32,
    /// Billed ms of one batch of conversion-relay: a request to SQS for each ten records, all at the same time.
    #[arg(long, default_value_t = 20)]
    relay_batch_ms: u32,
    /// Records in a batch of conversion-relay.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    relay_batch: u32,
    /// Billed ms of one batch of lookup-writer: a request to DynamoDB for each 25 entries, eight at a time.
    #[arg(long, default_value_t = 40)]
    lookup_batch_ms: u32,
    /// Records in a batch of lookup-writer. Batches of participants have at most 20.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    lookup_batch: u32,
    /// Billed ms of one batch of event-evaluator.
    #[arg(long, default_value_t = 30)]
    evaluator_batch_ms: u32,
    /// Billed ms of one batch of webhook-sender, which takes as long as the slowest partner in it.
    #[arg(long, default_value_t = 500)]
    sender_batch_ms: u32,
    /// Billed ms of one batch of messages that are not due yet.
    #[arg(long, default_value_t = 20)]
    hop_batch_ms: u32,
    /// Messages in a batch of a queue, sent or received.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10))]
    queue_batch: u32,
    /// Bytes of a message on a queue.
    #[arg(long, default_value_t = 700)]
    message_bytes: u32,
    /// Bytes of a postback's item.
    #[arg(long, default_value_t = 500)]
    postback_bytes: u32,
    /// Bytes of a click's item.
    #[arg(long, default_value_t = 300)]
    click_bytes: u32,
    /// Bytes that a refused postback sent.
    #[arg(long, default_value_t = 700)]
    refusal_bytes: u32,
    /// Bytes of a participant's item.
    #[arg(long, default_value_t = 900)]
    participant_bytes: u32,
    /// Bytes of a delivery's item.
    #[arg(long, default_value_t = 900)]
    delivery_bytes: u32,
    /// Bytes of a row of the archive, as JSON.
    #[arg(long, default_value_t = 420)]
    row_bytes: u32,
    /// Bytes of a row of the archive in S3, compressed.
    #[arg(long, default_value_t = 90)]
    stored_row_bytes: u32,
    /// Months for which rows of the archive are kept.
    #[arg(long, default_value_t = 36)]
    archive_months: u32,
    /// Rows of the archive in an object. With little traffic an object holds the rows of `ArchiveBufferSeconds`.
    #[arg(long, default_value_t = 1000)]
    object_rows: u32,
    /// Billed ms that one batch of lookup-writer waits for Firehose.
    #[arg(long, default_value_t = 20)]
    archive_batch_ms: u32,
    /// Bytes that one invocation logs: one line of ours.
    #[arg(long, default_value_t = 320)]
    log_bytes: u32,
    /// Bytes of the line that each attempt of a webhook logs.
    #[arg(long, default_value_t = 300)]
    attempt_log_bytes: u32,
    /// Bytes of the API's access log for one request.
    #[arg(long, default_value_t = 172)]
    access_log_bytes: u32,
    /// Seconds before a campaign's first resend.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=21_600))]
    initial_interval_seconds: u32,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

/// A unit of work, and the cost of a million such units.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    #[serde(flatten)]
    bill: Bill,
    total: Decimal,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let rows = rows(arguments);
    output::print(if arguments.json { format!("{}\n", as_json(&rows)?) } else { table(&rows)? })?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the rows with their prices as numbers.
fn as_json(rows: &[Row]) -> Result<Value> {
    let mut rows = serde_json::to_value(rows)?;
    let objects = rows.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut);
    for value in objects.flat_map(|row| row.iter_mut().filter(|(name, _)| *name != "what").map(|(_, value)| value)) {
        if let Some(Ok(number @ Value::Number(_))) = value.as_str().map(serde_json::from_str) {
            *value = number;
        }
    }
    Ok(rows)
}

fn rows(arguments: &Arguments) -> Vec<Row> {
    let row = |(what, usage): (&'static str, usage::Usage)| {
        let bill = usage.bill(&Prices::US_EAST_1);
        Row { what, total: bill.total(), bill }
    };
    units_of_work(arguments).into_iter().map(row).collect()
}

/// Returns a price in dollars. Prices are rounded only here.
fn table(rows: &[Row]) -> Result<String> {
    let mut text = format!("{:<36}", "a million of");
    for part in Bill::PARTS.iter().chain(&["total"]) {
        write!(text, "{part:>13}")?;
    }
    text.push('\n');
    for Row { what, bill, total } in rows {
        write!(text, "{what:<36}")?;
        for dollars in bill.parts().into_iter().chain([total]) {
            write!(
                text,
                "{:>13}",
                format!("{:.3}", dollars.round_dp_with_strategy(3, RoundingStrategy::MidpointAwayFromZero))
            )?;
        }
        text.push('\n');
    }
    Ok(text)
}

/// Counts the messages that carry a wait of this many seconds.
fn messages_for(seconds: u32) -> u32 {
    seconds.div_ceil(u32::from(MAX_HOP_SECONDS)).max(1)
}

#[cfg(test)]
mod tests;
