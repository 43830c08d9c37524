//! `postbackctl events`: checks events of GG3's platform as event-evaluator reads them, and puts them on `gg3-events`.

use std::{io::Read, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use app::{
    operators::send_event::{self, Candidate, Checked, InTime, QUEUE},
    ports::{Catalogues as _, Published},
};
use clap::{Args, Subcommand};
use domain::{
    outbound::{
        catalogue::{Catalogue, Snapshot},
        event::{Event, EventFault, EventFaultCode, EventKind, SpoiledTracking, TYPES, UnknownType},
        timing::Timing,
    },
    values::time::UnixMillis,
};
use serde_json::{Value, json};

use crate::{
    Connection, ask,
    change::Confirmed,
    output::{counted, say},
    terminal::printable,
};

/// The published schema of events.
const SCHEMA: &str = include_str!("../../../../shared/domain/schemas/event.json");

/// Limits the quoted part of a value, in characters.
const QUOTED_CHARS: usize = 60;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tells every fault of an event, and the campaigns for whose goals it matters. Sends nothing.
    Check {
        #[command(flatten)]
        files: Files,
        /// Prints the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Checks events, and puts them on the queue gg3-events if all of them are sound.
    Send {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Debug, Args)]
struct Files {
    /// The events, one in each file. A - stands for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Dates the events at this moment instead of their `occurred_at`.
    #[arg(long)]
    now: bool,
}

/// A file with the result of checking it.
struct Judged {
    file: String,
    message: String,
    checked: Checked,
    /// The faults that the schema finds. The schema and the reader agree, so these faults are shown only if the reader
    /// finds none.
    by_schema: Vec<String>,
}

impl Judged {
    fn sound(&self) -> Option<(&Event, &[Candidate])> {
        match &self.checked {
            Checked::Sound { event, campaigns } if self.by_schema.is_empty() => Some((event, campaigns)),
            _ => None,
        }
    }
}

pub(crate) async fn run(stack: &str, Arguments { action }: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let (files, json) = match &action {
        Action::Check { files, json } => (files, *json),
        Action::Send { files, confirmed } => (files, confirmed.change.json),
    };
    let catalogue = match connection.catalogues().current(None).await? {
        Published::Other(catalogue) => *catalogue,
        Published::Nothing | Published::Same => nothing(),
    };
    let judged = files.files.iter().map(|file| judge(file, files.now, &catalogue)).collect::<Result<Vec<_>>>()?;
    let is_sound = judged.iter().all(|judged| judged.sound().is_some());
    let sent = match &action {
        Action::Send { confirmed, .. } if is_sound => Some(send(&connection, confirmed, &judged).await?),
        _ => None,
    };
    if json {
        say!("{}", json!({"events": judged.iter().map(as_json).collect::<Vec<_>>(), "sent": sent.unwrap_or(0)}))?;
    } else {
        for judged in &judged {
            say!("{}", told(judged))?;
        }
        match sent {
            Some(sent) => say!("{} sent to {QUEUE}", counted(sent, "event"))?,
            None if matches!(action, Action::Send { .. }) => eprintln!("nothing was sent"),
            None => {}
        }
    }
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the catalogue of a stack without partners.
fn nothing() -> Catalogue {
    let (version, published_at, partners) = (0, UnixMillis::from_millisecond(0), [].into());
    Catalogue::from(Snapshot { version, published_at, partners })
}

async fn send(connection: &Connection, confirmed: &Confirmed, judged: &[Judged]) -> Result<usize> {
    confirmed.confirm(&format!("Put {} on {QUEUE}? Webhooks may follow.", counted(judged.len(), "event")))?;
    let (queue, trail) = (connection.events().await?, connection.audit());
    for (sent, judged) in judged.iter().enumerate() {
        let Some((event, _)) = judged.sound() else { continue };
        let operation = connection.operation(confirmed.change.why.clone()).await?;
        let done = send_event::send(&queue, &trail, (&operation, ask::now()), event, &judged.message).await;
        done.with_context(|| format!("{} sent; send the others again", counted(sent, "event")))?;
    }
    Ok(judged.len())
}

fn judge(file: &PathBuf, is_now: bool, catalogue: &Catalogue) -> Result<Judged> {
    let name = file.display().to_string();
    let mut text = read(file).with_context(|| format!("cannot read {name}"))?;
    let now = ask::now();
    if is_now {
        let parsed = serde_json::from_str(&text).with_context(|| format!("{name} is not JSON"))?;
        let Value::Object(mut object) = parsed else { bail!("{name} is not a JSON object") };
        object.insert("occurred_at".to_owned(), now.to_string().into());
        text = Value::Object(object).to_string();
    }
    let message = text.trim().to_owned();
    Ok(judged(name, message, catalogue, now.into()))
}

fn judged(file: String, message: String, catalogue: &Catalogue, now: UnixMillis) -> Judged {
    let checked = send_event::check(message.as_bytes(), catalogue, now, &Timing::default());
    let by_schema = if matches!(checked, Checked::Sound { .. }) { schema_faults(&message) } else { Vec::new() };
    Judged { file, message, checked, by_schema }
}

fn read(file: &PathBuf) -> Result<String> {
    if file.as_os_str() != "-" {
        return Ok(std::fs::read_to_string(file)?);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn schema_faults(message: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    let Ok(schema) = jsonschema::options().should_validate_formats(true).build(&schema) else { return Vec::new() };
    let event: Value = serde_json::from_str(message).unwrap_or_default();
    schema.iter_errors(&event).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

/// Returns the result of checking a file in words.
fn told(judged: &Judged) -> String {
    let file = &judged.file;
    let lines = match &judged.checked {
        Checked::Faulty(faults) => {
            let first =
                format!("{file}: {}; the event would go to {QUEUE}-dead-letters", counted(faults.len(), "fault"));
            faulty(first, faults, &judged.message)
        }
        Checked::Spoiled(SpoiledTracking { faults, .. }) => {
            let first = format!("{file}: the tracking attributes the user to nobody; the event would be set aside");
            faulty(first, faults, &judged.message)
        }
        Checked::UnknownType(UnknownType { name, meant }) => {
            let known = TYPES.join(", ");
            let first = format!("{file}: the type {name} is unknown; the event would be counted and set aside");
            let meant = meant.map(|meant| format!("  {meant} may be meant"));
            [first].into_iter().chain(meant).chain([format!("  known types are {known}")]).collect()
        }
        Checked::Sound { .. } if !judged.by_schema.is_empty() => {
            let told = judged.by_schema.iter().map(|fault| format!("  {fault}"));
            [format!("{file}: differs from the schema of events")].into_iter().chain(told).collect()
        }
        Checked::Sound { event, campaigns } => sound(file, event, campaigns),
    };
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

fn faulty(first: String, faults: &[EventFault], message: &str) -> Vec<String> {
    let event = serde_json::from_str(message).unwrap_or_default();
    [first].into_iter().chain(faults.iter().map(|fault| format!("  {}", words(fault, &event)))).collect()
}

fn sound(file: &str, event: &Event, campaigns: &[Candidate]) -> Vec<String> {
    let (user, at) = (event.user_id.as_str(), event.occurred_at);
    let mut lines = vec![format!("{file}: sound")];
    match &event.kind {
        EventKind::LinkOpened { tracking, .. } => {
            let partner = &tracking.provider;
            lines.push(format!("  from {at} on, what user {user} does counts for the campaigns of {partner}"));
        }
        EventKind::Registered { tracking: None, .. } => {
            lines.push("  it counts for no campaign: it has no tracking, so no link brought the user".to_owned());
        }
        _ if campaigns.is_empty() => lines.push("  no published campaign asks for it".to_owned()),
        _ => {}
    }
    let came = match event.kind {
        EventKind::Registered { .. } => "",
        _ => ", if the user opened the partner's link before",
    };
    lines.extend(campaigns.iter().map(|Candidate { provider, campaign, time }| match time {
        InTime::Within => format!("  {provider}, {campaign}: counts{came}"),
        InTime::BeginsLater(begin) => {
            format!("  {provider}, {campaign}: does not count; the campaign begins at {begin}")
        }
        InTime::Ended(end) => format!("  {provider}, {campaign}: does not count; the campaign ended at {end}"),
    }));
    lines
}

/// Returns a fault in words, with the faulty value.
fn words(EventFault { path, code, expected }: &EventFault, event: &Value) -> String {
    if path.is_empty() {
        return format!("the file is not {expected}");
    }
    let value = path.split('.').try_fold(event, |value, name| value.get(name)).filter(|value| !value.is_null());
    let found = value.map(|value| value.to_string().chars().take(QUOTED_CHARS).collect::<String>());
    match (code, found) {
        (EventFaultCode::Missing, None) if expected == "required" => format!("{path} is missing"),
        (EventFaultCode::Missing, None) => format!("{path} is missing: {expected}"),
        (EventFaultCode::Missing, Some(_)) => format!("{path} is empty"),
        (EventFaultCode::Repeated, _) => format!("{path} must stand {expected}"),
        (_, Some(found)) => format!("{path} is {found}; expected {expected}"),
        (_, None) => format!("{path}: expected {expected}"),
    }
}

fn as_json(judged: &Judged) -> Value {
    let Judged { file, checked, by_schema, .. } = judged;
    let (faults, kind, campaigns) = match checked {
        Checked::Faulty(faults) | Checked::Spoiled(SpoiledTracking { faults, .. }) => (json!(faults), None, json!([])),
        Checked::UnknownType(UnknownType { name, .. }) => (json!([]), Some(name), json!([])),
        Checked::Sound { campaigns, .. } => (json!([]), None, json!(campaigns)),
    };
    json!({"file": file, "sound": judged.sound().is_some(), "faults": faults, "schema_faults": by_schema,
        "unknown_type": kind, "campaigns": campaigns})
}

#[cfg(test)]
mod tests;
