//! `postbackctl doctor`: examines a partner, and says what to do about each finding.

use std::process::ExitCode;

use anyhow::Result;
use app::operators::doctor::{Doctor, Finding, Level, dead_letters};
use clap::Args;
use domain::jiff::Timestamp;
use serde_json::json;

use crate::{Connection, ask, output::say, terminal::printable};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Looks at what happened since this instant, such as 2026-11-23T12:00:00Z, or this long ago, such as 7d or 12h.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant, default_value = "7d")]
    since: Timestamp,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, Arguments { provider, since, json }: Arguments) -> Result<ExitCode> {
    let provider = ask::provider(&provider)?;
    let connection = Connection::open(stack).await?;
    let doctor = Doctor {
        partners: &connection.configuration(),
        trail: &connection.audit(),
        listings: &connection.lookups(),
        inbound: &connection.history(),
        deliveries: &connection.delivery_records(),
        endpoints: &connection.endpoints(),
    };
    let mut findings = doctor.examine(&provider, (since, ask::now())).await?;
    findings.extend(dead_letters(&connection.dead_letter_queues(), &provider).await);
    if json {
        say!("{}", json!({"provider": provider, "since": format!("{since:.3}"), "findings": findings}))?;
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &findings {
        say!("{}", printable(&line(finding)))?;
        if let Some(cure) = &finding.cure {
            say!("      {}", printable(cure))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(Finding { level, about, found, .. }: &Finding) -> String {
    let level = match level {
        Level::Good => "good",
        Level::Note => "note",
        Level::Act => "ACT ",
    };
    format!("{level}  {}: {found}", about.words())
}
