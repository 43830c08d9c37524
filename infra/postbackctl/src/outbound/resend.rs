//! `postbackctl resend`: opens another round of attempts for some deliveries, or for all that failed in a period.

use std::{collections::BTreeSet, process::ExitCode};

use adapters::{
    dynamodb::{deliveries::DynamoRounds, partners::DynamoPartners},
    sqs::SqsResends,
    system::System,
};
use anyhow::{Result, anyhow, bail};
use app::{
    cache::{Cache, CachePolicy},
    operators::{
        deliveries::{ended, is_failed},
        resend::{Failures, ResendDeliveries, Resent, Stopped, TRIES, count},
    },
};
use clap::Args;
use domain::{
    jiff::Timestamp,
    outbound::delivery::Status,
    values::ids::{CampaignName, DeliveryId},
};
use serde_json::json;

use super::deliveries::State;
use crate::{
    Connection, ask,
    change::Confirmed,
    output::{counted, say},
    pace::Pace,
    page,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Resends these deliveries in any state, even if they are delivered or under way. The id of a delivery is the
    /// webhook-id of its attempts.
    #[arg(required_unless_present = "provider", conflicts_with = "provider")]
    ids: Vec<String>,
    /// Resends the failed deliveries of this partner.
    #[arg(long)]
    provider: Option<String>,
    /// Resends only deliveries of this campaign.
    #[arg(long, requires = "provider")]
    campaign: Option<String>,
    /// Resends deliveries in this state: exhausted, gone or unsendable.
    #[arg(long, default_value = "exhausted", requires = "provider")]
    status: State,
    /// Resends deliveries that failed since this instant, such as 2026-11-23T12:00:00Z, or this long ago, such as 7d or 12h.
    #[arg(long, value_name = "WHEN", requires = "provider", value_parser = ask::instant)]
    since: Option<Timestamp>,
    /// Resends deliveries that failed before this instant, written like --since [default: now].
    #[arg(long, value_name = "WHEN", requires = "provider", value_parser = ask::instant)]
    before: Option<Timestamp>,
    /// Resends at most this many deliveries a second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    #[command(flatten)]
    confirmed: Confirmed,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let rounds = ResendDeliveries {
        partners: Cache::new(connection.partners(), CachePolicy::default()),
        rounds: connection.rounds(),
        resends: connection.resends().await?,
        clock: System,
        randomness: System,
        operation: connection.operation(arguments.confirmed.change.why.clone()).await?,
    };
    let (Resent { opened, waiting }, done) = match &arguments.provider {
        Some(provider) => failed(&connection, &rounds, provider, &arguments).await?,
        None => named(&rounds, &arguments).await?,
    };
    let done = done.map_err(explained);
    if arguments.confirmed.change.json {
        let fault = done.as_ref().err().map(|fault| format!("{fault:#}"));
        say!("{}", json!({"opened": opened, "stopped": fault}))?;
    } else {
        let paused = if waiting > 0 {
            format!("; {waiting} of them wait until their campaign is not paused any more")
        } else {
            String::new()
        };
        say!("{} opened{paused}", counted(opened, "round"))?;
    }
    done.map(|()| ExitCode::SUCCESS)
}

type Rounds = ResendDeliveries<DynamoPartners, DynamoRounds, SqsResends, System, System>;

/// Opens a round of each named delivery.
async fn named(rounds: &Rounds, arguments: &Arguments) -> Result<(Resent, Result<(), Stopped>)> {
    // A list that was pasted may name a delivery twice.
    let id = |id: &String| DeliveryId::new(id.as_str()).map_err(|fault| anyhow!("the delivery id {fault}"));
    let ids: BTreeSet<DeliveryId> = arguments.ids.iter().map(id).collect::<Result<_>>()?;
    arguments.confirmed.confirm(&format!("Send {} again, whatever their state?", counted(ids.len(), "delivery")))?;
    Ok(rounds.named(&ids, &mut Pace::begin(arguments.rate, ids.len())).await)
}

/// Opens a round of each failed delivery of a partner.
async fn failed(
    connection: &Connection,
    rounds: &Rounds,
    provider: &str,
    arguments: &Arguments,
) -> Result<(Resent, Result<(), Stopped>)> {
    let provider = page::providers(connection, Some(provider)).await?.remove(0);
    let status = Status::from(arguments.status);
    if !is_failed(status) {
        bail!("--status must be exhausted, gone or unsendable; name deliveries in other states by their ids");
    }
    let campaign = arguments.campaign.as_deref().map(CampaignName::new).transpose();
    let campaign = campaign.map_err(|fault| anyhow!("the campaign {fault}"))?;
    // By default the range ends now, so that a delivery which fails again during this command gets no second round.
    let ended = ended(arguments.since, Some(arguments.before.unwrap_or_else(ask::now)));
    let failures = Failures { provider, campaign, status, ended };
    let records = connection.delivery_records();
    let count = count(&records, &failures).await?;
    let provider = &failures.provider;
    if count == 0 {
        eprintln!("{provider} has no {status} deliveries in this period");
        return Ok((Resent::default(), Ok(())));
    }
    arguments
        .confirmed
        .confirm(&format!("Send {} of {provider} again?", counted(count, &format!("{status} delivery"))))?;
    Ok(rounds.failed(&records, &failures, &mut Pace::begin(arguments.rate, count)).await)
}

fn explained(stopped: Stopped) -> anyhow::Error {
    match stopped {
        Stopped::Unavailable(unavailable) => unavailable.into(),
        Stopped::Interrupted => anyhow!("interrupted; run the same command again for the rest"),
        Stopped::Unknown(id) => anyhow!("there is no delivery {id}"),
        Stopped::Erased(id) => anyhow!("the person of delivery {id} was erased; it cannot be sent"),
        Stopped::Contended(id) => anyhow!("others changed {id} {TRIES} times in a row; run the same command again"),
        Stopped::Archived(provider, campaign) => {
            anyhow!("{provider}'s campaign {campaign} is archived; its deliveries are not sent again")
        }
        Stopped::NoCampaign(provider, campaign) => {
            anyhow!("{provider} has no campaign {campaign} any more; its deliveries cannot be sent")
        }
    }
}
