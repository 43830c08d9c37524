//! `postbackctl conversions replay`: sends the conversions of a period to GG3 again.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use app::operators::replay_conversions::{Plan, ReplayConversions, Replayed, Stopped};
use clap::{Args, Subcommand};
use domain::{jiff::Timestamp, values::ids::Provider};
use serde_json::json;

use crate::{
    Connection, ask,
    change::Confirmed,
    coverage,
    output::{counted, say},
    pace::Pace,
    page,
    terminal::printable,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Sends all conversions of a period to GG3 again, with their corrections. GG3 ignores those that it already has, so a
    /// replay can be interrupted and repeated.
    Replay(Replay),
}

#[derive(Debug, Args)]
struct Replay {
    /// Sends the conversions of this partner.
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    provider: Option<String>,
    /// Sends the conversions of all partners.
    #[arg(long)]
    all: bool,
    /// Sends conversions recorded since this instant, such as 2026-11-23T12:00:00Z, or this long ago, such as 7d or 12h.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant)]
    from: Timestamp,
    /// Sends conversions recorded before this instant, written like --from.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant)]
    to: Timestamp,
    /// Sends at most this many conversions a second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    #[command(flatten)]
    confirmed: Confirmed,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let Action::Replay(arguments) = arguments.action;
    let Replay { from, to, rate, confirmed, .. } = &arguments;
    if from >= to {
        bail!("--from must be before --to");
    }
    let connection = Connection::open(stack).await?;
    let replay = ReplayConversions {
        listings: connection.lookups(),
        inbound: connection.history(),
        queue: connection.conversions().await?,
        trail: connection.audit(),
    };
    let providers = page::providers(&connection, arguments.provider.as_deref()).await?;
    let plan = replay.plan(providers, (*from, *to)).await.map_err(coverage::unlisted)?;
    coverage::warn(&plan.gaps);
    if plan.total == 0 {
        return show(&arguments, &plan, &Replayed::default());
    }
    let question = format!("Send {} of {} to GG3 again?", counted(plan.total, "conversion"), names(&plan.partners));
    confirmed.confirm(&question)?;
    let operation = connection.operation(confirmed.change.why.clone()).await?;
    let mut pace = Pace::begin(*rate, plan.total);
    let replayed = replay.run(&plan, (&operation, ask::now()), &mut pace).await.context("nothing was sent")?;
    drop(pace);
    show(&arguments, &plan, &replayed)
}

fn names(providers: &[Provider]) -> String {
    providers.iter().map(Provider::as_str).collect::<Vec<_>>().join(", ")
}

/// Prints the number of sent conversions. The exit code is 1 if something cannot be read or the replay ended early. In
/// that case the text also says how to continue.
fn show(arguments: &Replay, Plan { total, gaps, .. }: &Plan, replayed: &Replayed) -> Result<ExitCode> {
    let Replayed { sent, erased, unreadable, stopped, left } = replayed;
    let why = |stopped: &Stopped| stopped.fault.as_ref().map_or_else(|| "interrupted".to_owned(), ToString::to_string);
    if arguments.confirmed.change.json {
        let stopped =
            stopped.as_ref().map(|it| json!({"provider": it.provider, "at": format!("{:.3}", it.at), "why": why(it)}));
        say!(
            "{}",
            json!({"sent": sent, "of": total, "erased": erased, "unreadable": unreadable, "stopped": stopped, "gaps": gaps})
        )?;
    } else {
        say!("{sent} of {} sent again", counted(total, "conversion"))?;
        if *erased > 0 {
            say!("{erased} left out, because the person was erased")?;
        }
    }
    for key in unreadable {
        eprintln!("not sent, because the stored item cannot be read: {}", printable(key));
    }
    let Some(stopped) = stopped else {
        return Ok(if unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    let (Stopped { provider, at, .. }, why, to) = (stopped, why(stopped), arguments.to);
    eprintln!("{why}; continue with: postbackctl conversions replay --provider {provider} --from {at:.3} --to {to:.3}");
    if !left.is_empty() {
        eprintln!("then replay the remaining partners: {}", names(left));
    }
    Ok(ExitCode::FAILURE)
}
