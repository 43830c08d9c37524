//! `postbackctl conflicts`: postbacks that contradict recorded ones, and an operator's decisions about them.

use std::process::ExitCode;

use adapters::random;
use anyhow::{Context, Result, anyhow, bail};
use app::{
    operators::{current_revision::CurrentRevision, refusals::find},
    ports::{Partners as _, RefusalKind, SecretPurpose},
    resolve_conflict::{self, Resolution},
};
use clap::{Args, Subcommand};
use domain::{
    inbound::{
        acceptance::Unacceptable,
        click::ClickKeys,
        conversion::{Receipt, Reversed},
        postback::Difference,
        refusal::ContentKey,
    },
    retention::Expiring,
    values::ids::{Provider, ReceiptId, TransactionId},
};
use serde_json::json;

use crate::{
    Connection, ask,
    change::Confirmed,
    operations::timeline::{Timeline, difference, named},
    output::say,
    page::Page,
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
    /// Resolves a conflict: keeps what is recorded, or records the conflicting postback for ever.
    Resolve(Resolve),
}

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("decision").required(true))]
struct Resolve {
    /// The partner.
    provider: String,
    /// The transaction id.
    transaction_id: String,
    /// The conflict's content id, which `postbackctl conflicts` shows. Its beginning, the partner's name and #, is optional.
    content_id: String,
    /// Keeps the original, or the correction that was accepted before. The conflict expires later, unless the same
    /// content comes again.
    #[arg(long, group = "decision")]
    keep_original: bool,
    /// Records the conflicting postback as a correction, or as a transaction of its own if it was never recorded.
    /// GG3 receives it, and the partner's resend of it counts as a duplicate.
    #[arg(long, group = "decision")]
    accept: bool,
    #[command(flatten)]
    confirmed: Confirmed,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    match arguments.action {
        Some(Action::Resolve(arguments)) => resolve(&connection, arguments).await,
        None => super::listed(&connection, RefusalKind::Conflict, &arguments.page).await,
    }
}

async fn resolve(connection: &Connection, arguments: Resolve) -> Result<ExitCode> {
    let provider = ask::provider(&arguments.provider)?;
    let transaction = TransactionId::try_from(arguments.transaction_id.clone());
    let transaction_id = transaction.map_err(|fault| anyhow!("the transaction id {fault}"))?;
    let key = content_key(&provider, &arguments.content_id)?;
    let (history, now) = (connection.history(), ask::now());
    let found = find(&history, &key, now).await?.with_context(|| unknown(&key))?;
    if !arguments.confirmed.yes {
        let mut timeline = Timeline::default();
        timeline.refused(&found);
        eprint!("{timeline}");
    }
    arguments.confirmed.confirm(&question(arguments.accept, found.current.as_ref()))?;
    let operation = connection.operation(arguments.confirmed.change.why.clone()).await?;
    let resolutions = connection.resolutions(connection.retention(Expiring::Refusal).await?);
    let resolution = if arguments.accept {
        let stored = connection.configuration().secrets(&SecretPurpose::Click).await?;
        let keys = stored.and_then(|stored| ClickKeys::new(stored.secrets));
        let keys = keys.context("there are no keys of click ids; apply a partner first")?;
        let receipt_id = ReceiptId::from_random(random::bytes()?);
        resolve_conflict::accept(&resolutions, &keys, (&transaction_id, &key), (&operation, now), receipt_id).await
    } else {
        resolve_conflict::keep_original(&resolutions, (&transaction_id, &key), (&operation, now)).await
    };
    let resolution =
        resolution.context("it is unknown if the conflict was resolved; run the same command again to find out")?;
    // If this or another conflict has been accepted, a different revision may count now.
    let found = find(&history, &key, now)
        .await
        .context("the conflict is resolved, but the transaction cannot be read to show its current revision")?;
    show(&resolution, &arguments, &key, found.and_then(|found| found.current).as_ref())
}

fn question(accept: bool, current: Option<&CurrentRevision>) -> String {
    match (accept, current) {
        (true, None) => "Accept this, for ever?".to_owned(),
        (true, Some(current)) => format!("Accept this in place of {}, for ever?", named(current)),
        (false, None) => "Keep the original?".to_owned(),
        (false, Some(current)) => format!("Keep {}?", named(current)),
    }
}

