//! `postbackctl probe`: sends a partner a test webhook. The rules, the address check and the client are those of real
//! webhooks. Nothing is recorded, and no delivery changes.

use std::{process::ExitCode, time::Duration};

use adapters::{
    random,
    webhook::{AGENT, Limits, WebhookClient, WebhookSettings},
};
use anyhow::{Result, anyhow, bail};
use app::{
    operators::test_webhook::{CLICK_ID, Signing, TestFault, TestWebhook, USER_ID, Which},
    ports::Source,
};
use clap::Args;
use domain::outbound::attempt::Verdict;
use serde_json::json;

use super::webhook;
use crate::{Connection, ask, output::say, terminal::printable};

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("webhook").required(true))]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Sends the configured webhook of this campaign.
    #[arg(long, group = "webhook")]
    campaign: Option<String>,
    /// Sends a webhook to this URL template, which need not be configured.
    #[arg(long, group = "webhook")]
    url: Option<String>,
    /// Calls --url with this method: GET or POST.
    #[arg(long, default_value = "GET", requires = "url")]
    method: String,
    /// Sends this click id.
    #[arg(long, default_value = CLICK_ID)]
    click_id: String,
    /// Sends this id as the partner's user id.
    #[arg(long, default_value = USER_ID)]
    user_id: String,
    /// Waits at most this many seconds for the answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout_seconds: u64,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let provider = ask::provider(&arguments.provider)?;
    let (_, partner) = connection.partner(&provider).await?;
    let secrets = connection.recipients().load(&provider).await?.map(|known| known.secrets).unwrap_or_default();

    let settings = WebhookSettings {
        reach: connection.reach(),
        limits: Limits::within(Duration::from_secs(arguments.timeout_seconds)),
    };
    let which = match (&arguments.campaign, &arguments.url) {
        (Some(name), _) => Which::Campaign(name),
        (None, Some(url)) => Which::Url { url, method: &arguments.method },
        (None, None) => bail!("name a campaign or a URL"),
    };
    let signatures = secrets.len();
    let ids = (arguments.click_id.as_str(), arguments.user_id.as_str());
    let (allowance, now) = (settings.reach.allowance(), ask::now());
    let made = TestWebhook::make(&partner, which, ids, Signing::Own(secrets), allowance, (random::bytes()?, now));
    let test = made.map_err(|fault| match fault {
        TestFault::NoCampaign(..) => anyhow!("{fault}; --url takes a URL that is not configured yet"),
        fault => anyhow!("the webhook was not sent; `postbackctl apply` would refuse it too: {fault}"),
    })?;
    let tested = test.send(&WebhookClient::new(&settings)?, now).await;

    let (request, answered, took) = (&tested.request, &tested.answered, tested.took_ms());
    let delivered = answered.outcome.verdict() == Verdict::Delivered;
    if arguments.json {
        let report = json!({
            "request": {"method": request.method(), "url": request.url().as_str(), "body": request.body(),
                "webhook_id": tested.id, "signatures": signatures},
            "outcome": answered.outcome.to_string(), "http_status": answered.outcome.status(), "took_ms": took,
            "answer": answered.answer.to_string(), "delivered": delivered, "advice": tested.advice(),
        });
        say!("{report}")?;
    } else {
        say!("{}", printable(&webhook::curl(request, tested.id.as_str())))?;
        say!("  user-agent {AGENT}; {signatures} signature(s), by Standard Webhooks")?;
        say!("  {} in {took} ms", answered.outcome)?;
        if !answered.answer.is_empty() {
            say!("  its answer began: {}", printable(&answered.answer.to_string()))?;
        }
        say!("{}", tested.advice())?;
    }
    Ok(if delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
