//! `postbackctl refusals`: shows refused calls. They can be sent again once the partner's configuration is corrected.

use std::process::ExitCode;

use adapters::random;
use anyhow::{Context, Result, bail};
use app::{
    accept_postback::{PostbackAnswer, Resubmission},
    operators::{
        current_revision::{self, CurrentRevision},
        resubmit_refusal::resubmit,
        view::AnswerView,
    },
    ports::RefusalKind,
};
use clap::{Args, Subcommand};
use domain::{
    inbound::refusal::ContentKey,
    retention::Expiring,
    values::ids::{ReceiptId, TransactionKey},
};

use crate::{
    Connection, ask,
    change::Change,
    operations::timeline::{differences, fault},
    output::say,
    page::Page,
    terminal::printable,
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
    /// Handles a refused call again, as if the partner had sent it now. The partner's current configuration applies.
    Resubmit(Resubmit),
}

#[derive(Debug, Args)]
struct Resubmit {
    /// The refusal's content id, which `postbackctl refusals` shows.
    content_id: String,
    #[command(flatten)]
    change: Change,
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    match arguments.action {
        Some(Action::Resubmit(arguments)) => Box::pin(send_again(&connection, arguments)).await,
        None => super::listed(&connection, RefusalKind::Refusal, &arguments.page).await,
    }
}

async fn send_again(connection: &Connection, Resubmit { content_id, change }: Resubmit) -> Result<ExitCode> {
    let (provider, key) = ContentKey::parse(&content_id)
        .context("a content id is a partner's name, # and 64 hexadecimal digits; `postbackctl refusals` shows it")?;
    let (history, now) = (connection.history(), ask::now());
    let kept = app::operators::refusals::find(&history, &key, now).await?;
    let kept = kept.with_context(|| format!("nothing is kept under {content_id}; it may have expired"))?;
    let Some(request) = kept.stored.kept_request() else {
        bail!("{content_id} is a conflict, not a refusal; see `postbackctl conflicts resolve --help`")
    };
    let source = kept.stored.source.context(
        "an earlier version kept this refusal without the caller's address; the partner must send the call again",
    )?;
    let resubmission = Resubmission { provider: &provider, request: &request, source };
    let receipt_id = ReceiptId::from_random(random::bytes()?);
    let operation = connection.operation(change.why).await?;
    let retention = connection.retention(Expiring::Refusal).await?;
    let (accept, changes) = (connection.accept_postback(retention), connection.resubmissions(retention));
    let answered = Box::pin(resubmit(accept, &changes, &resubmission, (&operation, now), receipt_id)).await;
    let answered = answered.with_context(|| match request.sent_bytes {
        Some(bytes) => {
            format!("only the beginning of the call's {bytes} bytes is kept; the partner must send it again")
        }
        None => "the call could not be read and is not kept whole; the partner must send it again".to_owned(),
    })?;
    if answered.dry_run {
        bail!("the call is a dry run; nothing is recorded for it")
    }
    let current = match &answered.answer {
        PostbackAnswer::Conflict(conflict) => {
            let transaction = TransactionKey::of(&provider, &conflict.transaction_id);
            current_revision::read(&history, &transaction, (&conflict.sent, None)).await.unwrap_or_else(|fault| {
                eprintln!("the transaction's current revision cannot be read: {fault}");
                None
            })
        }
        _ => None,
    };
    show(&answered.answer, current.as_ref(), change.json)
}

/// Prints the answer. The exit code is 0 if the call is recorded, and 1 if it is still refused.
fn show(answer: &PostbackAnswer, current: Option<&CurrentRevision>, as_json: bool) -> Result<ExitCode> {
    match answer {
        PostbackAnswer::Unauthorized | PostbackAnswer::UnauthorizedTooOften(_) => {
            bail!("the partner does not exist any more")
        }
        PostbackAnswer::Unavailable(unavailable) => bail!("{unavailable}; sending it again is safe"),
        PostbackAnswer::RateExceeded(_) => bail!("the partner's rate is used up; send it again later"),
        PostbackAnswer::Paused => bail!("the partner's postbacks are paused; resume them first"),
        _ => {}
    }
    let shown = AnswerView::of(answer, current);
    if as_json {
        say!("{}", serde_json::to_string(&shown)?)?;
    } else {
        say!("{}", shown.outcome)?;
        for line in lines(answer, current) {
            say!("  {}", printable(&line))?;
        }
    }
    let recorded = matches!(answer, PostbackAnswer::Accepted(_) | PostbackAnswer::Duplicate(_));
    Ok(if recorded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn lines(answer: &PostbackAnswer, current: Option<&CurrentRevision>) -> Vec<String> {
    match answer {
        PostbackAnswer::Accepted(receipt) | PostbackAnswer::Duplicate(receipt) => {
            vec![format!("transaction {}, receipt {}", receipt.transaction_id, receipt.receipt_id)]
        }
        PostbackAnswer::Conflict(conflict) => {
            let named = conflict.differences.iter().map(|(name, difference)| (name, difference));
            let hint = if conflict.is_kept {
                "`postbackctl conflicts` lists it".to_owned()
            } else {
                "the conflict could not be kept for `postbackctl conflicts`; send it again".to_owned()
            };
            differences(named, current).into_iter().chain([hint]).collect()
        }
        PostbackAnswer::Malformed(faults) => faults.iter().map(fault).collect(),
        PostbackAnswer::Forbidden(forbidden) => vec![fault(forbidden)],
        PostbackAnswer::Erased(transaction) => vec![format!("the person of transaction {transaction} was erased")],
        PostbackAnswer::Ignored
        | PostbackAnswer::Unauthorized
        | PostbackAnswer::UnauthorizedTooOften(_)
        | PostbackAnswer::RateExceeded(_)
        | PostbackAnswer::Paused
        | PostbackAnswer::Unavailable(_) => Vec::new(),
    }
}
