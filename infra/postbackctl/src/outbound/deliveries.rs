//! `postbackctl deliveries`: which webhooks are owed to partners and how far they are, by partner, time and status; and what
//! should have moved and did not.

use std::{collections::HashMap, process::ExitCode};

use adapters::dynamodb::item::media_buying::DeliveryItem;
use anyhow::{Result, bail};
use app::{
    operators::deliveries::{Listed, MAX_GRACE, Wanted, list, overdue},
    ports::StoredDelivery,
};
use clap::{Args, ValueEnum};
use domain::{
    jiff::{SignedDuration, Timestamp},
    outbound::delivery::{Delivery, Status},
};
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

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let found =
        if arguments.overdue { late(&connection, &arguments).await } else { listed(&connection, &arguments).await };
    let Listed { deliveries, more } = found?;
    if arguments.json {
        let next: HashMap<String, String> =
            more.iter().map(|(provider, before)| (provider.to_string(), before.to_string())).collect();
        let items: Vec<DeliveryItem> = deliveries.iter().map(item).collect();
        say!("{}", json!({"deliveries": items, "next_before": next}))?;
        return Ok(ExitCode::SUCCESS);
    }
    if deliveries.is_empty() {
        eprintln!("no delivery is so; what happened in the last seconds may not be listed yet");
    }
    for stored in &deliveries {
        say!("{}", line(&stored.delivery))?;
    }
    for (provider, before) in more {
        eprintln!("there may be more of {provider}: the same with --provider {provider} --before {before}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a delivery in a line.
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

/// Reads the deliveries that the arguments ask for.
async fn listed(connection: &Connection, arguments: &Arguments) -> Result<Listed> {
    let providers = page::providers(connection, arguments.provider.as_deref()).await?;
    let wanted = Wanted {
        status: arguments.status.map(Status::from),
        since: arguments.since,
        before: arguments.before,
        most: arguments.limit.into(),
    };
    let (lookups, records) = (connection.lookups(), connection.delivery_records());
    Ok(list(&lookups, &records, &providers, &wanted, ask::now()).await?)
}

/// Reads the overdue deliveries.
async fn late(connection: &Connection, arguments: &Arguments) -> Result<Listed> {
    let grace = arguments.grace.unsigned_abs();
    if grace.is_zero() || grace > MAX_GRACE {
        bail!("--grace is a second to a week");
    }
    let provider = arguments.provider.as_deref().map(ask::provider).transpose()?;
    let found = overdue(&connection.under_way(), provider.as_ref(), grace, ask::now().into()).await?;
    if found.unreadable > 0 {
        eprintln!("{} more under way cannot be read: deploy what can", found.unreadable);
    }
    let stored = |delivery| StoredDelivery { delivery, swept_at: None };
    Ok(Listed { deliveries: found.deliveries.into_iter().map(stored).collect(), more: Vec::new() })
}

/// Returns a delivery as programs read it: as it is stored.
fn item(StoredDelivery { delivery, swept_at }: &StoredDelivery) -> DeliveryItem {
    DeliveryItem { swept_at: *swept_at, ..DeliveryItem::from(delivery) }
}
