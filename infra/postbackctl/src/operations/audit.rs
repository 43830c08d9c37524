//! `postbackctl audit`: lists the changes that operators made.

use std::process::ExitCode;

use anyhow::Result;
use app::operators::audit;
use clap::Args;
use domain::{
    audit::{AuditRecord, Subject},
    jiff::Timestamp,
};
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
        for line in lines(record)? {
            say!("{}", printable(&line))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a record as text: one line, and an indented line for each detail.
fn lines(record: &AuditRecord) -> Result<Vec<String>> {
    let AuditRecord { at, author, action, subject, why, details, .. } = record;
    let action = serde_json::to_value(action)?;
    let action = action.as_str().unwrap_or_default().replace('_', " ");
    let mut lines = vec![format!("{at:.3}  {action}: {}, by {author}", words(subject))];
    lines.extend(why.iter().map(|why| format!("    why: {why}")));
    for (name, value) in details {
        let mut values = value.lines();
        lines.push(format!("    {name}: {}", values.next().unwrap_or_default()));
        lines.extend(values.map(|value| format!("        {value}")));
    }
    Ok(lines)
}

fn words(subject: &Subject) -> String {
    match subject {
        Subject::Partner { provider } => provider.to_string(),
        Subject::SystemKeys => "the system's keys".to_owned(),
        Subject::Catalogue => "the campaigns of all partners".to_owned(),
        Subject::Conflict { provider, content_id } | Subject::Refusal { provider, content_id } => {
            format!("{provider}, content id {content_id}")
        }
        Subject::Conversions { providers, from, to } => {
            let providers: Vec<&str> = providers.iter().map(domain::values::ids::Provider::as_str).collect();
            format!("conversions of {}, from {from:.3} to {to:.3}", providers.join(", "))
        }
        Subject::Delivery { provider, delivery_id } => format!("{provider}, delivery {delivery_id}"),
        Subject::Queue { queue } => format!("queue {queue}"),
        Subject::Lookups => "the lookups".to_owned(),
        Subject::Person => "a person".to_owned(),
        Subject::Unknown => "unknown to this version of postbackctl".to_owned(),
    }
}
