//! `postbackctl reconcile`: a partner's own list of its transactions against what is recorded.

mod file;

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use adapters::dynamodb::{item::PostbackItem, lookups::Range};
use anyhow::{Context, Result, anyhow, bail};
use app::{
    operators::reconcile::{self, Comparison, Differing, Differs, OnlyOurs, OnlyTheirs},
    ports::Partners as _,
};
use clap::Args;
use domain::{
    inbound::postback::Content,
    jiff::Timestamp,
    lookup::Subject,
    values::ids::{Provider, TransactionId},
};
use indicatif::ProgressBar;

use self::file::List;
use crate::{Connection, ask, complain, output::say, terminal::printable};

/// How many transactions are read at the same time.
const AT_ONCE: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// Its list: CSV with a header. `transaction_id` must be there; what there is of `user_id`, `click_id`, `currency`,
    /// `amount_decimal`, `event_id`, `event_name` is compared, cell by cell where a cell is not empty.
    file: PathBuf,
    /// From when the list is: an instant, as in 2026-11-23T12:00:00Z, or how long ago, as in 7d or 12h.
    #[arg(long, value_parser = ask::instant)]
    from: Timestamp,
    /// Before when.
    #[arg(long, value_parser = ask::instant)]
    to: Timestamp,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

/// 0 where both say the same, 1 where they differ, 2 where they could not be compared.
pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    match report(stack, &arguments).await {
        Ok(report) => {
            tell(&report, arguments.json)?;
            Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(fault) => {
            complain(stack, fault).await;
            Ok(ExitCode::from(2))
        }
    }
}

async fn report(stack: &str, arguments: &Arguments) -> Result<Comparison> {
    let provider = ask::provider(&arguments.provider)?;
    if arguments.from >= arguments.to {
        bail!("--from must lie before --to");
    }
    let connection = Connection::open(stack).await?;
    let item = connection.configuration().partner(&provider).await?;
    let item = item.with_context(|| format!("there is no partner {provider}"))?;
    let partner = item.partner().map_err(|faults| anyhow!("what is stored of {provider}: {faults}"))?;
    let List { transactions: theirs, compared, ignored } = file::read(&arguments.file, &partner.rules().names)?;
    if !ignored.is_empty() {
        eprintln!("these columns mean nothing here and are not compared: {}", ignored.join(", "));
    }
    // A list of nothing but ids is compared by them; one whose columns are all unknown was meant to say more.
    if compared.is_empty() && !ignored.is_empty() {
        bail!(
            "besides the transactions' ids nothing in the list can be compared: name its columns as the postback's parameters"
        );
    }
    let ours = recorded(&connection, &provider, arguments).await?;
    let all: BTreeSet<&TransactionId> = theirs.keys().chain(&ours).collect();
    let all: Vec<&TransactionId> = all.into_iter().collect();
    let bar = ProgressBar::new(u64::try_from(all.len()).unwrap_or_default());
    let (history, mut report) = (connection.history(), Comparison::default());
    for some in all.chunks(AT_ONCE) {
        reconcile::compare(&history, &provider, some, &theirs, &mut report).await?;
        bar.inc(u64::try_from(some.len()).unwrap_or_default());
    }
    bar.finish_and_clear();
    Ok(report)
}

/// The transactions that were recorded in the time: the originals, since a correction is no transaction of its own.
async fn recorded(
    connection: &Connection,
    provider: &Provider,
    arguments: &Arguments,
) -> Result<BTreeSet<TransactionId>> {
    let range = Range { from: Some(arguments.from), to: Some(arguments.to), wanted: 10_000, ..Range::default() };
    let mut listing = connection.lookups().list(Subject::Postbacks(provider.clone()), range, ask::now());
    let mut found = BTreeSet::new();
    while let Some(place) = listing.next().await? {
        found.extend(PostbackItem::original_of_lookup_key(place.key()));
    }
    Ok(found)
}

fn tell(report: &Comparison, as_json: bool) -> Result<()> {
    if as_json {
        say!("{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    for OnlyTheirs { transaction_id, line } in &report.only_theirs {
        say!("only theirs  {}, line {line}", printable(transaction_id.as_str()))?;
    }
    for OnlyOurs { transaction_id, recorded_at, content: Content { amount_decimal, currency, .. } } in &report.only_ours
    {
        say!("only ours    {}, {amount_decimal} {currency}, {recorded_at:.3}", printable(transaction_id.as_str()))?;
    }
    for Differing { transaction_id, line, differences } in &report.differing {
        say!("differing    {}, line {line}", printable(transaction_id.as_str()))?;
        for Differs { field, ours, theirs } in differences {
            say!("             {field}: {} is ours, {} is theirs", printable(ours), printable(theirs))?;
        }
    }
    let Comparison { same, only_theirs, only_ours, differing } = report;
    let (theirs, ours, differing) = (only_theirs.len(), only_ours.len(), differing.len());
    say!("{same} the same, {theirs} only theirs, {ours} only ours, {differing} differing")?;
    Ok(())
}

#[cfg(test)]
mod tests;
