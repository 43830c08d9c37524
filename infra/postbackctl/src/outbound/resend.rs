//! `postbackctl resend`: another round of attempts, of one delivery or of all that failed in a time.
//!
//! A round is stored, then its first message is sent. Killed in between, the delivery is under way without a message, which
//! the sweep finds within half an hour; sending for it again by hand opens one more round. What was opened is no failure any
//! more: so a range can be interrupted and repeated, and goes on where it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use adapters::{
    dynamodb::{
        deliveries::DynamoDeliveries,
        failures::{DynamoFailures, Ended},
        item::media_buying::DeliveryItem,
    },
    random,
    sqs::SqsResends,
};
use anyhow::{Context, Result, anyhow, bail};
use app::ports::{Deliveries, Replaced, ResendQueue, Unavailable};
use clap::Args;
use domain::{
    delivery::{Delivery, Standing, Status},
    ids::{CampaignName, DeliveryId, Provider, Ticket},
    jiff::Timestamp,
    moment::Moment,
    partner::Partner,
};
use futures_util::{TryStreamExt, stream::LocalBoxStream};
use serde_json::json;
use tokio::task::JoinHandle;

use super::deliveries::{self, State};
use crate::{
    Connection, ask,
    output::say,
    pace::{self, Pace},
    page,
};

