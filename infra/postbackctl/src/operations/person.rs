//! `postbackctl person`: shows or erases everything that is stored about a person.

mod replay;

use std::process::ExitCode;

use adapters::{
    dynamodb::{
        audit::DynamoAudit,
        deliveries::DynamoDeliveries,
        delivery_records::DynamoDeliveryRecords,
        erasures::DynamoErasures,
        history::History,
        item::{
            PostbackItem,
            media_buying::{AttemptItem, DeliveryItem},
        },
        lookups::DynamoListings,
        participants::DynamoParticipants,
        partners::DynamoPartners,
    },
    sqs::SqsDeadLetterQueues,
};
use anyhow::{Context, Result, anyhow, bail};
use app::{
    operators::person::{FindPerson, Person, Selector, erase::ErasePerson},
    ports::StoredRefusal,
};
use clap::{Args, Subcommand};
use domain::{
    archive::ArchiveKey,
    values::ids::{PartnerUserId, UserId},
};
use serde_json::{Value, json};

use super::dead_letters::letter::Letter;
use crate::{Connection, ask, change::Confirmed, coverage, output::say, page, terminal::printable};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Prints everything that is stored about a person, as JSON.
    Show(Selected),
    /// Erases a person from every table and dead-letter queue. Shows a summary and asks first.
    Erase(Erase),
    /// Erases again every person who was erased in a period, after a table was restored to an earlier state.
    ReplayErasures(replay::Replay),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Selected {
    /// Selects a GG3 user.
    #[arg(long)]
    user: Option<String>,
    /// Selects the GG3 user who came from a partner under this id of the partner's, as in acme/p-9.
    #[arg(long, value_name = "PROVIDER/USER")]
    partner_user: Option<String>,
}

