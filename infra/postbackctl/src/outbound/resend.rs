//! `postbackctl resend`: opens another round of attempts for some deliveries, or for all that failed or became owed in a
//! period.

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
        resend::{Period, ResendDeliveries, Resent, Selection, Stopped, TRIES, preview},
    },
};
use clap::Args;
use domain::{
    jiff::Timestamp,
    outbound::delivery::Status,
    values::ids::{CampaignName, DeliveryId},
};
use serde_json::json;

use super::deliveries::{self, State};
use crate::{
    Connection, ask,
    change::Confirmed,
    coverage,
    output::{self, counted, say},
    pace::Pace,
    page,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Resends these deliveries in any state, even if they are delivered or under way. The id of a delivery is the
    /// webhook-id of its attempts.
    #[arg(required_unless_present = "provider", conflicts_with = "provider")]
    ids: Vec<String>,
    /// Resends deliveries of this partner: those that failed, or those that became owed in a period.
    #[arg(long)]
    provider: Option<String>,
    /// Resends only deliveries of this campaign.
    #[arg(long, requires = "provider")]
    campaign: Option<String>,
    /// Resends deliveries in this state: exhausted, gone or unsendable, or any with --owed-since and --owed-before.
    #[arg(long, default_value = "exhausted", requires = "provider")]
    status: State,
    /// Resends deliveries that failed since this instant, such as 2026-11-23T12:00:00Z, or this long ago, such as 7d or
    /// 12h.
    #[arg(long, value_name = "WHEN", requires = "provider", value_parser = ask::instant)]
    since: Option<Timestamp>,
    /// Resends deliveries that failed before this instant, written like --since [default: now].
    #[arg(long, value_name = "WHEN", requires = "provider", value_parser = ask::instant)]
    before: Option<Timestamp>,
    /// Resends deliveries that became owed since this instant, because their goal was reached, however they ended. Written
    /// like --since.
    #[arg(long, value_name = "WHEN", requires_all = ["provider", "owed_before"], conflicts_with_all = ["since", "before"], value_parser = ask::instant)]
    owed_since: Option<Timestamp>,
    /// Resends deliveries that became owed before this instant, written like --since, or now.
    #[arg(long, value_name = "WHEN", requires = "owed_since", value_parser = ask::instant)]
    owed_before: Option<Timestamp>,
    /// Lists the deliveries that would be sent again, and sends nothing.
    #[arg(long, requires = "provider")]
    preview: bool,
    /// Resends at most this many deliveries a second.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    #[command(flatten)]
    confirmed: Confirmed,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let (Resent { opened, waiting }, done) = match &arguments.provider {
        Some(provider) => {
            let selection = selection(&connection, provider, &arguments).await?;
            if arguments.preview {
                return listed(&connection, &selection, arguments.confirmed.change.json).await;
            }
            selected(&connection, &selection, &arguments).await?
        }
        None => named(&connection, &arguments).await?,
    };
    let done = done.map_err(|stopped| match arguments.owed_before {
        // A later end would select the deliveries that were just sent again once more.
        Some(before) => explained(stopped).context(format!("to continue, say --owed-before {before:.3}")),
        None => explained(stopped),
    });
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

async fn rounds(connection: &Connection, arguments: &Arguments) -> Result<Rounds> {
    Ok(ResendDeliveries {
        partners: Cache::new(connection.partners(), CachePolicy::default()),
        rounds: connection.rounds().await?,
        resends: connection.resends().await?,
        clock: System,
        randomness: System,
        operation: connection.operation(arguments.confirmed.change.why.clone()).await?,
    })
}

/// Opens a round of each named delivery.
async fn named(connection: &Connection, arguments: &Arguments) -> Result<(Resent, Result<(), Stopped>)> {
    // A list that was pasted may name a delivery twice.
    let id = |id: &String| DeliveryId::new(id.as_str()).map_err(|fault| anyhow!("the delivery id {fault}"));
    let ids: BTreeSet<DeliveryId> = arguments.ids.iter().map(id).collect::<Result<_>>()?;
    arguments.confirmed.confirm(&format!("Send {} again, whatever their state?", counted(ids.len(), "delivery")))?;
    let rounds = rounds(connection, arguments).await?;
    Ok(rounds.named(&ids, &mut Pace::begin(arguments.rate, ids.len())).await)
}

async fn selection(connection: &Connection, provider: &str, arguments: &Arguments) -> Result<Selection> {
    let provider = page::providers(connection, Some(provider)).await?.remove(0);
    let status = Status::from(arguments.status);
    let campaign = arguments.campaign.as_deref().map(CampaignName::new).transpose();
    let campaign = campaign.map_err(|fault| anyhow!("the campaign {fault}"))?;
    let period = match arguments.owed_since.zip(arguments.owed_before) {
        Some((from, before)) if from >= before => bail!("--owed-since must be before --owed-before"),
        Some((from, before)) => Period::Owed { from: from.into(), before: before.into() },
        None if !is_failed(status) => bail!(
            "--status must be exhausted, gone or unsendable; for other states add --owed-since and --owed-before, or name \
             deliveries by their ids"
        ),
        // By default the range ends now, so that a delivery which fails again during this command gets no second round.
        None => Period::Failed(ended(arguments.since, Some(arguments.before.unwrap_or_else(ask::now)))),
    };
    Ok(Selection { provider, campaign, status, period })
}

/// Lists the deliveries that would be sent again.
async fn listed(connection: &Connection, selection: &Selection, as_json: bool) -> Result<ExitCode> {
    let (mut found, stored) = (Vec::new(), (&connection.lookups(), &connection.delivery_records()));
    let gaps = preview(stored, selection, ask::now().into(), |delivery| found.push(delivery)).await;
    let gaps = gaps.map_err(coverage::unlisted)?;
    coverage::warn(&gaps);
    let (views, text) = deliveries::shown(connection, &found).await;
    if as_json {
        say!("{}", json!({"deliveries": views, "gaps": gaps}))?;
    } else {
        output::print(text)?;
        eprintln!("{} would be sent again; nothing was sent", counted(found.len(), "delivery"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a round of each selected delivery.
async fn selected(
    connection: &Connection,
    selection: &Selection,
    arguments: &Arguments,
) -> Result<(Resent, Result<(), Stopped>)> {
    let (mut count, stored) = (0, (&connection.lookups(), &connection.delivery_records()));
    let gaps = preview(stored, selection, ask::now().into(), |_| count += 1).await.map_err(coverage::unlisted)?;
    coverage::warn(&gaps);
    let Selection { provider, status, .. } = selection;
    if count == 0 {
        eprintln!("{provider} has no {status} deliveries in this period");
        return Ok((Resent::default(), Ok(())));
    }
    arguments
        .confirmed
        .confirm(&format!("Send {} of {provider} again?", counted(count, &format!("{status} delivery"))))?;
    let rounds = rounds(connection, arguments).await?;
    Ok(rounds.selected(stored, selection, &mut Pace::begin(arguments.rate, count)).await)
}

fn explained(stopped: Stopped) -> anyhow::Error {
    match stopped {
        Stopped::Unavailable(unavailable) => unavailable.into(),
        Stopped::Unsent(id, unavailable) => anyhow::Error::from(unavailable).context(format!(
            "the new round of {id} is open, and the sweep sends its message within half an hour; sending it again opens one more round"
        )),
        Stopped::Interrupted => anyhow!("interrupted; run the same command again for the rest"),
        Stopped::Unknown(id) => anyhow!("there is no delivery {id}"),
        Stopped::Erased(id) => anyhow!("the person of delivery {id} was erased; it cannot be sent"),
        Stopped::Reopened(id, round) => anyhow!("round {round} of {id} was opened in the meantime; look at it again"),
        Stopped::Contended(id) => anyhow!("others changed {id} {TRIES} times in a row; run the same command again"),
        Stopped::Archived(provider, campaign) => {
            anyhow!("{provider}'s campaign {campaign} is archived; its deliveries are not sent again")
        }
        Stopped::NoCampaign(provider, campaign) => {
            anyhow!("{provider} has no campaign {campaign} any more; its deliveries cannot be sent")
        }
    }
}
