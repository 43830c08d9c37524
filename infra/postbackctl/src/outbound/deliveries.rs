//! `postbackctl deliveries`: which webhooks are owed to partners and how far they are, by partner, time and status; and what
//! should have moved and did not.

use std::{collections::HashMap, process::ExitCode};

use adapters::dynamodb::{failures::Ended, item::media_buying::DeliveryItem, lookups::Range};
use anyhow::{Result, bail};
use app::{
    ports::{UnderWay, UnderWayPage},
    sweep_deliveries::Lateness,
};
use clap::{Args, ValueEnum};
use domain::{
    delivery::{Delivery, Status},
    ids::{Provider, Ticket},
    jiff::{SignedDuration, Timestamp},
    lookup::{Place, Subject},
    moment::Moment,
};
use futures_util::{TryFutureExt, TryStreamExt};
use serde_json::json;

use crate::{Connection, ask, output::say, page, terminal::printable};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// One partner's only.
    #[arg(long)]
    provider: Option<String>,
    /// Only what is in this state.
    #[arg(long)]
    status: Option<State>,
    /// Since when: an instant, as in 2026-11-23T12:00:00Z, or how long ago, as in 7d or 12h. Of what failed, when it failed;
    /// of all else, when it was first owed.
    #[arg(long, value_parser = ask::instant)]
    since: Option<Timestamp>,
    /// Before when.
    #[arg(long, value_parser = ask::instant)]
    before: Option<Timestamp>,
    /// How many of each partner, at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// What should have been attempted a while ago, of all partners: reads everything under way.
    #[arg(long, conflicts_with_all = ["status", "since", "before"])]
    overdue: bool,
    /// How long ago, with --overdue.
    #[arg(long, default_value = "15m", value_parser = ask::duration)]
    grace: SignedDuration,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// No attempt of its round was recorded yet.
    Pending,
    /// An attempt has failed, and another is due.
    Retrying,
    /// The partner has it.
    Delivered,
    /// The partner answered 410.
    Gone,
    /// All attempts of its round failed.
    Exhausted,
    /// The campaign was archived, or an operator took it back.
    Cancelled,
}

impl From<State> for Status {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Retrying => Self::Retrying,
            State::Delivered => Self::Delivered,
            State::Gone => Self::Gone,
            State::Exhausted => Self::Exhausted,
            State::Cancelled => Self::Cancelled,
        }
    }
}

impl State {
    /// Whether there is an index of what is so.
    pub(crate) fn failed(self) -> bool {
        matches!(self, Self::Gone | Self::Exhausted)
    }
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let (items, more) = if arguments.overdue {
        (overdue(&connection, &arguments).await?, Vec::new())
    } else {
        listed(&connection, &arguments).await?
    };
    if arguments.json {
        let next: HashMap<String, String> =
            more.iter().map(|(provider, before)| (provider.to_string(), before.to_string())).collect();
        say!("{}", json!({"deliveries": items, "next_before": next}))?;
        return Ok(ExitCode::SUCCESS);
    }
    if items.is_empty() {
        eprintln!("no delivery is so; what happened in the last seconds may not be listed yet");
    }
    for item in &items {
        say!("{}", line(&item.delivery))?;
    }
    for (provider, before) in more {
        eprintln!("there may be more of {provider}: the same with --provider {provider} --before {before}");
    }
    Ok(ExitCode::SUCCESS)
}

/// One delivery in a line.
fn line(delivery: &Delivery) -> String {
    let (provider, campaign) = (delivery.provider(), delivery.campaign());
    let round = if delivery.round() > 1 { format!(" in round {}", delivery.round()) } else { String::new() };
    let last = delivery.attempts().last().map_or(String::new(), |last| format!(", the last {}", last.outcome));
    let next = delivery.next().map_or(String::new(), |next| format!(", the next due {:.3}", next.due_at.timestamp()));
    format!(
        "{:.3}  {:9}  {provider}, {campaign}, {}: {} attempts{round}{last}{next}  {}",
        delivery.created_at().timestamp(),
        delivery.status().as_str(),
        printable(delivery.participant().as_str()),
        delivery.attempts().len(),
        delivery.id(),
    )
}

