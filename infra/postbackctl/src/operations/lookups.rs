//! `postbackctl lookups rebuild`: writes the lookup entries of stored items again.

use std::process::ExitCode;

use adapters::system::System;
use anyhow::{Context, Result};
use app::operators::rebuild_lookups::{RebuildLookups, Rebuilt, RebuiltTable, Stopped};
use clap::{Args, Subcommand, builder::PossibleValuesParser, builder::TypedValueParser};
use domain::lookup::Origin;
use serde_json::json;

use crate::{
    Connection,
    change::Confirmed,
    output::{counted, say},
    pace::Pace,
    terminal::printable,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Reads stored items and writes their lookup entries again. If it is interrupted, the same command continues from
    /// there, within a week.
    Rebuild(Rebuild),
}

#[derive(Debug, Args)]
struct Rebuild {
    /// Rebuilds the entries of this table; may be repeated [default: all].
    #[arg(long = "table", value_name = "TABLE", value_parser = tables())]
    tables: Vec<Origin>,
    /// Reads at most this many items a second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Starts over instead of continuing an interrupted run.
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    confirmed: Confirmed,
}

fn tables() -> impl TypedValueParser<Value = Origin> {
    let names = Origin::ALL.map(Origin::as_str);
    PossibleValuesParser::new(names).try_map(|name| Origin::parse(&name).ok_or("there is no such table"))
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let Action::Rebuild(Rebuild { tables, rate, restart, confirmed }) = arguments.action;
    let origins: Vec<Origin> =
        Origin::ALL.into_iter().filter(|origin| tables.is_empty() || tables.contains(origin)).collect();
    let names: Vec<&str> = origins.iter().map(|origin| origin.as_str()).collect();
    let connection = Connection::open(stack).await?;
    confirmed.confirm(&format!("Read all items of {} and write their lookups again?", names.join(", ")))?;
    let operation = connection.operation(confirmed.change.why).await?;
    let (rebuilds, lookups, trail) = (connection.lookups(), connection.lookup_entries(), connection.audit());
    let rebuild = RebuildLookups { rebuilds, lookups, trail, clock: System };
    let mut pace = Pace::begin_open_ended(rate);
    let done = rebuild.run(&origins, restart, &operation, &mut pace).await.context("nothing was written")?;
    drop(pace);
    show(&done, confirmed.change.json)
}

/// Prints the number of written entries. The exit code is 1 if some items cannot be read or the rebuild ended early.
fn show(Rebuilt { tables, stopped }: &Rebuilt, as_json: bool) -> Result<ExitCode> {
    let why = stopped.as_ref().map(|stopped| match stopped {
        Stopped::Interrupted => "interrupted".to_owned(),
        Stopped::Unavailable(unavailable) => unavailable.to_string(),
    });
    if as_json {
        let table = |table: &RebuiltTable| {
            let RebuiltTable { origin, resumed, items, entries, expired, unreadable } = table;
            json!({
                "table": origin, "resumed": resumed, "items": items, "entries": entries, "expired": expired,
                "unreadable": unreadable,
            })
        };
        say!("{}", json!({"tables": tables.iter().map(table).collect::<Vec<_>>(), "stopped": why}))?;
    } else {
        for RebuiltTable { origin, resumed, items, entries, expired, .. } in tables {
            let resumed = if *resumed { ", after those of an earlier run" } else { "" };
            let (items, entries) = (counted(*items, "item"), counted(*entries, "entry"));
            say!("{origin}: {items} read{resumed}; {entries} written, {expired} expired")?;
        }
    }
    for table in tables {
        for key in &table.unreadable {
            eprintln!("{}: the stored item cannot be read: {}", table.origin, printable(key));
        }
    }
    if let Some(why) = &why {
        eprintln!("{why}; run the same command again to continue");
    }
    let is_whole = why.is_none() && tables.iter().all(|table| table.unreadable.is_empty());
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
