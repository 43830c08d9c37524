//! `postbackctl refusals`: what partners sent and we refused, and sending it again once the configuration is mended.

use std::process::ExitCode;

use adapters::random;
use anyhow::{Context, Result, bail};
use app::{
    accept_postback::{PostbackAnswer, Resubmission},
    operators::resubmit_refusal,
};
use clap::{Args, Subcommand};
use domain::{
    inbound::{postback::Difference, refusal::ContentKey},
    lookup::Subject,
    values::ids::ReceiptId,
};
use serde_json::{Value, json};

use crate::{
    Connection, ask,
    operations::timeline::Timeline,
    output::{self, say},
    page::Page,
    reason::Reason,
    standing::{self, Standing},
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
    /// Sends what was refused again, by the configuration as it is now, as if the partner had.
    Resubmit {
        /// The refusal's content id, as the list of refusals shows it.
        content_id: String,
        /// Answers in JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        reason: Reason,
    },
}

pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    let connection = Connection::open(stack).await?;
    match arguments.action {
        Some(Action::Resubmit { content_id, json, reason }) => resubmit(&connection, &content_id, reason, json).await,
        None => list(&connection, &arguments.page).await,
    }
}

async fn list(connection: &Connection, page: &Page) -> Result<ExitCode> {
    let found = page.read(connection, Subject::Refusals, |_| true).await?;
    if page.json {
        say!("{}", json!({"refusals": found.items, "next": found.next()}))?;
        return Ok(ExitCode::SUCCESS);
    }
    if found.items.is_empty() {
        eprintln!("no call was refused in this time; what was refused in the last seconds may not be listed yet");
    }
    // One by one: a timeline would turn their order round.
    for item in &found.items {
        let mut timeline = Timeline::default();
        timeline.refusal(item, None);
        output::print(&timeline)?;
    }
    for line in found.hint("refusals") {
        eprintln!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn resubmit(connection: &Connection, content_id: &str, reason: Reason, as_json: bool) -> Result<ExitCode> {
    let (provider, key) = ContentKey::parse(content_id).context(
        "this is no content id: a partner's name, # and 64 hexadecimal digits, as `postbackctl refusals` shows",
    )?;
    let now = ask::now();
    let kept = connection.history().refusal(&key).await?.filter(|item| !item.has_expired(now));
    let kept = kept.with_context(|| format!("nothing is kept under {content_id}; refusals are kept for 30 days"))?;
    let Some(request) = kept.request else {
        bail!("this is a conflict, not a refusal: see `postbackctl conflicts resolve --help`")
    };
    let source = kept.source.context("this was kept by an earlier version, without where it came from")?;
    let resubmission = Resubmission { provider: &provider, request: &request, source };
    let receipt_id = ReceiptId::from_random(random::bytes()?);
    let operation = connection.operation(reason.why).await?;
    let (accept, trail) = (connection.accept_postback(), connection.audit());
    let answered = resubmit_refusal::resubmit(&accept, &trail, &resubmission, (&operation, now), receipt_id).await;
    let answered = answered.context("nothing was sent")?;
    let answered = answered.context("what came was not UTF-8 and is not kept whole: the partner must send it again")?;
    if answered.dry_run {
        bail!("this was a dry run: nothing is recorded, whoever sends it")
    }
    let standing = match &answered.answer {
        PostbackAnswer::Conflict(conflict) => {
            let transaction = (&provider, &conflict.transaction_id);
            // What has come of it is told in any case.
            standing::beside_sent(&connection.history(), transaction, &conflict.sent).await.unwrap_or_else(|fault| {
                eprintln!("what stands beside it could not be read: {fault:#}");
                None
            })
        }
        _ => None,
    };
    tell(&answered.answer, standing.as_ref(), as_json)
}

/// 0 where it is recorded, 1 where it is still refused.
fn tell(answer: &PostbackAnswer, standing: Option<&Standing>, as_json: bool) -> Result<ExitCode> {
    let (outcome, details): (&str, Value) = match answer {
        PostbackAnswer::Accepted(receipt) => ("accepted", json!({ "receipt": receipt })),
        PostbackAnswer::Duplicate(receipt) => ("duplicate", json!({ "receipt": receipt })),
        PostbackAnswer::Ignored => ("ignored", json!({})),
        PostbackAnswer::Conflict(conflict) => {
            let differences: Vec<&Difference> = conflict.differences.iter().map(|(_, difference)| difference).collect();
            let mut told = json!({"original": conflict.original, "differences": differences});
            if let Some((told, standing)) = told.as_object_mut().zip(standing) {
                told.insert("standing_correction".to_owned(), json!(standing));
            }
            ("conflict", told)
        }
        PostbackAnswer::Malformed(faults) => ("malformed", json!({ "faults": faults })),
        PostbackAnswer::Forbidden(fault) => ("forbidden", json!({ "faults": [fault] })),
        PostbackAnswer::Unauthorized => bail!("there is no such partner any more"),
        PostbackAnswer::Unavailable(unavailable) => bail!("{unavailable}; sending it again is safe"),
    };
    if as_json {
        say!("{}", json!({"outcome": outcome, "details": details}))?;
    } else {
        say!("{outcome}")?;
        for line in lines(answer, standing) {
            say!("  {}", printable(&line))?;
        }
    }
    let recorded = matches!(answer, PostbackAnswer::Accepted(_) | PostbackAnswer::Duplicate(_));
    Ok(if recorded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn lines(answer: &PostbackAnswer, standing: Option<&Standing>) -> Vec<String> {
    match answer {
        PostbackAnswer::Accepted(receipt) | PostbackAnswer::Duplicate(receipt) => {
            vec![format!("transaction {}, receipt {}", receipt.transaction_id, receipt.receipt_id)]
        }
        PostbackAnswer::Conflict(conflict) => {
            let differences = conflict.differences.iter().map(|(name, difference)| (name, difference));
            let hint = "it is kept among `postbackctl conflicts`".to_owned();
            standing::differences(differences, standing).into_iter().chain([hint]).collect()
        }
        PostbackAnswer::Malformed(faults) => faults.iter().map(crate::operations::timeline::fault).collect(),
        PostbackAnswer::Forbidden(fault) => vec![crate::operations::timeline::fault(fault)],
        PostbackAnswer::Ignored | PostbackAnswer::Unauthorized | PostbackAnswer::Unavailable(_) => Vec::new(),
    }
}