/// How often a delivery that somebody else changes meanwhile is tried again.
const TRIES: usize = 5;

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
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let mut rounds = Rounds {
        partners: BTreeMap::new(),
        connection: &connection,
        deliveries: connection.deliveries(),
        queue: connection.resends().await?,
        pace: Pace::new(arguments.rate),
        interrupted: None,
        waiting: 0,
    };
    let outcome = match &arguments.provider {
        Some(provider) => {
            let provider = page::providers(&connection, Some(provider)).await?.remove(0);
            failed(&connection, &mut rounds, &provider, &arguments).await
        }
        None => named(&mut rounds, &arguments).await,
    };
    let opened = rounds.pace.sent;
    if arguments.json {
        let fault = outcome.as_ref().err().map(|fault| format!("{fault:#}"));
        say!("{}", json!({"opened": opened, "stopped": fault}))?;
    } else {
        let waiting = rounds.waiting;
        let paused = if waiting > 0 {
            format!(", {waiting} of them waiting while their campaign is paused")
        } else {
            String::new()
        };
        say!("{opened} rounds opened{paused}")?;
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Each of these.
async fn named(rounds: &mut Rounds<'_>, arguments: &Arguments) -> Result<()> {
    // A list that was pasted may name one twice.
    let ids: BTreeSet<&String> = arguments.ids.iter().collect();
    let ids: Vec<DeliveryId> = ids
        .into_iter()
        .map(|id| DeliveryId::new(id.as_str()).map_err(|fault| anyhow!("the delivery id {fault}")))
        .collect::<Result<_>>()?;
    ask::confirm(&format!("Send {} deliveries again, whatever their state?", ids.len()), arguments.yes)?;
    for id in &ids {
        rounds.turn().await?;
        rounds.open(id, |_| true).await?;
    }
    Ok(())
}

/// All of a partner's that failed so.
async fn failed(
    connection: &Connection,
    rounds: &mut Rounds<'_>,
    provider: &Provider,
    arguments: &Arguments,
) -> Result<()> {
    if !arguments.status.failed() {
        bail!("a range is of what failed: --status exhausted or gone; others are named one by one");
    }
    let campaign = arguments.campaign.as_deref().map(CampaignName::new).transpose();
    let campaign = campaign.map_err(|fault| anyhow!("the campaign {fault}"))?;
    // What fails again while this runs is not of this range.
    let ended = deliveries::ended(arguments.since, Some(arguments.before.unwrap_or_else(ask::now)));
    let status = Status::from(arguments.status);
    let wanted = |delivery: &Delivery| {
        delivery.status() == status
            && delivery.ended_at().is_some_and(|at| at < ended.before)
            && campaign.as_ref().is_none_or(|name| name == delivery.campaign())
    };
    let failures = connection.failures();
    let count = count(&failures, provider, ended, &wanted).await?;
    if count == 0 {
        eprintln!("nothing of {provider} is {status} in this time");
        return Ok(());
    }
    ask::confirm(&format!("Send {count} deliveries of {provider} that are {status} again?"), arguments.yes)?;
    let bar = pace::bar(count);
    let mut pages = pages(&failures, provider, ended);
    while let Some(items) = pages.try_next().await? {
        for item in items.iter().filter(|item| wanted(&item.delivery)) {
            rounds.turn().await?;
            rounds.open(item.delivery.id(), wanted).await?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

async fn count(
    failures: &DynamoFailures,
    provider: &Provider,
    ended: Ended,
    wanted: &impl Fn(&Delivery) -> bool,
) -> Result<usize> {
    let of_page =
        async |count, items: Vec<DeliveryItem>| Ok(count + items.iter().filter(|item| wanted(&item.delivery)).count());
    Ok(pages(failures, provider, ended).try_fold(0, of_page).await?)
}

/// All of a partner's failures, page by page.
fn pages<'a>(
    failures: &'a DynamoFailures,
    provider: &'a Provider,
    ended: Ended,
) -> LocalBoxStream<'a, Result<Vec<DeliveryItem>, Unavailable>> {
    page::of_parts(DynamoFailures::SHARDS, move |shard, from| failures.page(provider, shard, ended, from))
}

/// What opens rounds.
struct Rounds<'a> {
    /// What was read of each partner so far.
    partners: BTreeMap<Provider, Option<Partner>>,
    connection: &'a Connection,
    deliveries: DynamoDeliveries,
    queue: SqsResends,
    pace: Pace,
    /// Listened for from the first round on: a question before it ends at once.
    interrupted: Option<JoinHandle<()>>,
    /// How many rounds wait, since their campaign is paused.
    waiting: usize,
}

impl Rounds<'_> {
    async fn turn(&mut self) -> Result<()> {
        let interrupted = self.interrupted.get_or_insert_with(pace::interruption);
        if self.pace.wait(interrupted).await {
            bail!("interrupted: the same command goes on with the rest");
        }
        Ok(())
    }

    /// Opens a round, if the delivery is wanted still as it is now.
    async fn open(&mut self, id: &DeliveryId, wanted: impl Fn(&Delivery) -> bool) -> Result<()> {
        for _ in 0..TRIES {
            let delivery = self.deliveries.read(id).await?.with_context(|| format!("there is no delivery {id}"))?;
            if !wanted(&delivery) {
                return Ok(());
            }
            let standing = self.standing(&delivery).await?;
            let ticket = Ticket::from_random(random::bytes()?);
            let opened = delivery.open_round(Moment::from(ask::now()), ticket);
            if self.deliveries.open_round(&opened).await? == Replaced::Done {
                self.queue.send(&opened.message, 0).await?;
                self.pace.sent += 1;
                self.waiting += usize::from(standing == Standing::Paused);
                return Ok(());
            }
        }
        bail!("{id} was changed by others {TRIES} times in a row: try again")
    }

    /// How the delivery's campaign stands. Nothing of an archived one, or of one that is not configured, is sent again: a round
    /// would only end as cancelled, and hide how the delivery really ended.
    async fn standing(&mut self, delivery: &Delivery) -> Result<Standing> {
        let (provider, campaign) = (delivery.provider(), delivery.campaign());
        if !self.partners.contains_key(provider) {
            let item = self.connection.configuration().partner(provider).await?;
            let partner = item.map(|item| item.partner()).transpose();
            let partner = partner.map_err(|faults| anyhow!("what is stored of {provider}: {faults}"))?;
            self.partners.insert(provider.clone(), partner);
        }
        let partner = self.partners.get(provider).and_then(Option::as_ref);
        let known = partner.and_then(|partner| partner.media_buying().campaigns().get(campaign));
        match known.map(Standing::from) {
            Some(standing @ (Standing::Open | Standing::Paused)) => Ok(standing),
            Some(Standing::Archived) => {
                bail!("{provider}'s campaign {campaign} is archived: nothing of it is sent again")
            }
            None => bail!("{provider} has no campaign {campaign} any more: nothing of it can be sent"),
        }
    }
}
