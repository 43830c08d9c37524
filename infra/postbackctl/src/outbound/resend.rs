//! `postbackctl resend`: another round of attempts, of one delivery or of all that failed in a time.

use std::{collections::BTreeSet, ops::ControlFlow, process::ExitCode};

use adapters::{
    dynamodb::{deliveries::DynamoRounds, partners::DynamoPartners},
    sqs::SqsResends,
    system::System,
};
use anyhow::{Result, anyhow, bail};
use app::{
    cache::{Cache, CachePolicy},
    operators::{
        Pace,
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
use indicatif::ProgressBar;
use serde_json::json;
use tokio::task::JoinHandle;

use super::deliveries::State;
use crate::{Connection, ask, output::say, pace, page, reason::Reason};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// These deliveries, whatever their state: also what was delivered, and what is under way.
    #[arg(required_unless_present = "provider", conflicts_with = "provider")]
    ids: Vec<String>,
    /// All of this partner's that failed.
    #[arg(long)]
    provider: Option<String>,
    /// Of one campaign.
    #[arg(long, requires = "provider")]
    campaign: Option<String>,
    /// How they failed: exhausted or gone.
    #[arg(long, default_value = "exhausted", requires = "provider")]
    status: State,
    /// That failed since then: an instant, as in 2026-11-23T12:00:00Z, or how long ago, as in 7d or 12h.
    #[arg(long, requires = "provider", value_parser = ask::instant)]
    since: Option<Timestamp>,
    /// That failed before then.
    #[arg(long, requires = "provider", value_parser = ask::instant)]
    before: Option<Timestamp>,
    /// How many a second, at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reason: Reason,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let rounds = ResendDeliveries {
        partners: Cache::new(connection.partners(), CachePolicy::default()),
        rounds: connection.rounds(),
        resends: connection.resends().await?,
        surroundings: System,
        operation: connection.operation(arguments.reason.why.clone()).await?,
    };
    let (Resent { opened, waiting }, done) = match &arguments.provider {
        Some(provider) => failed(&connection, &rounds, provider, &arguments).await?,
        None => named(&rounds, &arguments).await?,
    };
    let done = done.map_err(explained);
    if arguments.json {
        let fault = done.as_ref().err().map(|fault| format!("{fault:#}"));
        say!("{}", json!({"opened": opened, "stopped": fault}))?;
    } else {
        let paused = if waiting > 0 {
            format!(", {waiting} of them waiting while their campaign is paused")
        } else {
            String::new()
        };
        say!("{opened} rounds opened{paused}")?;
    }
    done.map(|()| ExitCode::SUCCESS)
}

type Rounds = ResendDeliveries<DynamoPartners, DynamoRounds, SqsResends, System>;

/// Opens a round of each delivery that was named.
async fn named(rounds: &Rounds, arguments: &Arguments) -> Result<(Resent, Result<(), Stopped>)> {
    // A list that was pasted may name a delivery twice.
    let id = |id: &String| DeliveryId::new(id.as_str()).map_err(|fault| anyhow!("the delivery id {fault}"));
    let ids: BTreeSet<DeliveryId> = arguments.ids.iter().map(id).collect::<Result<_>>()?;
    ask::confirm(&format!("Send {} deliveries again, whatever their state?", ids.len()), arguments.yes)?;
    Ok(rounds.named(&ids, &mut Paced::begin(arguments.rate, ProgressBar::hidden())).await)
}

/// Opens a round of each delivery of a partner that failed so.
async fn failed(
    connection: &Connection,
    rounds: &Rounds,
    provider: &str,
    arguments: &Arguments,
) -> Result<(Resent, Result<(), Stopped>)> {
    let provider = page::providers(connection, Some(provider)).await?.remove(0);
    let status = Status::from(arguments.status);
    if !is_failed(status) {
        bail!("a range is of what failed: --status exhausted or gone; others are named one by one");
    }
    let campaign = arguments.campaign.as_deref().map(CampaignName::new).transpose();
    let campaign = campaign.map_err(|fault| anyhow!("the campaign {fault}"))?;
    // A delivery that fails again while this runs is not of this range.
    let ended = ended(arguments.since, Some(arguments.before.unwrap_or_else(ask::now)));
    let failures = Failures { provider, campaign, status, ended };
    let records = connection.delivery_records();
    let count = count(&records, &failures).await?;
    let provider = &failures.provider;
    if count == 0 {
        eprintln!("nothing of {provider} is {status} in this time");
        return Ok((Resent::default(), Ok(())));
    }
    ask::confirm(&format!("Send {count} deliveries of {provider} that are {status} again?"), arguments.yes)?;
    let mut pace = Paced::begin(arguments.rate, pace::bar(count));
    let done = rounds.failed(&records, &failures, &mut pace).await;
    pace.bar.finish_and_clear();
    Ok(done)
}

/// The command's pace: so many a second, until somebody interrupts. A question before it ends at once.
struct Paced {
    pace: pace::Pace,
    interrupted: JoinHandle<()>,
    bar: ProgressBar,
}

impl Paced {
    fn begin(rate: u32, bar: ProgressBar) -> Self {
        Self { pace: pace::Pace::new(rate), interrupted: pace::interruption(), bar }
    }
}

impl Pace for Paced {
    async fn turn(&mut self) -> ControlFlow<()> {
        if self.pace.wait(&mut self.interrupted).await { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn taken(&mut self) {
        self.pace.sent += 1;
        self.bar.inc(1);
    }
}

fn explained(stopped: Stopped) -> anyhow::Error {
    match stopped {
        Stopped::Unavailable(unavailable) => unavailable.into(),
        Stopped::Interrupted => anyhow!("interrupted: the same command goes on with the rest"),
        Stopped::Unknown(id) => anyhow!("there is no delivery {id}"),
        Stopped::Contended(id) => anyhow!("{id} was changed by others {TRIES} times in a row: try again"),
        Stopped::Archived(provider, campaign) => {
            anyhow!("{provider}'s campaign {campaign} is archived: nothing of it is sent again")
        }
        Stopped::NoCampaign(provider, campaign) => {
            anyhow!("{provider} has no campaign {campaign} any more: nothing of it can be sent")
        }
    }
}
