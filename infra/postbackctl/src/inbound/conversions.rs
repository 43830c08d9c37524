//! `postbackctl conversions replay`: what was recorded in a time, sent to GG3 again.

use std::process::ExitCode;

use adapters::{
    dynamodb::{
        history::History,
        lookups::{DynamoLookups, Range},
    },
    sqs::SqsConversions,
};
use anyhow::{Context, Result, bail};
use app::ports::{AuditTrail as _, ConversionQueue};
use clap::{Args, Subcommand};
use domain::{
    audit::{self, Subject as Audited},
    inbound::{conversion::Conversion, correction::Revision},
    jiff::Timestamp,
    lookup::{Place, Subject},
    values::ids::Provider,
};
use futures_util::future::join_all;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    Connection, ask,
    output::say,
    pace::{self, Pace, bar},
    page,
    reason::Reason,
    terminal::printable,
};

/// How many conversions are read and sent at a time, in requests of ten.
const AT_ONCE: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Sends GG3 every conversion and correction of a time again. It dedupes them, so this can be interrupted and repeated.
    Replay(Replay),
}

#[derive(Debug, Args)]
struct Replay {
    /// One partner's.
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    provider: Option<String>,
    /// All partners'.
    #[arg(long)]
    all: bool,
    /// From when: an instant, as in 2026-11-23T12:00:00Z, or how long ago, as in 7d or 12h.
    #[arg(long, value_parser = ask::instant)]
    from: Timestamp,
    /// Before when.
    #[arg(long, value_parser = ask::instant)]
    to: Timestamp,
    /// How many a second, at most.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
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
    let Action::Replay(arguments) = arguments.action;
    replay(&Connection::open(stack).await?, &arguments).await
}

async fn replay(connection: &Connection, arguments: &Replay) -> Result<ExitCode> {
    let Replay { from, to, rate, .. } = *arguments;
    let range = Range { from: Some(from), to: Some(to), wanted: 10 * AT_ONCE, ..Range::default() };
    if from >= to {
        bail!("--from must lie before --to");
    }
    let lookups = connection.lookups();
    let (mut partners, mut total) = (Vec::new(), 0);
    for provider in page::providers(connection, arguments.provider.as_deref()).await? {
        let count = lookups.count(Subject::Postbacks(provider.clone()), range.clone()).await?;
        if count > 0 {
            total += count;
            partners.push(provider);
        }
    }
    if total > 0 {
        let whose = partners.iter().map(Provider::as_str).collect::<Vec<_>>().join(", ");
        ask::confirm(&format!("Send {total} conversions of {whose} to GG3 again?"), arguments.yes)?;
        // A replay changes no table, so its record is stored before the first conversion is sent.
        let operation = connection.operation(arguments.reason.why.clone()).await?;
        let subject = Audited::Conversions { providers: partners.clone(), from, to };
        let record = operation.record(ask::now(), audit::Action::ReplayConversions, subject).with("conversions", total);
        connection.audit().append(&record).await.context("nothing was sent")?;
    }
    let mut sending = Sending {
        lookups,
        history: connection.history(),
        queue: connection.conversions().await?,
        bar: bar(total),
        pace: Pace::new(rate),
        interrupted: pace::interruption(),
        unreadable: Vec::new(),
    };
    let mut left = partners.into_iter();
    let mut stopped = None;
    for provider in left.by_ref() {
        stopped = sending.partner(&provider, range.clone()).await?;
        if stopped.is_some() {
            break;
        }
    }
    sending.bar.finish_and_clear();
    let counts = (sending.pace.sent, total);
    tell(arguments, counts, &sending.unreadable, stopped.as_ref(), left.as_slice())
}

/// Tells what was sent. Returns 1 where something cannot be read or the replay stopped, and then tells how to go on.
fn tell(
    arguments: &Replay,
    (sent, total): (usize, usize),
    unreadable: &[String],
    stopped: Option<&Stop>,
    left: &[Provider],
) -> Result<ExitCode> {
    if arguments.json {
        say!("{}", json!({"sent": sent, "of": total, "unreadable": unreadable, "stopped": stopped}))?;
    } else {
        say!("{sent} of {total} conversions sent again")?;
    }
    for key in unreadable {
        eprintln!("not sent, since what is stored of it cannot be read: {}", printable(key));
    }
    let Some(Stop { provider, at, why }) = stopped else {
        return Ok(if unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    let to = arguments.to;
    eprintln!("{why}: go on with: postbackctl conversions replay --provider {provider} --from {at} --to {to}");
    if !left.is_empty() {
        let left: Vec<&str> = left.iter().map(Provider::as_str).collect();
        eprintln!("and then with those that were not begun: {}", left.join(", "));
    }
    Ok(ExitCode::FAILURE)
}

struct Sending {
    lookups: DynamoLookups,
    history: History,
    queue: SqsConversions,
    bar: ProgressBar,
    pace: Pace,
    interrupted: JoinHandle<()>,
    /// What is stored and cannot be read.
    unreadable: Vec<String>,
}

/// Where it stopped before the end, and why: everything before is sent.
#[derive(Debug, Serialize)]
struct Stop {
    provider: Provider,
    at: Timestamp,
    why: String,
}

impl Sending {
    async fn partner(&mut self, provider: &Provider, range: Range) -> Result<Option<Stop>> {
        let mut listing = self.lookups.list(Subject::Postbacks(provider.clone()), range, ask::now());
        // Never more at once than in a second.
        let at_once = usize::try_from(self.pace.rate).unwrap_or(AT_ONCE).min(AT_ONCE);
        loop {
            let places = listing.take(at_once).await?;
            let Some(first) = places.first() else { return Ok(None) };
            let stop = |why| Some(Stop { provider: provider.clone(), at: first.at(), why });
            if self.pace.wait(&mut self.interrupted).await {
                return Ok(stop("interrupted".to_owned()));
            }
            match self.send(&places).await {
                Ok(sent) => self.pace.sent += sent,
                Err(fault) => return Ok(stop(format!("{fault:#}"))),
            }
            self.bar.inc(u64::try_from(places.len()).unwrap_or_default());
        }
    }

    /// Sends what can be read, and answers how many that were. What cannot is named at the end, and holds up no other.
    async fn send(&mut self, places: &[Place]) -> Result<usize> {
        let mut items = self.history.postbacks(places.iter().map(Place::key)).await?;
        let mut conversions = Vec::with_capacity(places.len());
        for place in places {
            let revision = items.remove(place.key()).map(Revision::try_from);
            match revision {
                Some(Ok(revision)) => conversions.push(Conversion::from(revision)),
                Some(Err(_)) | None => self.unreadable.push(place.key().to_owned()),
            }
        }
        let answers = join_all(conversions.chunks(10).map(|ten| self.queue.send(ten))).await;
        for answer in answers.into_iter().flatten() {
            answer?;
        }
        Ok(conversions.len())
    }
}
