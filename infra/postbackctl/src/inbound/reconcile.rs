//! `postbackctl reconcile`: compares a partner's own list of its transactions with the recorded ones.

mod file;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use app::operators::{
    lookup_coverage::Gap,
    reconcile::{
        self, Comparison, Differing, Differs, OnlyOurs, OnlyTheirs, Sum, Totals,
        missing::{Missing, Search},
    },
};
use clap::Args;
use domain::{
    inbound::postback::Content,
    jiff::Timestamp,
    retention::Expiring,
    values::ids::{Provider, TransactionKey},
};
use serde_json::json;

use self::file::List;
use crate::{Connection, ask, connection::complain, coverage, output::say, pace, page, terminal::printable};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The partner.
    provider: String,
    /// The partner's list, a CSV file with a header, separated by commas, semicolons, tabs or bars. The column
    /// `transaction_id` is required. The columns `user_id`, `click_id`, `currency`, `amount_decimal`, `event_id` and
    /// `event_name` are compared if the file has them. Empty cells are skipped. A column may have our name of the
    /// parameter or the partner's. If statuses were agreed, the column `status` or `state` is compared too, and holds the
    /// partner's own words.
    file: PathBuf,
    /// Names a column of the list, as in `--column transaction_id="Order ID"`. May be repeated.
    #[arg(long, value_name = "PARAMETER=NAME", value_parser = file::column)]
    column: Vec<file::Column>,
    /// Begins the period of the list: an instant such as 2026-11-23T12:00:00Z, a day in UTC such as 2026-11-23, or how long
    /// ago, such as 7d or 12h.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant)]
    from: Timestamp,
    /// Ends the period of the list, just before this instant, written like --from, or now.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant)]
    to: Timestamp,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the comparison. The exit code is 0 if both sides agree, 1 if they differ, and 2 if they could not be compared.
pub(crate) async fn run(stack: &str, arguments: Arguments) -> Result<ExitCode> {
    match report(stack, &arguments).await {
        Ok((report, gaps)) => {
            show(&report, &gaps, arguments.json)?;
            Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(fault) => {
            complain(stack, fault).await;
            Ok(ExitCode::from(2))
        }
    }
}

async fn report(stack: &str, arguments: &Arguments) -> Result<(Comparison, Vec<Gap>)> {
    let provider = ask::provider(&arguments.provider)?;
    if arguments.from >= arguments.to {
        bail!("--from must be before --to");
    }
    let connection = Connection::open(stack).await?;
    let (_, partner) = connection.partner(&provider).await?;
    let list = file::read(&arguments.file, &partner.rules().names, &arguments.column)?;
    let List { transactions: theirs, compared, ignored } = list;
    if !ignored.is_empty() {
        eprintln!("unknown columns, which are not compared: {}", ignored.join(", "));
    }
    // A list may consist of ids alone. But if there are other columns and none of them is known, the list is probably
    // wrong.
    if compared.is_empty() && !ignored.is_empty() {
        bail!(
            "only the transaction ids of the list could be compared; its other columns are: {}; name them, as in --column \
             amount_decimal=\"Payout\"",
            ignored.join(", ")
        );
    }
    let (lookups, history, time) = (connection.lookups(), connection.history(), (arguments.from, arguments.to));
    let recorded = reconcile::recorded((&lookups, &history), &provider, time, ask::now()).await;
    let (ours, gaps) = recorded.map_err(coverage::unlisted)?;
    coverage::warn(&gaps);
    let bar =
        pace::bar(ours.len() + theirs.keys().filter(|id| !ours.contains(&TransactionKey::of(&provider, id))).count());
    let on_compared = |more| bar.inc(u64::try_from(more).unwrap_or_default());
    let compared = reconcile::compare(&history, &partner, &ours, &theirs, on_compared).await;
    bar.finish_and_clear();
    let mut compared = compared?;
    if !compared.only_theirs.is_empty() {
        let providers = page::providers(&connection, None).await?;
        let refusals = connection.retention(Expiring::Refusal).await?;
        let search = Search { partner: &partner, providers: &providers, period: time, refusals };
        reconcile::explain((&lookups, &history), &search, &mut compared, ask::now()).await?;
    }
    Ok((compared, gaps))
}

fn show(report: &Comparison, gaps: &[Gap], as_json: bool) -> Result<()> {
    if as_json {
        let mut report = serde_json::to_value(report)?;
        if let Some(report) = report.as_object_mut() {
            report.insert("gaps".to_owned(), json!(gaps));
        }
        say!("{report}")?;
        return Ok(());
    }
    for OnlyTheirs { transaction_id, line, missing } in &report.only_theirs {
        let why = missing.as_ref().map_or_else(String::new, |missing| format!(": {}", words(missing)));
        say!("only theirs  {}, line {line}{why}", printable(transaction_id.as_str()))?;
    }
    for OnlyOurs { transaction_id, recorded_at, state, content } in &report.only_ours {
        let Content { amount_decimal, currency, .. } = content;
        let state = state.map_or_else(String::new, |state| format!(", {state}"));
        let transaction = printable(transaction_id.as_str());
        say!("only ours    {transaction}, {amount_decimal} {currency}{state}, {recorded_at:.3}")?;
    }
    for Differing { transaction_id, line, differences } in &report.differing {
        say!("differing    {}, line {line}", printable(transaction_id.as_str()))?;
        for Differs { field, ours, theirs, reason } in differences {
            let reason = reason.as_ref().map_or_else(String::new, |reason| format!("; {}", printable(reason)));
            say!("             {field}: {} is ours, {} is theirs{reason}", printable(ours), printable(theirs))?;
        }
    }
    let Comparison { same, only_theirs, only_ours, differing, totals } = report;
    for (currency, totals) in totals {
        let Totals { pending, approved, rejected, adjusted } = totals;
        let sums = [("pending", pending), ("approved", approved), ("rejected", rejected), ("adjusted", adjusted)];
        let said = sums.map(|(name, Sum { transactions, amount })| format!("{amount} {name} ({transactions})"));
        say!("{currency}: {}; {} owed", said.join(", "), totals.owed())?;
    }
    let (theirs, ours, differing) = (only_theirs.len(), only_ours.len(), differing.len());
    say!("{same} the same, {theirs} only theirs, {ours} only ours, {differing} differing")?;
    Ok(())
}

/// Returns the reason in words why a transaction is not recorded.
fn words(missing: &Missing) -> String {
    match missing {
        Missing::Refused { codes, last_at, content_id } => {
            let codes: Vec<String> =
                codes.iter().map(|code| json!(code).as_str().unwrap_or_default().to_owned()).collect();
            format!("refused ({}), last at {last_at:.3}, content id {content_id}", codes.join(", "))
        }
        Missing::Ignored { last_at } => format!("ignored by its status, last at {last_at:.3}"),
        Missing::Conflict { last_at, content_id } => {
            format!("a conflict, last at {last_at:.3}, content id {content_id}")
        }
        Missing::OtherPartner { providers } => {
            let names: Vec<&str> = providers.iter().map(Provider::as_str).collect();
            format!("recorded under another partner: {}", names.join(", "))
        }
        Missing::NeverCame => "never came".to_owned(),
        Missing::NotFound { because } => format!("not found; {}", because.join("; ")),
    }
}

#[cfg(test)]
mod tests;
