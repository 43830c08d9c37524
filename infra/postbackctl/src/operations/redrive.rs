//! `postbackctl redrive`: puts dead letters back on the queue where they are processed.

use std::process::ExitCode;

use anyhow::{Context, Result};
use app::{
    operators::redrive::{Stopped, count, redrive},
    ports::DeadLetterQueue,
};
use clap::Args;
use serde_json::json;

use super::dead_letters::queue;
use crate::{
    Connection, ask,
    change::Confirmed,
    output::{counted, say},
    pace,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The dead-letter queue.
    #[arg(value_parser = queue::parser())]
    queue: DeadLetterQueue,
    /// Moves at most this many messages [default: all that are in the queue now].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    #[command(flatten)]
    confirmed: Confirmed,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let Arguments { queue, max, confirmed } = arguments;
    let connection = Connection::open(stack).await?;
    let queues = connection.dead_letter_queues();
    let max = max.map(|max| usize::try_from(max).unwrap_or(usize::MAX));
    let most = count(&queues, queue, max).await?.ok_or_else(|| connection.missing_queue(queue.name()))?;
    let report = |moved: u64| json!({"queue": queue.name(), "to": queue.source(), "moved": moved, "of": most});
    if most == 0 {
        eprintln!("{} is empty", queue.name());
        if confirmed.change.json {
            say!("{}", report(0))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let what = format!("{} of {} back to {}", counted(most, "message"), queue.name(), queue.source());
    confirmed.confirm(&format!("Put {what}?"))?;
    let operation = connection.operation(confirmed.change.why).await?;
    let progress = pace::bar(most);
    let (trail, by) = (connection.audit(), (&operation, ask::now()));
    let moved = redrive(&queues, &trail, by, (queue, most), || progress.inc(1)).await;
    progress.finish_and_clear();
    if confirmed.change.json {
        say!("{}", report(progress.position()))?;
    }
    let words = format!("{} of {what}", progress.position());
    moved.map_err(explained).with_context(|| format!("{words}; run it again for the rest"))?;
    eprintln!("{words}");
    Ok(ExitCode::SUCCESS)
}

fn explained(stopped: Stopped) -> anyhow::Error {
    match stopped {
        Stopped::Unavailable(unavailable) => unavailable.into(),
        Stopped::SentNotDeleted(unavailable) => anyhow::Error::from(unavailable)
            .context("a message was sent, but could not be deleted from the dead letters"),
    }
}
