//! `postbackctl probe`: sends a partner a test webhook. The rules, the address check and the client are those of real
//! webhooks. Nothing is recorded, and no delivery changes.

use std::{process::ExitCode, time::Duration};

use adapters::{
    random,
    webhook::{AGENT, Limits, WebhookClient, WebhookSettings},
};
use anyhow::{Context, Result, anyhow, bail};
use app::ports::{PartnerServers, Source};
use clap::Args;
use domain::{
    outbound::{
        agreed_ids::PartnerIds,
        attempt::Verdict,
        macros::WebhookValues,
        webhook::{BodyNames, Method, UrlTemplate, Webhook},
    },
    partner::Partner,
    values::{
        ids::{CampaignName, ClaimMark, ClickId, DeliveryId, EventLabel, PartnerUserId, Provider},
        time::UnixMillis,
    },
};
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
    #[arg(long, default_value = "test-click")]
    click_id: String,
    /// Sends this id as the partner's user id.
    #[arg(long, default_value = "test-user")]
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
    let prepared = prepare(&partner, &arguments, settings.reach.allowance())?;
    let id = DeliveryId::new(format!("test-{}", ClaimMark::from_random(random::bytes()?)))
        .map_err(|fault| anyhow!("the test's id {fault}"))?;
    let now = UnixMillis::from(ask::now());
    let ids = PartnerIds {
        click_id: Some(ClickId::new(arguments.click_id).map_err(|fault| anyhow!("the click id {fault}"))?),
        user_id: Some(PartnerUserId::new(arguments.user_id).map_err(|fault| anyhow!("the user id {fault}"))?),
    };
    let values = WebhookValues {
        ids: &ids,
        event: &prepared.event,
        campaign: &prepared.campaign,
        delivery_id: &id,
        occurred_at: now,
    };
    let request = prepared.webhook.request(&values).map_err(|fault| anyhow!("{fault}"))?;
    let client = WebhookClient::new(&settings)?;
    let answered = client.call(&request, &id, &secrets, now).await;

    let took = answered.ended_at.as_millisecond().saturating_sub(answered.sent_at.as_millisecond());
    let delivered = answered.outcome.verdict() == Verdict::Delivered;
    if arguments.json {
        let report = json!({
            "request": {"method": request.method(), "url": request.url().as_str(), "body": request.body(),
                "webhook_id": id, "signatures": secrets.len()},
            "outcome": answered.outcome.to_string(), "http_status": answered.outcome.status(), "took_ms": took,
            "answer": answered.answer.to_string(), "delivered": delivered,
        });
        say!("{report}")?;
    } else {
        say!("{}", printable(&webhook::curl(&request, id.as_str())))?;
        say!("  user-agent {AGENT}; {} signature(s), by Standard Webhooks", secrets.len())?;
        say!("  {} in {took} ms", answered.outcome)?;
        if !answered.answer.is_empty() {
            say!("  its answer began: {}", printable(&answered.answer.to_string()))?;
        }
        say!("{}", if delivered { "a real webhook would be delivered" } else { "a real webhook would be sent again" })?;
    }
    Ok(if delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A test webhook, ready to be sent.
struct Prepared {
    webhook: Webhook,
    event: EventLabel,
    campaign: CampaignName,
}

fn prepare(
    partner: &Partner,
    arguments: &Arguments,
    allowance: domain::outbound::webhook::Allowance,
) -> Result<Prepared> {
    let fault = |what: &str, fault: &dyn std::fmt::Display| anyhow!("{what} {fault}");
    let (url, method, event, campaign) = match (&arguments.campaign, &arguments.url) {
        (Some(name), _) => {
            let name = CampaignName::new(name.as_str()).map_err(|of| fault("the campaign", &of))?;
            let campaign = partner.media_buying().campaigns().get(&name);
            let campaign = campaign.with_context(|| unknown_campaign(partner.provider(), &name))?;
            (campaign.webhook().url.clone(), campaign.webhook().method.clone(), campaign.event().clone(), name)
        }
        (None, Some(url)) => {
            let event = EventLabel::new("test").map_err(|of| fault("the event", &of))?;
            let campaign = CampaignName::new("test").map_err(|of| fault("the campaign", &of))?;
            (url.clone(), arguments.method.clone(), event, campaign)
        }
        (None, None) => bail!("name a campaign or a URL"),
    };
    let template = UrlTemplate::parse(&url, partner.media_buying().ids(), allowance);
    let template = template.map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(|fault| format!("  the URL {fault}")).collect();
        anyhow!("the webhook was not sent; `postbackctl apply` would refuse it too:\n{}", faults.join("\n"))
    })?;
    let method: Method = method.parse().map_err(|words: &str| fault("the method", &words))?;
    let names = BodyNames::try_new(&partner.rules().names).unwrap_or_default();
    Ok(Prepared { webhook: Webhook { template, method, names }, event, campaign })
}

fn unknown_campaign(provider: &Provider, name: &CampaignName) -> String {
    format!("{provider} has no campaign {name}; --url takes a URL that is not configured yet")
}