/// Parses a content id, with or without its partner.
fn content_key(provider: &Provider, content_id: &str) -> Result<ContentKey> {
    let whole = if content_id.contains('#') { content_id.to_owned() } else { format!("{provider}#{content_id}") };
    let (named, key) = ContentKey::parse(&whole)
        .with_context(|| format!("{content_id} is not a content id, which has 64 hexadecimal digits"))?;
    if named != *provider {
        bail!("this content id is {named}'s, not {provider}'s");
    }
    Ok(key)
}

fn unknown(key: &ContentKey) -> String {
    format!("no conflict is kept under {}; `postbackctl conflicts` lists open conflicts", key.as_str())
}

fn does_not_fit(differences: &[Difference]) -> String {
    differences.iter().map(|it| difference(it.field, &it.original, &it.sent)).collect::<Vec<_>>().join("; ")
}

fn show(
    resolution: &Resolution,
    arguments: &Resolve,
    key: &ContentKey,
    current: Option<&CurrentRevision>,
) -> Result<ExitCode> {
    let Resolve { provider, transaction_id, accept, confirmed, .. } = arguments;
    let (outcome, receipt) = match resolution {
        Resolution::Accepted(revision) => ("accepted", Some(revision.receipt())),
        Resolution::AcceptedBefore(receipt) if *accept => ("accepted_before", Some(receipt)),
        Resolution::AcceptedBefore(Receipt { receipt_id, .. }) => {
            bail!("the conflict was already accepted, with receipt {receipt_id}, for ever; nothing was changed")
        }
        Resolution::OriginalKept => ("original_kept", None),
        Resolution::Unknown => bail!(unknown(key)),
        Resolution::OfAnother(other) => bail!("the conflict belongs to transaction {other}; nothing was changed"),
        Resolution::Unacceptable(Unacceptable::NoOriginal) => {
            bail!("{provider} has no transaction {transaction_id} to correct")
        }
        Resolution::Unacceptable(Unacceptable::Erased) => {
            bail!(
                "the person of transaction {transaction_id}, or of one that it reverses, was erased; keep the original"
            )
        }
        Resolution::Unacceptable(Unacceptable::DoesNotFit(other, differences)) => bail!(
            "transaction {other} would not bear it: {}. Nothing was changed; keep the original, or accept what corrects the \
             other amount first",
            does_not_fit(differences)
        ),
    };
    let accepted = match resolution {
        Resolution::Accepted(revision) => Some(revision),
        _ => None,
    };
    let correction = accepted.map(|revision| revision.correction()).filter(|number| *number > 0);
    let reversed = accepted.and_then(|revision| revision.reversed());
    if confirmed.change.json {
        let report = json!({
            "outcome": outcome, "receipt": receipt, "correction": correction, "original": reversed, "stands": current,
        });
        say!("{report}")?;
        return Ok(ExitCode::SUCCESS);
    }
    match (receipt.map(|receipt| &receipt.receipt_id), correction) {
        (Some(receipt), Some(number)) => say!(
            "accepted as correction {number} of {provider}, transaction {transaction_id}: receipt {receipt}; GG3 receives it"
        )?,
        (Some(receipt), None) if outcome == "accepted" => {
            say!("recorded as {provider}'s transaction {transaction_id}: receipt {receipt}; GG3 receives it")?;
        }
        (Some(receipt), None) => say!("accepted before: receipt {receipt}")?,
        (None, _) => say!("the conflict expires later, unless the same content comes again")?,
    }
    match reversed {
        Some(Reversed::Known { transaction_id, .. }) => say!("it takes its amount from transaction {transaction_id}")?,
        Some(Reversed::Unknown) => say!("it takes its amount from no recorded transaction")?,
        None => {}
    }
    match current {
        Some(current) => say!("{} is current: receipt {}", named(current), current.receipt_id)?,
        None => say!("the original is current")?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_id_may_leave_out_its_partner_but_not_change_it() {
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
