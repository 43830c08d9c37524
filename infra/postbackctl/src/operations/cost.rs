//! `postbackctl cost`: what a million of each unit of work costs on AWS, part by part, on paper.

mod usage;
mod work;

use std::{fmt::Write, process::ExitCode};

use anyhow::Result;
use clap::Args;
use domain::outbound::retry::MAX_HOP_SECONDS;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

use self::{
    usage::{Bill, Prices},
    work::units_of_work,
};
use crate::output;

/// What the arithmetic is made from; each has the template's own value or a guess that is said to be one.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Each function's memory, as in template.yaml.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(128..=10_240))]
    memory_mb: u32,
    /// Billed time of one postback: mostly the wait for one write.
    #[arg(long, default_value_t = 8)]
    postback_ms: u32,
    /// Billed time of one click, likewise.
    #[arg(long, default_value_t = 8)]
    click_ms: u32,
    /// Billed time of one batch of the stream's records: one request to SQS for each ten, all at the same time.
    #[arg(long, default_value_t = 20)]
    relay_batch_ms: u32,
    /// How full the stream's batches are; at most 100.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    relay_batch: u32,
    /// Billed time of one batch of what is stored, for the lookups: a request to DynamoDB for each 25 entries, eight at once.
    #[arg(long, default_value_t = 40)]
    lookup_batch_ms: u32,
    /// How full those batches are, but for participants', which have 20 at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    lookup_batch: u32,
    /// Billed time of one batch of events.
    #[arg(long, default_value_t = 30)]
    evaluator_batch_ms: u32,
    /// Billed time of one batch of webhooks: as long as the slowest partner in it takes.
    #[arg(long, default_value_t = 500)]
    sender_batch_ms: u32,
    /// Billed time of one batch of messages that are not due yet.
    #[arg(long, default_value_t = 20)]
    hop_batch_ms: u32,
    /// How full the batches of queues are, sent and received; at most 10.
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
    /// Bytes of what was sent in a postback that is refused.
    #[arg(long, default_value_t = 700)]
    refusal_bytes: u32,
    /// Bytes of a participant's item.
    #[arg(long, default_value_t = 900)]
    participant_bytes: u32,
    /// Bytes of a delivery's item.
    #[arg(long, default_value_t = 900)]
    delivery_bytes: u32,
    /// Bytes that one invocation logs: Lambda's own lines, and one of ours.
    #[arg(long, default_value_t = 710)]
    log_bytes: u32,
    /// Bytes of the line that each attempt of a webhook logs.
    #[arg(long, default_value_t = 300)]
    attempt_log_bytes: u32,
    /// Bytes of the API's access log for one request.
    #[arg(long, default_value_t = 300)]
    access_log_bytes: u32,
    /// The campaign's delay before the first resend.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=21_600))]
    initial_interval_seconds: u32,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

/// A unit of work and what a million of it costs.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    #[serde(flatten)]
    bill: Bill,
    total: Decimal,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let rows = rows(arguments);
    output::print(if arguments.json { format!("{}\n", serde_json::to_string(&rows)?) } else { table(&rows)? })?;
    Ok(ExitCode::SUCCESS)
}

fn rows(arguments: &Arguments) -> Vec<Row> {
    let row = |(what, usage): (&'static str, usage::Usage)| {
        let bill = usage.bill(&Prices::US_EAST_1);
        Row { what, total: bill.total(), bill }
    };
    units_of_work(arguments).into_iter().map(row).collect()
}

/// In dollars, rounded only here.
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

/// How many messages carry a wait of so many seconds.
fn messages_for(seconds: u32) -> u32 {
    seconds.div_ceil(u32::from(MAX_HOP_SECONDS)).max(1)
}

#[cfg(test)]
mod tests;
