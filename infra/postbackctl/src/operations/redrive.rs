//! `postbackctl redrive`: dead letters back to where they are processed.

use std::{io::IsTerminal, process::ExitCode};

use anyhow::{Context, Result};
use app::{
    operators::redrive::{Stopped, count, redrive},
    ports::DeadLetterQueue,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::dead_letters::queue;
use crate::{Connection, ask, output::say, reason::Reason};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The dead-letter queue.
    #[arg(value_parser = queue::parser())]
    queue: DeadLetterQueue,
    /// How many letters are moved at most; all that are there now without it.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let (connection, queue) = (Connection::open(stack).await?, arguments.queue);
    let queues = connection.dead_letter_queues();
    let max = arguments.max.map(|max| usize::try_from(max).unwrap_or(usize::MAX));
    let most = count(&queues, queue, max).await?.ok_or_else(|| connection.missing_queue(queue.name()))?;
    let told = |moved: u64| json!({"queue": queue.name(), "to": queue.source(), "moved": moved, "of": most});
    if most == 0 {
        eprintln!("{} is empty", queue.name());
        if arguments.json {
            say!("{}", told(0))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let what = format!("{most} messages of {} back to {}", queue.name(), queue.source());
    ask::confirm(&format!("Put {what}?"), arguments.yes)?;
    let operation = connection.operation(arguments.reason.why).await?;
    let progress = progress(most);
    let (trail, by) = (connection.audit(), (&operation, ask::now()));
    let moved = redrive(&queues, &trail, by, (queue, most), || progress.inc(1)).await;
    progress.finish_and_clear();
    if arguments.json {
        say!("{}", told(progress.position()))?;
    }
    let words = format!("{} of {what}", progress.position());
    moved.map_err(explained).with_context(|| format!("{words}; run it again for the rest"))?;
    eprintln!("{words}");
    Ok(ExitCode::SUCCESS)
}

fn explained(stopped: Stopped) -> anyhow::Error {
    match stopped {
        Stopped::Unavailable(unavailable) => unavailable.into(),
        Stopped::SentNotDeleted(unavailable) => {
            anyhow::Error::from(unavailable).context("a message was sent, but is still among the dead letters too")
        }
    }
}

/// Makes a bar where there is a terminal to draw on.
fn progress(most: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta} left");
    let length = u64::try_from(most).unwrap_or(u64::MAX);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
