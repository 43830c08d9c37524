//! `postbackctl redrive`: dead letters back to where they are processed, by receiving, sending and deleting.
//!
//! A letter is deleted only when it was sent, so whoever is interrupted loses none: one may then be there twice, which
//! every consumer here takes. What was received and not sent is back within [`HIDDEN_SECONDS`].

use std::{io::IsTerminal, process::ExitCode};

use anyhow::{Context, Result};
use aws_sdk_sqs::types::Message;
use clap::Args;
use futures_util::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::dead_letters::queue::{DeadLetterQueue, Queue};
use crate::{Connection, ask, output::say};

/// How long a letter is hidden while it is moved.
const HIDDEN_SECONDS: i32 = 60;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The dead-letter queue.
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
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let (queues, kind) = (Connection::open(stack).await?.queues(), arguments.queue);
    let (from, to) = (queues.get(kind.name()).await?, queues.get(kind.source()).await?);
    // What is there now and no more: what is still broken comes back, and would go round for ever.
    let depth = from.depth().await?;
    let most = arguments.max.and_then(|max| usize::try_from(max).ok()).map_or(depth, |max| max.min(depth));
    let told = |moved: u64| json!({"queue": kind.name(), "to": kind.source(), "moved": moved, "of": most});
    if most == 0 {
        eprintln!("{} is empty", kind.name());
        if arguments.json {
            say!("{}", told(0))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let what = format!("{most} messages of {} back to {}", kind.name(), kind.source());
    ask::confirm(&format!("Put {what}?"), arguments.yes)?;
    let progress = progress(most);
    let moved = redrive(&from, &to, most, &progress).await;
    progress.finish_and_clear();
    if arguments.json {
        say!("{}", told(progress.position()))?;
    }
    let words = format!("{} of {what}", progress.position());
    moved.with_context(|| format!("{words}; run it again for the rest"))?;
    eprintln!("{words}");
    Ok(ExitCode::SUCCESS)
}

/// A bar where there is a terminal to draw on.
fn progress(most: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta} left");
    let length = u64::try_from(most).unwrap_or(u64::MAX);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn redrive(from: &Queue, to: &Queue, most: usize, progress: &ProgressBar) -> Result<()> {
    let mut left = most;
    while left > 0 {
        let letters = from.receive(left, HIDDEN_SECONDS).await?;
        if letters.is_empty() {
            break;
        }
        left = left.saturating_sub(letters.len());
        let moves = join_all(letters.iter().map(|letter| move_one(from, to, letter, progress))).await;
        let stuck: Vec<Message> =
            letters.into_iter().zip(&moves).filter(|(_, moved)| moved.is_err()).map(|(letter, _)| letter).collect();
        if let Some(fault) = moves.into_iter().find_map(Result::err) {
            // For who looks next; without it they are back in a minute all the same.
            from.put_back(&stuck).await.ok();
            return Err(fault);
        }
    }
    Ok(())
}

async fn move_one(from: &Queue, to: &Queue, letter: &Message, progress: &ProgressBar) -> Result<()> {
    to.send_on(letter).await?;
    progress.inc(1);
    from.delete(letter).await.context("a message was sent, but is still among the dead letters too")
}
