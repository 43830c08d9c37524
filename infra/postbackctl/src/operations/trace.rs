//! `postbackctl trace`: shows all stored items about a transaction, a click, a user or a delivery.

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use app::operators::trace::{Query, Trace, TraceFault};
use clap::Args;
use domain::values::ids::{ClickId, DeliveryId, PartnerUserId, TransactionId, UserId};

use super::timeline::{Timeline, warn_unread, warn_unread_partners};
use crate::{
    Connection, ask, coverage,
    output::{self, say},
    terminal::printable,
};

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("subject").required(true).multiple(true))]
pub(crate) struct Arguments {
    /// The partner of --transaction.
    #[arg(long, requires = "transaction")]
    provider: Option<String>,
    /// Traces a partner's transaction. Needs --provider.
    #[arg(long, requires = "provider", group = "subject")]
    transaction: Option<String>,
    /// Traces a click id, ours or a partner's.
    #[arg(long, group = "subject")]
    click: Option<String>,
    /// Traces a GG3 user.
    #[arg(long, group = "subject")]
    user: Option<String>,
    /// Traces a user whom a partner sent to GG3, by the partner's id of that user, as in acme/p-9.
    #[arg(long, value_name = "PROVIDER/USER", group = "subject")]
    partner_user: Option<String>,
    /// Traces a delivery, by the webhook-id of its attempts.
    #[arg(long, group = "subject")]
    delivery: Option<String>,
    /// Shows at most this many entries of each click id and user, the newest.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let (as_json, limit) = (arguments.json, arguments.limit);
    let query = query(arguments)?;
    let connection = Connection::open(stack).await?;
    let trace = Trace {
        listings: connection.lookups(),
        inbound: connection.history(),
        deliveries: connection.delivery_records(),
        participants: connection.participants(),
        catalogues: connection.catalogues(),
        recipients: connection.recipients(),
        partners: connection.partners(),
        endpoints: connection.endpoints(),
    };
    let found = Box::pin(trace.run(query, ask::now())).await.map_err(untraced)?;
    let mut timeline = Timeline::default();
    found.events.iter().for_each(|event| timeline.event(event));
    coverage::warn(&found.gaps);
    warn_unread(&found.unread_transactions);
    warn_unread_partners(&found.unread_partners);
    for _ in 0..found.cut {
        eprintln!("only the newest {limit} are shown; --limit shows more");
    }
    for key in &found.unreadable {
        eprintln!("the stored item {} cannot be read", printable(key));
    }
    if as_json {
        say!("{}", serde_json::to_string(&timeline)?)?;
    } else if timeline.is_empty() {
        eprintln!("nothing is recorded under this; entries of the last seconds may not be found yet");
    } else {
        output::print(&timeline)?;
    }
    // The exit code 1 tells scripts that nothing was found.
    Ok(if timeline.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Returns the fault as an error. The error's chain contains the service's own fault, by which
/// [`crate::connection::explained`] finds the cure.
fn untraced(fault: TraceFault) -> anyhow::Error {
    match fault {
        TraceFault::Unavailable(unavailable) => unavailable.into(),
        TraceFault::Lookups(fault) => coverage::unlisted(fault),
        TraceFault::NoPartner(_) => fault.into(),
    }
}

fn query(arguments: Arguments) -> Result<Query> {
    let Arguments { provider, transaction, click, user, partner_user, delivery, limit, json: _ } = arguments;
    let transaction = provider.zip(transaction).map(|(provider, transaction)| {
        let transaction =
            TransactionId::try_from(transaction).map_err(|fault| anyhow!("the transaction id {fault}"))?;
        anyhow::Ok((ask::provider(&provider)?, transaction))
    });
    let partner_user = partner_user.map(|named| {
        let (provider, user) = named.split_once('/').context("write it as the partner's name, / and its user")?;
        let user =
            PartnerUserId::try_from(user.to_owned()).map_err(|fault| anyhow!("the partner's user id {fault}"))?;
        anyhow::Ok((ask::provider(provider)?, user))
    });
    let click = click.map(|click| ClickId::try_from(click).map_err(|fault| anyhow!("the click id {fault}")));
    let user = user.map(|user| UserId::try_from(user).map_err(|fault| anyhow!("the user id {fault}")));
    let delivery = delivery.map(|id| DeliveryId::new(id).map_err(|fault| anyhow!("the delivery id {fault}")));
    Ok(Query {
        transaction: transaction.transpose()?,
        click: click.transpose()?,
        user: user.transpose()?,
        partner_user: partner_user.transpose()?,
        delivery: delivery.transpose()?,
        most: limit.into(),
    })
}
