//! `postbackctl audit`: lists the changes that operators made.

use std::process::ExitCode;

use anyhow::Result;
use app::operators::audit::{self, action_words, subject_words};
use clap::Args;
use domain::{audit::AuditRecord, jiff::Timestamp};
use serde_json::json;

use crate::{Connection, ask, output::say, terminal::printable};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Lists changes from this instant on, such as 2026-11-23T12:00:00Z, or from this long ago, such as 7d or 12h.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant, default_value = "7d")]
    since: Timestamp,
    /// Lists changes that concern this partner instead of all.
    #[arg(long)]
    provider: Option<String>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let provider = arguments.provider.as_deref().map(ask::provider).transpose()?;
    let trail = Connection::open(stack).await?.audit();
    let records = audit::list(&trail, (arguments.since, ask::now()), provider.as_ref()).await?;
    if arguments.json {
        say!("{}", json!({ "records": records }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if records.is_empty() {
        eprintln!("no changes in this period; older records may have expired");
    }
    for record in &records {
        for line in lines(record) {
            say!("{}", printable(&line))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a record as text: one line, and an indented line for each detail.
fn lines(record: &AuditRecord) -> Vec<String> {
    let AuditRecord { at, author, author_name, action, subject, why, details, .. } = record;
    let (action, subject) = (action_words(*action), subject_words(subject));
    let who = author_name.as_ref().map_or_else(|| author.to_string(), |name| format!("{name} ({author})"));
    let mut lines = vec![format!("{at:.3}  {action}: {subject}, by {who}")];
    lines.extend(why.iter().map(|why| format!("    why: {why}")));
    for (name, value) in details {
        let mut values = value.lines();
        lines.push(format!("    {name}: {}", values.next().unwrap_or_default()));
        lines.extend(values.map(|value| format!("        {value}")));
    }
    lines
}
