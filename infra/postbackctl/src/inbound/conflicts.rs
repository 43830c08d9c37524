//! `postbackctl conflicts`: postbacks that contradict recorded ones, and what an operator makes of them.

use std::process::ExitCode;

use adapters::{dynamodb::item::RefusalItem, random};
use anyhow::{Context, Result, anyhow, bail};
use app::ports::{Partners as _, SecretPurpose};
use app::resolve_conflict::{self, Resolution};
use clap::{Args, Subcommand};
use domain::{
    inbound::{click::ClickKeys, conversion::Receipt, refusal::ContentKey},
    lookup::Subject,
    values::ids::{Provider, ReceiptId, TransactionId},
};
use serde_json::json;

use crate::{
    Connection, ask,
    operations::timeline::{Beside, Timeline},
    output::{self, say},
    page::Page,
    reason::Reason,
    standing::{self, Standing, Standings},
};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Keeps the original, or accepts what conflicts with it as a correction, for ever.
    Resolve(Resolve),
}

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("decision").required(true))]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Resolve {
    /// The partner.
    provider: String,
    /// The transaction.
    transaction_id: String,
    /// The conflict's content id, as the list of conflicts shows it: with or without the partner's name before it.
    content_id: String,
    /// The original stands, or the correction that was accepted in its place. The conflict is forgotten after 30 days, unless
    /// the same content comes again.
    #[arg(long, group = "decision")]
    keep_original: bool,
    /// What conflicts becomes a correction of the original: GG3 is sent it, and the partner's resend is a duplicate of it.
    #[arg(long, group = "decision")]
    accept: bool,
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
    match arguments.action {
        Some(Action::Resolve(arguments)) => resolve(&connection, arguments).await,
        None => list(&connection, &arguments.page).await,
    }
}

