//! `postbackctl person replay-erasures`: erases persons again after a table was restored.

use std::process::ExitCode;

use adapters::system::System;
use anyhow::Result;
use app::operators::{
    person::replay::{ReplayErasures, Replayed},
    rebuild_lookups::Stopped,
};
use clap::Args;
use domain::jiff::Timestamp;
use serde_json::json;

use super::{eraser, finder};
use crate::{
    Connection, ask,
    change::Confirmed,
    coverage,
    output::{counted, say},
    pace::Pace,
    terminal::printable,
};

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Replays erasures from this instant on, such as 2026-11-23T12:00:00Z, or from this long ago, such as 7d. Give the
    /// instant to which the table was restored.
    #[arg(long, value_name = "INSTANT", value_parser = ask::instant)]
    since: Timestamp,
    /// Replays erasures up to this instant [default: now].
    #[arg(long, value_name = "INSTANT", value_parser = ask::instant)]
    until: Option<Timestamp>,
    /// Reads at most this many items a second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    #[command(flatten)]
    confirmed: Confirmed,
}

/// The exit code is 1 if the run ended early, or something is left that could not be read or erased.
pub(super) async fn run(connection: &Connection, replay: Replay) -> Result<ExitCode> {
    let Replay { since, until, rate, confirmed } = replay;
    confirmed.confirm("Read all tables, and erase again every person who was erased in this period?")?;
    let operation = connection.operation(confirmed.change.why).await?;
    let key = connection.archive_key().await?;
    let find = finder(connection, key.clone()).await?;
    let replay = ReplayErasures { find, erase: eraser(connection, key).await? };
    let mut pace = Pace::begin_open_ended(rate);
    let period = (since, until.unwrap_or_else(ask::now));
    let done = replay.run(period, &operation, &System, &mut pace).await.map_err(coverage::unlisted)?;
    drop(pace);
    show(&done, confirmed.change.json)
}

fn show(done: &Replayed, as_json: bool) -> Result<ExitCode> {
    let Replayed { persons, items, found, erased, unreadable, gaps, stopped } = done;
    coverage::warn(gaps);
    let why = stopped.as_ref().map(|stopped| match stopped {
        Stopped::Interrupted => "interrupted".to_owned(),
        Stopped::Unavailable(unavailable) => unavailable.to_string(),
    });
    if as_json {
        let unreadable: Vec<_> = unreadable.iter().map(|(table, key)| json!({"table": table, "key": key})).collect();
        say!(
            "{}",
            json!({
                "persons": persons, "items": items, "found": found, "erased": erased, "unreadable": unreadable,
                "gaps": gaps, "stopped": why,
            })
        )?;
    } else {
        let (persons, items) = (counted(*persons, "person"), counted(*items, "item"));
        say!("{persons} erased in this period; {items} read; {found} found again, {erased} erased again")?;
    }
    for (table, key) in unreadable {
        eprintln!("{table}: the stored item cannot be read: {}", printable(key));
    }
    if let Some(why) = &why {
        eprintln!("{why}; run the same command again, which begins from the start");
    } else if *found > 0 {
        eprintln!("run the same command again until it finds nobody");
    }
    let is_whole = why.is_none() && found == erased && unreadable.is_empty();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
