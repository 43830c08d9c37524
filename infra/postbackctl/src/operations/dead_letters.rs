//! `postbackctl dead-letters`: what was set aside, and why. Looking takes nothing away.

pub(crate) mod letter;
pub(crate) mod queue;

use std::{fmt, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::{
    letter::Letter,
    queue::{DeadLetterQueue, Queue, Queues},
};
use crate::{
    Connection,
    output::{self, say},
};

/// How long a letter is hidden while it is looked at. Put back at once afterwards; this is for who is interrupted.
const LOOK_SECONDS: i32 = 30;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// One queue only.
    queue: Option<DeadLetterQueue>,
    /// How many letters of a queue are shown.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    max: u16,
    /// Answers in JSON, with the letters' whole bodies.
    #[arg(long)]
    json: bool,
}

/// What one queue holds.
#[derive(Debug, Serialize)]
struct Shown {
    queue: &'static str,
    source: &'static str,
    /// About how many there are: SQS counts no better.
    messages: usize,
    letters: Vec<Letter>,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let queues = Connection::open(stack).await?.queues();
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for kind in DeadLetterQueue::value_variants().iter().filter(|kind| arguments.queue.is_none_or(|one| one == **kind))
    {
        match queues.find(kind.name()).await? {
            Some(queue) => shown.push(look(*kind, &queue, arguments.max.into()).await?),
            None => missing.push(kind.name()),
        }
    }
    match missing.first() {
        Some(name) if shown.is_empty() => return Err(queues.missing(name)),
        // A stack of an earlier template has fewer queues.
        _ => missing.iter().for_each(|name| eprintln!("note: the stack has no queue {name}")),
    }
    if arguments.json {
        say!("{}", serde_json::to_string(&shown)?)?;
    } else {
        shown.iter().try_for_each(output::print)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The first letters of a queue. All are hidden until the last is read, so that none is shown twice; then all are put back.
async fn look(kind: DeadLetterQueue, queue: &Queue, max: usize) -> Result<Shown> {
    let messages = queue.depth().await?;
    let mut received = Vec::new();
    while received.len() < max {
        let batch = queue.receive(max - received.len(), LOOK_SECONDS).await;
        match batch {
            Ok(batch) if batch.is_empty() => break,
            Ok(batch) => received.extend(batch),
            Err(fault) => {
                queue.put_back(&received).await.ok();
                return Err(fault);
            }
        }
    }
    queue.put_back(&received).await.context("what was looked at is hidden for 30 s")?;
    let letters = received.iter().map(Letter::of).collect::<Vec<_>>();
    // What was just received is there, whatever the count says.
    let messages = messages.max(letters.len());
    Ok(Shown { queue: kind.name(), source: kind.source(), messages, letters })
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, source, messages, letters } = self;
        if *messages == 0 {
            return writeln!(f, "{queue}: empty");
        }
        let first = if letters.len() < *messages { format!(", the first {}", letters.len()) } else { String::new() };
        writeln!(f, "{queue}: {messages} (of {source}){first}")?;
        for letter in letters {
            writeln!(f, "{letter}")?;
        }
        writeln!(f, "  back to {source}, once the cause is mended: postbackctl redrive {queue}")
    }
}

impl Connection {
    /// The stack's queues.
    pub(crate) fn queues(&self) -> Queues {
        Queues::new(self.sqs(), self.stack())
    }
}
