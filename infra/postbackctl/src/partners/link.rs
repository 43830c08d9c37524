//! `postbackctl link`: builds tracking links of both directions.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context, Result, anyhow};
use app::ports::{Partners as _, SecretPurpose};
use clap::{Args, Subcommand};
use domain::{
    inbound::tracking_link::{BaseUrl, ClickLink, TrackerMacro, media_buying_link},
    jiff::{SignedDuration, Timestamp},
    outbound::agreed_ids::TrackingId,
    partner::MediaBuying,
    values::ids::{LandingName, Provider, UserId},
};
use serde_json::json;

use crate::{Connection, ask, output::say};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    direction: Direction,
    /// Prints the result as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Direction {
    /// Builds a signed link for one GG3 user to a partner's landing page.
    Click {
        /// The partner.
        provider: String,
        /// The name of the landing page in the partner's file.
        landing: String,
        /// Makes the link for this GG3 user.
        #[arg(long)]
        user: String,
        /// Makes the link expire after this time, such as 30d or 12h.
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = ask::duration)]
        expires_in: SignedDuration,
        /// Uses this base URL of the API.
        #[arg(long, env = "GG3_API_URL")]
        api_url: String,
    },
    /// Builds a link to GG3 for a partner's own pages, with every macro that was agreed with the partner.
    MediaBuying {
        /// The partner.
        provider: String,
        /// Links to this page on GG3.
        #[arg(long)]
        page: String,
        /// Uses this macro of the click id instead of the configured one.
        #[arg(long)]
        click_id_macro: Option<String>,
        /// Uses this macro of the user id instead of the configured one.
        #[arg(long)]
        user_id_macro: Option<String>,
    },
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let (link, expires) = match arguments.direction {
        Direction::Click { provider, landing, user, expires_in, api_url } => {
            let link = ClickLink {
                provider: ask::provider(&provider)?,
                landing: LandingName::new(landing).map_err(|fault| anyhow!("the landing's name {fault}"))?,
                user_id: UserId::new(user).map_err(|fault| anyhow!("the user id {fault}"))?,
                expires: (Timestamp::now() + expires_in).as_second(),
            };
            (click_link(stack, &link, api_url.trim_end_matches('/')).await?, Some(link.expires))
        }
        Direction::MediaBuying { provider, page, click_id_macro, user_id_macro } => {
            let page = BaseUrl::parse(&page).map_err(|fault| anyhow!("the page {fault}"))?;
            let provider = ask::provider(&provider)?;
            let mut macros = agreed_macros(stack, &provider).await?;
            let given = [(TrackingId::ClickId, click_id_macro), (TrackingId::UserId, user_id_macro)];
            for (id, text) in given.into_iter().filter_map(|(id, text)| Some((id, text?))) {
                macros.insert(id, TrackerMacro::new(&text).map_err(|fault| anyhow!("the macro {text} {fault}"))?);
            }
            let macros: Vec<(&str, TrackerMacro)> = macros.into_iter().map(|(id, text)| (id.as_str(), text)).collect();
            (media_buying_link(&page, &provider, &macros), None)
        }
    };
    if arguments.json {
        let expires_at = expires.and_then(|second| Timestamp::from_second(second).ok());
        say!("{}", json!({"link": link, "expires_at": expires_at.map(|at| format!("{at:.3}"))}))?;
    } else {
        say!("{link}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the macros that were agreed with a partner. For a partner that is not configured yet, prints a note and returns the
/// default macros: GG3 takes openings of configured partners only.
async fn agreed_macros(stack: &str, provider: &Provider) -> Result<BTreeMap<TrackingId, TrackerMacro>> {
    let configuration = Connection::open(stack).await?.configuration();
    let agreed = if let Some(item) = configuration.partner(provider).await? {
        let partner = item
            .partner()
            .map_err(|faults| anyhow!("the stored configuration of {provider} is not valid: {faults}"))?;
        partner.media_buying().clone()
    } else {
        eprintln!("note: there is no partner {provider} yet; apply its file before the link is used");
        MediaBuying::default()
    };
    Ok(agreed.macros().map(|(id, text)| (id, text.clone())).collect())
}

async fn click_link(stack: &str, link: &ClickLink, api_url: &str) -> Result<String> {
    let connection = Connection::open(stack).await?;
    let ClickLink { provider, landing, .. } = link;
    let (_, partner) = connection.partner(provider).await?;
    let names: Vec<&str> = partner.landings().map(|(name, _)| name.as_str()).collect();
    partner
        .landing(landing)
        .with_context(|| format!("{provider} has no landing {landing}; it has: {}", names.join(", ")))?;
    let stored = connection.configuration().secrets(&SecretPurpose::Link).await?.map(|stored| stored.secrets);
    let secret = stored.and_then(|secrets| secrets.into_iter().next());
    let secret = secret.context("there is no secret for links; apply a partner first")?;
    Ok(link.signed(api_url, &secret))
}
