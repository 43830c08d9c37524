//! `postbackctl conflicts`: postbacks that contradict recorded ones, and an operator's decisions about them.

use std::process::ExitCode;

use adapters::random;
use anyhow::{Context, Result, anyhow, bail};
use app::{
    operators::{refusals::find, standing::Standing},
    ports::{Partners as _, RefusalKind, SecretPurpose},
    resolve_conflict::{self, Resolution},
};
use clap::{Args, Subcommand};
use domain::{
    inbound::{click::ClickKeys, conversion::Receipt, refusal::ContentKey},
    values::ids::{Provider, ReceiptId, TransactionId},
};
use serde_json::json;

use crate::{
    Connection, ask,
    change::Confirmed,
    operations::timeline::{Timeline, named},
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
    /// Resolves a conflict: keeps the original, or accepts the conflicting postback as a correction for ever.
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
    /// The conflict's content id, which `postbackctl conflicts` shows. The partner's name before it may be left out.
    content_id: String,
    /// Keeps the original, or the correction that was accepted before. The conflict is deleted after 30 days unless the same
    /// content comes again.
    #[arg(long, group = "decision")]
    keep_original: bool,
    /// Records the conflicting postback as a correction. GG3 receives it, and the partner's resend of it counts as a duplicate.
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
    arguments.confirmed.confirm(&question(arguments.accept, found.stands.as_ref()))?;
    let operation = connection.operation(arguments.confirmed.change.why.clone()).await?;
    let resolutions = connection.resolutions();
    let resolution = if arguments.accept {
        let stored = connection.configuration().secrets(&SecretPurpose::Click).await?;
        let keys = stored.and_then(|stored| ClickKeys::new(stored.secrets));
        let keys = keys.context("there are no keys of click ids; apply a partner first")?;
        let receipt_id = ReceiptId::from_random(random::bytes()?);
        resolve_conflict::accept(&resolutions, &keys, (&transaction_id, &key), (&operation, now), receipt_id).await
    } else {
        resolve_conflict::keep_original(&resolutions, (&transaction_id, &key), (&operation, now)).await
    };
    let resolution = resolution.context("the conflict may or may not be resolved; run this again to see")?;
    // If this or another conflict has been accepted, a different revision may count now.
    let found =
        find(&history, &key, now).await.context("the conflict is resolved, but what stands now is not known")?;
    tell(&resolution, &arguments, &key, found.and_then(|found| found.stands).as_ref())
}

fn question(accept: bool, standing: Option<&Standing>) -> String {
    match (accept, standing) {
        (true, None) => "Accept this as a correction, for ever?".to_owned(),
        (true, Some(standing)) => format!("Accept this in place of {}, for ever?", named(standing)),
        (false, None) => "Keep the original?".to_owned(),
        (false, Some(standing)) => format!("Keep {}?", named(standing)),
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

fn tell(
    resolution: &Resolution,
    arguments: &Resolve,
    key: &ContentKey,
    standing: Option<&Standing>,
) -> Result<ExitCode> {
    let Resolve { provider, transaction_id, accept, confirmed, .. } = arguments;
    let (outcome, receipt) = match resolution {
        Resolution::Accepted(correction) => ("accepted", Some(&correction.receipt)),
        Resolution::AcceptedBefore(receipt) if *accept => ("accepted_before", Some(receipt)),
        Resolution::AcceptedBefore(Receipt { receipt_id, .. }) => {
            bail!("the conflict was accepted already, with receipt {receipt_id}, for ever; nothing was changed")
        }
        Resolution::OriginalKept => ("original_kept", None),
        Resolution::Unknown => bail!(unknown(key)),
        Resolution::OfAnother(other) => bail!("the conflict belongs to transaction {other}; nothing was changed"),
        Resolution::NoOriginal => bail!("{provider} has no transaction {transaction_id} to correct"),
    };
    let correction = match resolution {
        Resolution::Accepted(correction) => Some(correction.number),
        _ => None,
    };
    if confirmed.change.json {
        let told = json!({"outcome": outcome, "receipt": receipt, "correction": correction, "stands": standing});
        say!("{told}")?;
        return Ok(ExitCode::SUCCESS);
    }
    match (receipt, correction) {
        (Some(receipt), Some(number)) => say!(
            "accepted as correction {number} of {provider}, transaction {transaction_id}: receipt {}; GG3 receives it",
            receipt.receipt_id
        )?,
        (Some(receipt), None) => say!("accepted before: receipt {}", receipt.receipt_id)?,
        (None, _) => say!("the conflict is deleted after 30 days unless the same content comes again")?,
    }
    match standing {
        Some(standing) => say!("{} stands: receipt {}", named(standing), standing.receipt_id)?,
        None => say!("the original stands")?,
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
