//! `postbackctl trace`: what happened to a transaction, a click, a user or a delivery: click, postback or refusal, conversion;
//! opening, progress, delivery, every attempt.

use std::{collections::HashMap, process::ExitCode};

use adapters::dynamodb::item::RefusalItem;
use anyhow::{Context, Result, anyhow};
use app::{
    operators::trace::{Query, Trace},
    ports::{Partners as _, Range},
};
use clap::Args;
use domain::{
    inbound::parameters::Parameters,
    lookup::{Place, Subject},
    values::{
        ids::{ClickId, DeliveryId, PartnerUserId, Provider, TransactionId, UserId},
        parameter_names::Field,
    },
};

use super::timeline::Timeline;
use crate::{
    Connection, ask,
    output::{self, say},
    standing::Standings,
    terminal::printable,
};

/// How many of a partner's newest refusals and conflicts are looked through for one transaction.
const NEWEST: usize = 1000;

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Arguments {
    /// The partner; goes with --transaction.
    #[arg(long, requires = "transaction")]
    provider: Option<String>,
    /// The partner's transaction.
    #[arg(long, requires = "provider")]
    transaction: Option<String>,
    /// A click id, ours or a partner's.
    #[arg(long)]
    click: Option<String>,
    /// A GG3 user.
    #[arg(long)]
    user: Option<String>,
    /// What a partner calls one of its users, whom it sent to GG3, as in acme/p-9.
    #[arg(long, value_name = "PROVIDER/USER")]
    partner_user: Option<String>,
    /// A delivery: the webhook-id of all its attempts.
    #[arg(long)]
    delivery: Option<String>,
    /// How many things of a click id or a user, the newest.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let (as_json, limit) = (arguments.json, arguments.limit);
    let query = query(arguments)?;
    let connection = Connection::open(stack).await?;
    let (mut timeline, history) = (Timeline::default(), connection.history());
    let transaction = query.transaction.clone();
    let trace = Trace {
        listings: connection.lookups(),
        inbound: history.clone(),
        deliveries: connection.delivery_records(),
        participants: connection.participants(),
        catalogues: connection.catalogues(),
        recipients: connection.recipients(),
    };
    let found = Box::pin(trace.run(query, ask::now())).await?;
    found.events.iter().for_each(|event| timeline.event(event));
    let mut kept = history.refusals(found.refusals.iter().map(String::as_str)).await?;
    if let Some((provider, transaction)) = transaction {
        kept.extend(refused(&connection, &provider, &transaction).await?);
    }
    kept.retain(|_, item| !item.has_expired(ask::now()));
    let standings = Standings::read(&history, kept.values()).await;
    for item in kept.values() {
        timeline.refusal(item, standings.beside(item).as_ref());
    }
    for _ in 0..found.cut {
        eprintln!("these are the newest {limit}; there may be more: --limit");
    }
    for key in &found.unreadable {
        eprintln!("what is stored of {} cannot be read", printable(key));
    }
    if as_json {
        say!("{}", serde_json::to_string(&timeline)?)?;
    } else if timeline.is_empty() {
        eprintln!("nothing is recorded under this; what happened in the last seconds may not be found yet");
    } else {
        output::print(&timeline)?;
    }
    // For scripts: 1 says that nothing was found.
    Ok(if timeline.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn query(arguments: Arguments) -> Result<Query> {
    let Arguments { provider, transaction, click, user, partner_user, delivery, limit, json: _ } = arguments;
    let transaction = provider.zip(transaction).map(|(provider, transaction)| {
        let transaction = TransactionId::new(transaction).map_err(|fault| anyhow!("the transaction id {fault}"))?;
        anyhow::Ok((ask::provider(&provider)?, transaction))
    });
    let partner_user = partner_user.map(|named| {
        let (provider, user) = named.split_once('/').context("write it as the partner's name, / and its user")?;
        let user = PartnerUserId::new(user).map_err(|fault| anyhow!("the partner's user id {fault}"))?;
        anyhow::Ok((ask::provider(provider)?, user))
    });
    let click = click.map(|click| ClickId::new(click).map_err(|fault| anyhow!("the click id {fault}")));
    let user = user.map(|user| UserId::new(user).map_err(|fault| anyhow!("the user id {fault}")));
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

/// Reads what was refused of a transaction, and what conflicts with it, among the partner's newest: nothing is looked up by
/// transaction, which a call that was refused need not even have.
async fn refused(
    connection: &Connection,
    provider: &Provider,
    transaction: &TransactionId,
) -> Result<HashMap<String, RefusalItem>> {
    let (history, mut found) = (connection.history(), HashMap::new());
    let item = connection.configuration().partner(provider).await?;
    let item = item.with_context(|| format!("there is no partner {provider}"))?;
    let partner = item.partner().map_err(|faults| anyhow!("what is stored of {provider}: {faults}"))?;
    let name = partner.rules().names.of(Field::TransactionId);
    for subject in [Subject::Conflicts(provider.clone()), Subject::Refusals(provider.clone())] {
        let range = Range { newest_first: true, wanted: NEWEST, ..Range::default() };
        let places = connection.lookups().list(subject, range, ask::now()).take(NEWEST).await?;
        let kept = history.refusals(places.iter().map(Place::key)).await?;
        let is_of_it = |item: &RefusalItem| {
            let sent = item.request.as_deref().unwrap_or_default();
            let named = Parameters::split(sent.as_bytes(), b"").raw(name) == Some(transaction.as_str().as_bytes());
            item.transaction_id.as_ref() == Some(transaction) || named
        };
        found.extend(kept.into_iter().filter(|(_, item)| is_of_it(item)));
    }
    Ok(found)
}
