//! `postbackctl deliveries`: the webhooks owed to partners, by partner, time and state, and those that are overdue.

use std::process::ExitCode;

use anyhow::{Result, bail};
use app::{
    operators::{
        deliveries::{Listed, MAX_GRACE, Wanted, list, overdue},
        view::DeliveryView,
        waiting::{Wait, Waiting},
    },
    ports::StoredDelivery,
};
use clap::{Args, ValueEnum};
use domain::{
    jiff::{SignedDuration, Timestamp},
    outbound::delivery::{Delivery, Status},
};

use crate::{
    Connection, ask, coverage::unlisted, operations::timeline::warn_unread_partners, output::counted, page::Page,
    terminal::printable,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Lists deliveries in this state. Exhausted, gone and unsendable deliveries are listed by the time at which they
    /// failed, all others by the time at which their goal was reached.
    #[arg(long)]
    status: Option<State>,
    #[command(flatten)]
    page: Page,
    /// Lists deliveries from before this instant, written like --since.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant)]
    before: Option<Timestamp>,
    /// Lists deliveries whose next attempt is overdue, of all partners unless --provider names one, without those of paused
    /// campaigns. Reads every delivery that is under way.
    #[arg(long, conflicts_with_all = ["status", "since", "before", "after"])]
    overdue: bool,
    /// Counts an attempt as overdue if it is later than this: 1s to 7d. Used only with --overdue.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = ask::duration)]
    grace: SignedDuration,
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// No attempt of the current round is recorded yet.
    Pending,
    /// An attempt failed, and another one is due.
    Retrying,
    /// The partner accepted the webhook.
    Delivered,
    /// The partner answered 410.
    Gone,
    /// All attempts of the current round failed.
    Exhausted,
    /// The webhook's URL cannot take the delivery's values.
    Unsendable,
    /// The campaign was archived.
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
            State::Unsendable => Self::Unsendable,
            State::Cancelled => Self::Cancelled,
        }
    }
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    let found =
        if arguments.overdue { late(&connection, &arguments).await } else { listed(&connection, &arguments).await };
    let Listed { deliveries, more, gaps } = found?;
    let deliveries: Vec<Delivery> = deliveries.into_iter().map(|stored| stored.delivery).collect();
    let (views, text) = shown(&connection, &deliveries).await;
    arguments.page.print("deliveries", &views, (&more, &gaps), text)
}

/// Returns deliveries for programs and for people.
pub(super) async fn shown<'a>(connection: &Connection, deliveries: &'a [Delivery]) -> (Vec<DeliveryView<'a>>, String) {
    let ports = (&connection.partners(), &connection.endpoints());
    let waiting = Waiting::of(ports, deliveries, ask::now().into()).await;
    warn_unread_partners(&waiting.unread);
    let views = deliveries.iter().map(|delivery| DeliveryView::of(delivery, waiting.what(delivery))).collect();
    let text = deliveries.iter().map(|delivery| line(delivery, waiting.what(delivery)) + "\n").collect();
    (views, text)
}

/// Returns a delivery in a line.
fn line(delivery: &Delivery, wait: Wait) -> String {
    let (provider, campaign) = (delivery.provider(), delivery.campaign());
    let round = if delivery.round() > 1 { format!(" in round {}", delivery.round()) } else { String::new() };
    let last = delivery.attempts().last().map_or(String::new(), |last| format!(", the last {}", last.outcome));
    let waits = super::waits(wait);
    let next = delivery.next().map_or(String::new(), |next| format!(", the next due {:.3}", next.due_at.timestamp()));
    format!(
        "{:.3}  {:10}  {provider}, {campaign}, {}: {}{round}{last}{next}{waits}  {}",
        delivery.created_at().timestamp(),
        delivery.status().as_str(),
        printable(delivery.participant().as_str()),
        counted(delivery.attempts().len(), "attempt"),
        delivery.id(),
    )
}

async fn listed(connection: &Connection, arguments: &Arguments) -> Result<Listed> {
    let Arguments { status, page, before, .. } = arguments;
    let providers = page.providers(connection).await?;
    let wanted = Wanted { status: status.map(Status::from), before: *before, page: page.wanted() };
    let (lookups, records) = (connection.lookups(), connection.delivery_records());
    list(&lookups, &records, &providers, &wanted, ask::now()).await.map_err(unlisted)
}

async fn late(connection: &Connection, arguments: &Arguments) -> Result<Listed> {
    let grace = arguments.grace.unsigned_abs();
    if grace.is_zero() || grace > MAX_GRACE {
        bail!("--grace must be 1s to 7d");
    }
    let provider = arguments.page.provider.as_deref().map(ask::provider).transpose()?;
    let found = overdue(
        (&connection.under_way(), &connection.partners(), &connection.endpoints()),
        provider.as_ref(),
        grace,
        ask::now().into(),
    )
    .await?;
    warn_unread_partners(&found.unread_partners);
    if found.unreadable > 0 {
        let unreadable = counted(found.unreadable, "delivery");
        eprintln!("{unreadable} in a format that this version cannot read; upgrade postbackctl");
    }
    let stored = |delivery| StoredDelivery { delivery, swept_at: None };
    Ok(Listed { deliveries: found.deliveries.into_iter().map(stored).collect(), ..Listed::default() })
}
