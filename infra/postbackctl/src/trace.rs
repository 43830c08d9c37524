//! `postbackctl trace`: what happened to a transaction or a click.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Args;
use domain::ids::{ClickId, Provider, TransactionId};

use crate::{Connection, timeline::Timeline};

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Arguments {
    /// The partner; goes with --transaction.
    #[arg(long, requires = "transaction")]
    provider: Option<String>,
    /// The partner's transaction.
    #[arg(long, requires = "provider")]
    transaction: Option<String>,
    /// A click id of ours.
    #[arg(long)]
    click: Option<String>,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let history = Connection::open(stack).await?.history();
    let mut timeline = Timeline::default();
    let mut click_ids = Vec::new();
    if let Some(click) = arguments.click {
        click_ids.push(ClickId::new(click).map_err(|fault| anyhow!("the click id {fault}"))?);
    }
    if let Some((provider, transaction)) = arguments.provider.zip(arguments.transaction) {
        let provider = Provider::new(provider).map_err(|fault| anyhow!("the provider {fault}"))?;
        let transaction = TransactionId::new(transaction).map_err(|fault| anyhow!("the transaction id {fault}"))?;
        for item in history.transaction(&provider, &transaction).await? {
            timeline.postback(&item);
            click_ids.push(item.content.click_id);
        }
    }
    click_ids.dedup();
    for click_id in click_ids {
        if let Some(click) = history.click(&click_id).await? {
            timeline.click(&click);
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&timeline)?);
    } else if timeline.is_empty() {
        eprintln!("nothing is recorded under this");
    } else {
        print!("{timeline}");
    }
    // For scripts: 1 says that nothing was found.
    Ok(if timeline.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