#[derive(Debug, Args)]
struct Erase {
    #[command(flatten)]
    selected: Selected,
    #[command(flatten)]
    confirmed: Confirmed,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    match arguments.action {
        Action::Show(selected) => {
            let person = find(&connection, &selected, connection.archive_key().await?).await?;
            say!("{}", shown(&person))?;
            Ok(if person.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Action::Erase(arguments) => erase(&connection, arguments).await,
        Action::ReplayErasures(arguments) => replay::run(&connection, arguments).await,
    }
}

impl Selected {
    fn selector(&self) -> Result<Selector> {
        match (&self.user, &self.partner_user) {
            (Some(user), _) => {
                UserId::try_from(user.clone()).map(Selector::User).map_err(|fault| anyhow!("the user id {fault}"))
            }
            (None, Some(named)) => {
                let (provider, user) =
                    named.split_once('/').context("write it as the partner's name, / and its user")?;
                let user = PartnerUserId::try_from(user.to_owned())
                    .map_err(|fault| anyhow!("the partner's user id {fault}"))?;
                Ok(Selector::PartnerUser(ask::provider(provider)?, user))
            }
            (None, None) => bail!("name the person with --user or --partner-user"),
        }
    }
}

type Finder =
    FindPerson<DynamoListings, History, DynamoDeliveryRecords, DynamoParticipants, SqsDeadLetterQueues, DynamoPartners>;

async fn finder(connection: &Connection, key: ArchiveKey) -> Result<Finder> {
    Ok(FindPerson {
        listings: connection.lookups(),
        inbound: connection.history(),
        deliveries: connection.delivery_records(),
        participants: connection.participants(),
        queues: connection.dead_letter_queues(),
        partners: connection.partners(),
        providers: page::providers(connection, None).await?,
        key,
    })
}

async fn find(connection: &Connection, selected: &Selected, key: ArchiveKey) -> Result<Person> {
    let found = finder(connection, key).await?.find(&selected.selector()?, ask::now()).await;
    let person = found.map_err(coverage::unlisted)?;
    coverage::warn(&person.gaps);
    for key in &person.unreadable {
        eprintln!("the stored item {} cannot be read", printable(key));
    }
    Ok(person)
}

/// Returns the items of each table.
fn shown(person: &Person) -> Value {
    let own = person.transactions.iter().flat_map(|(key, history)| {
        history.revisions().filter(move |revision| revision.postback().key() == *key).collect::<Vec<_>>()
    });
    let attempts = person
        .deliveries
        .iter()
        .flat_map(|(stored, attempts)| attempts.iter().map(|kept| AttemptItem::of_kept(stored.delivery.id(), kept)));
    let partner_users = person.partner_users.iter().map(|(provider, user)| format!("{provider}/{user}"));
    let entries = person.own_entries.iter().chain(&person.entries).chain(&person.listed_refusals);
    let letters = person
        .letters
        .iter()
        .map(|(queue, letter)| json!({"queue": queue.name(), "letter": Letter::from(letter.clone())}));
    json!({
        "users": person.users,
        "partner_users": partner_users.collect::<Vec<_>>(),
        "postbacks": own.map(|revision| PostbackItem::from(&revision)).collect::<Vec<_>>(),
        "refusals": person.refusals,
        "clicks": person.clicks,
        "participants": person.participants,
        "deliveries": person.deliveries.iter().map(|(it, _)| DeliveryItem::from(&it.delivery)).collect::<Vec<_>>(),
        "attempts": attempts.collect::<Vec<_>>(),
        "lookups": entries.map(|(subject, place)| format!("{subject} {place}")).collect::<Vec<_>>(),
        "dead_letters": letters.collect::<Vec<_>>(),
        "gaps": person.gaps,
    })
}

/// Erases the person. The exit code is 1 if nothing is stored about the person.
async fn erase(connection: &Connection, Erase { selected, confirmed }: Erase) -> Result<ExitCode> {
    let key = connection.archive_key().await?;
    let person = find(connection, &selected, key.clone()).await?;
    if !person.unreadable.is_empty() {
        bail!("some items cannot be read, so they cannot be erased; upgrade postbackctl, or mend them");
    }
    if person.is_empty() {
        eprintln!("nothing is stored about this person; entries of the last seconds may not be found yet");
        return Ok(ExitCode::FAILURE);
    }
    let summary = summary(&person);
    for line in &summary {
        eprintln!("{line}");
    }
    for StoredRefusal { provider_content, .. } in person.open_conflicts() {
        eprintln!("open conflict, which is deleted unresolved: {provider_content}");
    }
    confirmed.confirm("Erase this person for ever?")?;
    let operation = connection.operation(confirmed.change.why).await?;
    let now = ask::now().into();
    eraser(connection, key)
        .await?
        .run(&person, &operation, now)
        .await
        .context("not everything was erased; run the same command again")?;
    if confirmed.change.json {
        say!("{}", json!({"erased": summary}))?;
    } else {
        say!("erased; erase the person once more in an hour, when all that was under way is recorded")?;
    }
    Ok(ExitCode::SUCCESS)
}

type Eraser = ErasePerson<DynamoErasures, DynamoDeliveries, SqsDeadLetterQueues, DynamoAudit>;

async fn eraser(connection: &Connection, key: ArchiveKey) -> Result<Eraser> {
    Ok(ErasePerson {
        erasures: connection.erasures(),
        deliveries: connection.deliveries().await?,
        queues: connection.dead_letter_queues(),
        trail: connection.audit(),
        key,
    })
}

fn summary(person: &Person) -> Vec<String> {
    let users: Vec<&str> = person.users.iter().map(UserId::as_str).collect();
    let partner_users: Vec<String> =
        person.partner_users.iter().map(|(provider, user)| format!("{provider}/{user}")).collect();
    let mut lines = vec![format!("GG3 user {}", printable(&users.join(", ")))];
    if !partner_users.is_empty() {
        lines.push(format!("known to partners as {}", printable(&partner_users.join(", "))));
    }
    lines.extend([
        format!("transactions, of which the ids are hashed: {}", person.transactions.len()),
        format!("refusals and conflicts, which are deleted: {}", person.refusals.len()),
        format!("clicks, which are deleted: {}", person.clicks.len()),
        format!("participants, which are deleted: {}", person.participants.len()),
        format!("deliveries, of which the ids are hashed: {}", person.deliveries.len()),
        format!("dead letters, which are deleted: {}", person.letters.len()),
    ]);
    lines
}
