//! `postbackctl reconcile`: a partner's own list of its transactions against what is recorded.

mod file;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
};

use adapters::dynamodb::{item::PostbackItem, lookups::Range, resolutions::DynamoResolutions};
use anyhow::{Context, Result, anyhow, bail};
use app::ports::{Partners as _, Resolutions};
use clap::Args;
use domain::{
    correction::Revision,
    ids::{Provider, TransactionId},
    jiff::Timestamp,
    lookup::Subject,
    money::Amount,
    postback::{Content, Field},
};
use futures_util::future::join_all;
use indicatif::ProgressBar;
use serde::Serialize;

use self::file::{List, Theirs};
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
            report.tell(arguments.json)?;
            Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(fault) => {
            complain(stack, fault).await;
            Ok(ExitCode::from(2))
        }
    }
}

async fn report(stack: &str, arguments: &Arguments) -> Result<Report> {
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
    let (resolutions, mut report) = (connection.resolutions(), Report::default());
    for some in all.chunks(AT_ONCE) {
        let found = join_all(some.iter().map(|id| standing(&resolutions, &provider, id))).await;
        for (id, standing) in some.iter().zip(found) {
            report.compare(id, theirs.get(*id), standing?.as_ref());
        }
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

/// What holds of a transaction: its latest correction, or the original.
async fn standing(
    resolutions: &DynamoResolutions,
    provider: &Provider,
    id: &TransactionId,
) -> Result<Option<Revision>> {
    Ok(resolutions.revisions(provider, id).await?.pop())
}

/// Where the two lists part.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Report {
    same: usize,
    only_theirs: Vec<OnlyTheirs>,
    only_ours: Vec<OnlyOurs>,
    differing: Vec<Differing>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct OnlyTheirs {
    transaction_id: TransactionId,
    line: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct OnlyOurs {
    transaction_id: TransactionId,
    recorded_at: Timestamp,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Differing {
    transaction_id: TransactionId,
    line: u64,
    differences: Vec<Differs>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Differs {
    field: Field,
    ours: String,
    theirs: String,
}

impl Report {
    fn is_clean(&self) -> bool {
        self.only_theirs.is_empty() && self.only_ours.is_empty() && self.differing.is_empty()
    }

    fn compare(&mut self, id: &TransactionId, theirs: Option<&Theirs>, ours: Option<&Revision>) {
        let transaction_id = id.clone();
        match (theirs, ours) {
            (Some(theirs), None) => self.only_theirs.push(OnlyTheirs { transaction_id, line: theirs.line }),
            (None, Some(ours)) => {
                let (recorded_at, content) = (ours.recorded_at(), ours.content().clone());
                self.only_ours.push(OnlyOurs { transaction_id, recorded_at, content });
            }
            (Some(theirs), Some(ours)) => {
                let differences = differences(&theirs.cells, ours.content());
                if differences.is_empty() {
                    self.same += 1;
                } else {
                    self.differing.push(Differing { transaction_id, line: theirs.line, differences });
                }
            }
            (None, None) => {}
        }
    }

    fn tell(&self, as_json: bool) -> Result<()> {
        if as_json {
            say!("{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        for OnlyTheirs { transaction_id, line } in &self.only_theirs {
            say!("only theirs  {}, line {line}", printable(transaction_id.as_str()))?;
        }
        for OnlyOurs { transaction_id, recorded_at, content: Content { amount_decimal, currency, .. } } in
            &self.only_ours
        {
            say!("only ours    {}, {amount_decimal} {currency}, {recorded_at:.3}", printable(transaction_id.as_str()))?;
        }
        for Differing { transaction_id, line, differences } in &self.differing {
            say!("differing    {}, line {line}", printable(transaction_id.as_str()))?;
            for Differs { field, ours, theirs } in differences {
                say!("             {field}: {} is ours, {} is theirs", printable(ours), printable(theirs))?;
            }
        }
        let Self { same, only_theirs, only_ours, differing } = self;
        let (theirs, ours, differing) = (only_theirs.len(), only_ours.len(), differing.len());
        say!("{same} the same, {theirs} only theirs, {ours} only ours, {differing} differing")?;
        Ok(())
    }
}

/// Where cells of theirs say something else than ours: amounts as numbers, everything else to the letter.
fn differences(cells: &BTreeMap<Field, String>, ours: &Content) -> Vec<Differs> {
    let said = |field: Field| match field {
        Field::UserId => ours.user_id.to_string(),
        Field::ClickId => ours.click_id.to_string(),
        Field::Currency => ours.currency.to_string(),
        Field::AmountDecimal => ours.amount_decimal.to_string(),
        Field::EventId => ours.event_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        Field::EventName => ours.event_name.as_ref().map(ToString::to_string).unwrap_or_default(),
        Field::TransactionId => String::new(),
    };
    let differs = |(field, theirs): (&Field, &String)| {
        let ours_says = said(*field);
        let same = match field {
            Field::AmountDecimal => Amount::parse(theirs).is_ok_and(|theirs| theirs == ours.amount_decimal),
            _ => *theirs == ours_says,
        };
        (!same).then(|| Differs { field: *field, ours: ours_says, theirs: theirs.clone() })
    };
    cells.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests;
