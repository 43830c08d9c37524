//! `postbackctl portal`: makes a link that lets a person of a partner into the partner's portal once.

use std::process::ExitCode;

use adapters::random;
use anyhow::Result;
use app::sign_in;
use clap::Args;
use domain::session::{LINK_LASTS, Token};
use serde_json::json;

use crate::{Connection, ask, change::Change, output::say};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Uses this base URL of the API.
    #[arg(long, env = "GG3_API_URL")]
    api_url: String,
    #[command(flatten)]
    change: Change,
}

pub(crate) async fn run(stack: &str, Arguments { provider, api_url, change }: Arguments) -> Result<ExitCode> {
    let provider = ask::provider(&provider)?;
    let connection = Connection::open(stack).await?;
    connection.partner(&provider).await?;
    let (operation, now) = (connection.operation(change.why).await?, ask::now());
    let link = Token::from_random(random::bytes()?);
    sign_in::make_link(&connection.sessions(), &link, &provider, (&operation, now)).await?;
    let url = format!("{}/console/portal?link={}", api_url.trim_end_matches('/'), link.reveal());
    if change.json {
        let expires_at = now + LINK_LASTS;
        say!("{}", json!({"link": url, "expires_at": format!("{expires_at:.3}")}))?;
    } else {
        say!("{url}")?;
        eprintln!("the link works once, within 15 minutes");
    }
    Ok(ExitCode::SUCCESS)
}