/// Newest first, and the partners whose list may go on, with before when.
async fn listed(
    connection: &Connection,
    arguments: &Arguments,
) -> Result<(Vec<DeliveryItem>, Vec<(Provider, Timestamp)>)> {
    let (mut all, mut more) = (Vec::new(), Vec::new());
    for provider in page::providers(connection, arguments.provider.as_deref()).await? {
        let limit = usize::from(arguments.limit);
        let (items, next) = match arguments.status {
            Some(state) if state.failed() => failed(connection, &provider, arguments, state, limit).await?,
            _ => owed(connection, &provider, arguments, limit).await?,
        };
        all.extend(items);
        more.extend(next.map(|before| (provider, before)));
    }
    all.sort_by_key(|item| std::cmp::Reverse(item.failed_at.unwrap_or(item.delivery.created_at())));
    Ok((all, more))
}

/// What failed, by the index of it.
async fn failed(
    connection: &Connection,
    provider: &Provider,
    arguments: &Arguments,
    state: State,
    limit: usize,
) -> Result<(Vec<DeliveryItem>, Option<Timestamp>)> {
    let ended = ended(arguments.since, arguments.before);
    let mut items = connection.failures().newest(provider, ended, limit).await?;
    let next = items.last().filter(|_| items.len() == limit).and_then(|item| item.failed_at).map(Moment::timestamp);
    items.retain(|item| item.status == Status::from(state));
    Ok((items, next))
}

/// When something must have ended to be looked at.
pub(crate) fn ended(since: Option<Timestamp>, before: Option<Timestamp>) -> Ended {
    let from = since.map_or(Moment::from_millisecond(0), Moment::from);
    Ended { from, before: before.map_or(Moment::from_millisecond(i64::MAX), Moment::from) }
}

/// What is owed to a partner, by the lookups.
async fn owed(
    connection: &Connection,
    provider: &Provider,
    arguments: &Arguments,
    limit: usize,
) -> Result<(Vec<DeliveryItem>, Option<Timestamp>)> {
    let (lookups, history) = (connection.lookups(), connection.history());
    let (from, to) = (arguments.since, arguments.before);
    let range = Range { from, to, newest_first: true, wanted: limit, ..Range::default() };
    let mut listing = lookups.list(Subject::Deliveries(provider.clone()), range, ask::now());
    let mut items: Vec<DeliveryItem> = Vec::new();
    loop {
        let places = listing.take(limit).await?;
        let found = history.deliveries(places.iter().map(Place::key)).await?;
        let wanted = |item: &DeliveryItem| arguments.status.is_none_or(|state| item.status == Status::from(state));
        items.extend(found.into_iter().filter(wanted));
        let (ended, last) = (places.len() < limit, places.last().map(Place::at));
        if ended || items.len() >= limit {
            return Ok((items, last.filter(|_| !ended)));
        }
    }
}

/// What should have been attempted a while ago. A ticket is asked for and never used: nothing is sent.
async fn overdue(connection: &Connection, arguments: &Arguments) -> Result<Vec<DeliveryItem>> {
    let under_way = connection.under_way();
    let grace = arguments.grace.unsigned_abs();
    if grace.is_zero() || grace > Lateness::default().again_after * 24 * 7 {
        bail!("--grace is a second to a week");
    }
    let now = Moment::from(ask::now());
    let theirs = |delivery: &Delivery| {
        arguments.provider.as_ref().is_none_or(|provider| delivery.provider().as_str() == provider)
    };
    let overdue = |delivery: &Delivery| delivery.overdue(now, grace, Ticket::from_random([0; 8])).is_some();
    let (mut late, mut unreadable) = (Vec::new(), 0);
    let mut pages = page::of_parts(under_way.shards(), |shard, from| {
        let page = under_way.page(shard, now.minus(grace), from);
        page.map_ok(|UnderWayPage { deliveries, unreadable, next }| ((deliveries, unreadable), next))
    });
    while let Some((deliveries, unread)) = pages.try_next().await? {
        let deliveries = deliveries.into_iter().map(|(delivery, _)| delivery);
        late.extend(deliveries.filter(|delivery| theirs(delivery) && overdue(delivery)));
        unreadable += unread;
    }
    if unreadable > 0 {
        eprintln!("{unreadable} more under way cannot be read: deploy what can");
    }
    late.sort_by_key(|delivery| delivery.next().map(|next| next.due_at));
    Ok(late.iter().map(DeliveryItem::from).collect())
}
