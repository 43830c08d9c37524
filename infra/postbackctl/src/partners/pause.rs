//! `postbackctl pause` and `postbackctl resume`: stop a partner's webhooks, or its postback URL, for a while.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use app::operators::pause_partner::{PauseFault, PauseOutcome, Wanted, pause};
use clap::Args;
use domain::{
    jiff::Timestamp,
    partner::{PAUSED_RETRY_SECONDS, Side},
};
use serde_json::json;

use crate::{Connection, ask, change::Change, output::say};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Means the partner's postback URL instead of the webhooks of its campaigns. Calls of a paused URL are answered 503.
    #[arg(long)]
    inbound: bool,
    #[command(flatten)]
    change: Change,
}

pub(crate) async fn run(stack: &str, arguments: Arguments, paused: bool) -> Result<ExitCode> {
    let Arguments { provider, inbound, change } = arguments;
    let provider = ask::provider(&provider)?;
    let side = if inbound { Side::Postbacks } else { Side::Webhooks };
    let connection = Connection::open(stack).await?;
    let operation = connection.operation(change.why).await?;
    let wanted = Wanted { provider: &provider, side, paused };
    let done = pause(&connection.configuration(), wanted, (&operation, ask::now())).await.map_err(unchanged)?;
    let PauseOutcome { changed, since } = done;
    if change.json {
        let since = since.map(shown);
        let part = side.words();
        say!("{}", json!({"provider": provider, "part": part, "paused": paused, "changed": changed, "since": since}))?;
    }
    eprintln!("{provider}: {}", words(side, paused, done));
    Ok(ExitCode::SUCCESS)
}

/// Says what is so now, and what follows from it.
fn words(side: Side, paused: bool, PauseOutcome { changed, since }: PauseOutcome) -> String {
    let (part, since) = (side.words(), since.map(shown).unwrap_or_default());
    match (side, paused, changed) {
        (_, true, false) => format!("its {part} are paused already, since {since}; nothing was changed"),
        (_, false, false) => format!("its {part} are not paused by this command; nothing was changed"),
        (Side::Webhooks, true, true) => "in at most a minute no webhook is sent. What is owed waits, and spends no \
                                         attempt, until `postbackctl resume`"
            .to_owned(),
        (Side::Postbacks, true, true) => format!(
            "in at most a minute its calls are answered 503 and not recorded, until `postbackctl resume --inbound`. A \
             partner that repeats them, as it was told to, at the earliest after {PAUSED_RETRY_SECONDS} s, loses nothing. \
             Compare with its list afterwards: `postbackctl reconcile`"
        ),
        (Side::Webhooks, false, true) => {
            format!("its webhooks, paused since {since}, are sent again, but for campaigns that its file pauses")
        }
        (Side::Postbacks, false, true) => {
            format!("its calls are recorded again in at most a minute. They were paused since {since}")
        }
    }
}

fn shown(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Adds the cure to a fault.
fn unchanged(fault: PauseFault) -> anyhow::Error {
    match fault {
        PauseFault::Unavailable(unavailable) => unavailable.into(),
        PauseFault::Unclear(..) => anyhow!("{fault}; run this again, which is safe"),
        PauseFault::Unknown(_) => anyhow!("{fault}; nothing was changed"),
        PauseFault::Changed(_) => anyhow!("{fault}; nothing was changed. Run this again"),
    }
}
