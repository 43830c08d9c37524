//! `postbackctl notify --test`: sends a partner a notice, to try if notices arrive.

use std::process::ExitCode;

use adapters::random;
use anyhow::Result;
use app::operators::notify;
use clap::Args;
use serde_json::json;

use crate::{Connection, ask, change::Change, output::say};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Sends a test. Other notices are sent by themselves.
    #[arg(long, required = true)]
    test: bool,
    #[command(flatten)]
    change: Change,
}

pub(crate) async fn run(stack: &str, Arguments { provider, change, .. }: Arguments) -> Result<ExitCode> {
    let provider = ask::provider(&provider)?;
    let connection = Connection::open(stack).await?;
    let (operation, now) = (connection.operation(change.why).await?, ask::now());
    let (partners, rounds, resends) = (connection.partners(), connection.rounds().await?, connection.resends().await?);
    let random: [u8; 8] = random::bytes()?;
    let id = notify::test((&partners, &rounds, &resends), &provider, random, (&operation, now)).await?;
    if change.json {
        say!("{}", json!({"provider": provider, "delivery_id": id}))?;
    }
    eprintln!("a test is on its way; `postbackctl trace --delivery {id}` shows the answer");
    Ok(ExitCode::SUCCESS)
}