async fn list(connection: &Connection, page: &Page) -> Result<ExitCode> {
    let found = page.read(connection, Subject::Conflicts, RefusalItem::is_open).await?;
    let standings = Standings::read(&connection.history(), &found.items).await;
    let beside: Vec<_> = found.items.iter().map(|item| (item, standings.beside(item))).collect();
    if page.json {
        let conflicts: Vec<Beside> =
            beside.iter().map(|(item, standing)| Beside { item, standing: standing.as_ref() }).collect();
        say!("{}", json!({"conflicts": conflicts, "next": found.next()}))?;
        return Ok(ExitCode::SUCCESS);
    }
    if found.items.is_empty() {
        eprintln!("no conflict is open; what came in the last seconds may not be listed yet");
    }
    // One by one: a timeline would turn their order round.
    for (item, standing) in &beside {
        output::print(shown(item, standing.as_ref()))?;
    }
    for line in found.hint("conflicts") {
        eprintln!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn resolve(connection: &Connection, arguments: Resolve) -> Result<ExitCode> {
    let provider = ask::provider(&arguments.provider)?;
    let transaction = TransactionId::new(arguments.transaction_id.clone());
    let transaction_id = transaction.map_err(|fault| anyhow!("the transaction id {fault}"))?;
    let key = content_key(&provider, &arguments.content_id)?;
    let item = connection.history().refusal(&key).await?.with_context(|| unknown(&key))?;
    let history = connection.history();
    let standing = standing::beside(&history, &item).await?;
    if !arguments.yes {
        eprint!("{}", shown(&item, standing.as_ref()));
    }
    ask::confirm(&question(arguments.accept, standing.as_ref()), arguments.yes)?;
    let operation = connection.operation(arguments.reason.why.clone()).await?;
    let (resolutions, now) = (connection.resolutions(), ask::now());
    let resolution = if arguments.accept {
        let stored = connection.configuration().secrets(&SecretPurpose::Click).await?;
        let keys = stored.and_then(|stored| ClickKeys::new(stored.secrets));
        let keys = keys.context("there are no keys of click ids: apply a partner first")?;
        let receipt_id = ReceiptId::from_random(random::bytes()?);
        resolve_conflict::accept(&resolutions, &keys, (&transaction_id, &key), (&operation, now), receipt_id).await
    } else {
        resolve_conflict::keep_original(&resolutions, (&transaction_id, &key), (&operation, now)).await
    };
    let resolution = resolution.context("it may or may not be resolved: run this again to see")?;
    // What stands now, which accepting this or another may have changed.
    let standing =
        standing::beside(&history, &item).await.context("it is resolved, but what stands now is not known")?;
    tell(&resolution, &arguments, &key, standing.as_ref())
}

fn question(accept: bool, standing: Option<&Standing>) -> String {
    match (accept, standing) {
        (true, None) => "Accept this as a correction, for ever?".to_owned(),
        (true, Some(standing)) => format!("Accept this in place of correction {}, for ever?", standing.correction),
        (false, None) => "Keep the original?".to_owned(),
        (false, Some(standing)) => format!("Keep correction {}?", standing.correction),
    }
}

/// The key of a content id, whole or without its partner.
fn content_key(provider: &Provider, content_id: &str) -> Result<ContentKey> {
    let whole = if content_id.contains('#') { content_id.to_owned() } else { format!("{provider}#{content_id}") };
    let (named, key) =
        ContentKey::parse(&whole).with_context(|| format!("{content_id} is no content id: 64 hexadecimal digits"))?;
    if named != *provider {
        bail!("this content id is {named}'s, not {provider}'s");
    }
    Ok(key)
}

fn unknown(key: &ContentKey) -> String {
    format!("no conflict is kept under {}: `postbackctl conflicts` lists those that are open", key.as_str())
}

fn shown(item: &RefusalItem, standing: Option<&Standing>) -> Timeline {
    let mut timeline = Timeline::default();
    timeline.refusal(item, standing);
    timeline
}

fn tell(
    resolution: &Resolution,
    arguments: &Resolve,
    key: &ContentKey,
    standing: Option<&Standing>,
) -> Result<ExitCode> {
    let Resolve { provider, transaction_id, accept, json, .. } = arguments;
    let (outcome, receipt) = match resolution {
        Resolution::Accepted(correction) => ("accepted", Some(&correction.receipt)),
        Resolution::AcceptedBefore(receipt) if *accept => ("accepted_before", Some(receipt)),
        Resolution::AcceptedBefore(Receipt { receipt_id, .. }) => {
            bail!("this was accepted already, with receipt {receipt_id}, and stays so: nothing was changed")
        }
        Resolution::OriginalKept => ("original_kept", None),
        Resolution::Unknown => bail!(unknown(key)),
        Resolution::OfAnother(other) => bail!("this conflict is one of transaction {other}: nothing was changed"),
        Resolution::NoOriginal => bail!("{provider} has no transaction {transaction_id} to correct"),
    };
    let correction = match resolution {
        Resolution::Accepted(correction) => Some(correction.number),
        _ => None,
    };
    if *json {
        let stands = standing.map(|standing| json!({"number": standing.correction, "receipt_id": standing.receipt_id}));
        let told = json!({
            "outcome": outcome, "receipt": receipt, "correction": correction, "standing_correction": stands,
        });
        say!("{told}")?;
        return Ok(ExitCode::SUCCESS);
    }
    match (receipt, correction) {
        (Some(receipt), Some(number)) => say!(
            "accepted as correction {number} of {provider}, transaction {transaction_id}: receipt {}; GG3 is sent it",
            receipt.receipt_id
        )?,
        (Some(receipt), None) => say!("accepted before: receipt {}", receipt.receipt_id)?,
        (None, _) => say!("the conflict is forgotten after 30 days unless it comes again")?,
    }
    match standing {
        Some(Standing { correction, receipt_id, .. }) => {
            say!("correction {correction} stands: receipt {receipt_id}")?;
        }
        None => say!("the original stands")?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_id_is_taken_with_or_without_its_partner_and_never_another_partners() {
        let acme = Provider::new("acme").unwrap();
        let hash = "0".repeat(64);
        let whole = format!("acme#{hash}");
        for text in [&hash, &whole] {
            assert_eq!(content_key(&acme, text).unwrap().as_str(), whole);
        }
        for bad in ["", "x", &"0".repeat(63), &"g".repeat(64), &format!("globex#{hash}"), &format!("acme##{hash}")] {
            assert!(content_key(&acme, bad).is_err(), "{bad}");
        }
    }
}
