//! `postbackctl dead-letters`: shows the messages in the dead-letter queues, and why they are there. Looking removes
//! none.

pub(crate) mod letter;
pub(crate) mod queue;

use std::{fmt, process::ExitCode};

use anyhow::Result;
use app::{
    operators::dead_letters::{Contents, LOOK_SECONDS, LookFault, look},
    ports::DeadLetterQueue,
};
use clap::Args;
use serde::Serialize;

use self::letter::Letter;
use crate::{
    Connection,
    output::{self, say},
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Shows one queue instead of all.
    #[arg(value_parser = queue::parser())]
    queue: Option<DeadLetterQueue>,
    /// Shows at most this many messages of a queue.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    max: u16,
    /// Prints the result as JSON, with whole messages.
    #[arg(long)]
    json: bool,
}

/// A queue's contents as they are shown.
#[derive(Debug, Serialize)]
struct Shown {
    queue: &'static str,
    source: &'static str,
    messages: usize,
    letters: Vec<Letter>,
}

impl From<Contents> for Shown {
    fn from(Contents { queue, messages, letters }: Contents) -> Self {
        let letters = letters.into_iter().map(Letter::from).collect();
        Self { queue: queue.name(), source: queue.source(), messages, letters }
    }
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let which = arguments.queue.map_or(DeadLetterQueue::ALL.to_vec(), |queue| vec![queue]);
    let look = look(&connection.dead_letter_queues(), &which, arguments.max.into()).await.map_err(explained)?;
    match look.missing.first() {
        Some(queue) if look.queues.is_empty() => return Err(connection.missing_queue(queue.name())),
        // A stack of an earlier template has fewer queues.
        _ => look.missing.iter().for_each(|queue| eprintln!("note: the stack has no queue {}", queue.name())),
    }
    let shown: Vec<Shown> = look.queues.into_iter().map(Shown::from).collect();
    if arguments.json {
        say!("{}", serde_json::to_string(&shown)?)?;
    } else {
        shown.iter().try_for_each(output::print)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn explained(fault: LookFault) -> anyhow::Error {
    match fault {
        LookFault::Unread(unavailable) => unavailable.into(),
        LookFault::Hidden(unavailable) => anyhow::Error::from(unavailable)
            .context(format!("the messages that were read are hidden for {LOOK_SECONDS} s")),
    }
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
        writeln!(f, "  to move them back to {source}, once the cause is removed: postbackctl redrive {queue}")
    }
}
