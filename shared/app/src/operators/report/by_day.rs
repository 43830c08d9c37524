//! Divides the newest days by outcome: the calls of partners, the webhooks to them, and the amounts of currencies. The
//! numbers are those of the reports, so both agree.

use std::collections::BTreeMap;

use domain::{
    jiff::{ToSpan, civil::Date, tz::TimeZone},
    values::ids::Provider,
};
use futures_util::future::try_join;

use super::{Cell, Decimal, Dimension, Period, Question, Report, ReportFault, Subject, Timestamp, divided, text};
use crate::ports::AskArchive;

/// Names calls that were refused or conflicted, beside the states of accepted ones.
pub const REFUSED: &str = "refused";

/// The numbers of an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The name, such as `approved` or `delivered`.
    pub name: String,
    /// The number of each day.
    pub counts: Vec<u64>,
}

/// The numbers of each day by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByDay {
    /// The days, the oldest first. A day without numbers is listed too.
    pub days: Vec<Date>,
    /// The outcomes that occurred.
    pub outcomes: Vec<Outcome>,
}

/// The amounts of a currency by state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amounts {
    /// The sum of approved transactions.
    pub approved: Decimal,
    /// The sum of pending transactions.
    pub pending: Decimal,
    /// The sum of rejected transactions.
    pub rejected: Decimal,
}

/// The calls of partners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// Accepted transactions by their present state, and refused calls.
    pub by_day: ByDay,
    /// The amounts of all days by currency.
    pub amounts: BTreeMap<String, Amounts>,
}

/// Returns the period of the newest days in UTC. The last day is that of `now`.
pub fn newest_days(days: u8, now: Timestamp) -> Period {
    let today = TimeZone::UTC.to_datetime(now).date();
    let begin = |day: Date| TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(now);
    let first = today.saturating_sub(i64::from(days.saturating_sub(1)).days());
    Period { from: begin(first), to: begin(today.saturating_add(1.day())), zone: TimeZone::UTC }
}

/// Reports the calls of a period, of one partner or of all. Asks the archive two questions.
pub async fn calls(
    archive: &impl AskArchive,
    period: &Period,
    partner: Option<&Provider>,
) -> Result<Calls, ReportFault> {
    let accepted = question(Subject::Conversions, &[Dimension::Day, Dimension::State], period, partner);
    let refused = question(Subject::Refusals, &[Dimension::Day], period, partner);
    let (accepted, refused) = try_join(divided(archive, &accepted), divided(archive, &refused)).await?;
    let mut calls = Calls { by_day: ByDay::of(period), amounts: BTreeMap::new() };
    for row in Row::all(&accepted) {
        let (state, currency) = (row.text("state"), row.text("currency"));
        calls.by_day.add(row.text("day"), state, row.count("transactions"));
        let amounts = calls.amounts.entry(currency.to_owned()).or_default();
        let sum = match state {
            "approved" => &mut amounts.approved,
            "pending" => &mut amounts.pending,
            _ => &mut amounts.rejected,
        };
        let added = sum.checked_add(row.decimal("amount"));
        *sum = added.ok_or_else(|| ReportFault::TooLarge(currency.to_owned()))?;
    }
    for row in Row::all(&refused) {
        calls.by_day.add(row.text("day"), REFUSED, row.count("calls"));
    }
    calls.by_day.sort();
    Ok(calls)
}

/// Reports the webhooks whose goals were reached in a period, by their present status, of one partner or of all. Asks
/// the archive one question.
pub async fn webhooks(
    archive: &impl AskArchive,
    period: &Period,
    partner: Option<&Provider>,
) -> Result<ByDay, ReportFault> {
    let question = question(Subject::Webhooks, &[Dimension::Day, Dimension::Outcome], period, partner);
    let report = divided(archive, &question).await?;
    let mut by_day = ByDay::of(period);
    for row in Row::all(&report) {
        by_day.add(row.text("day"), row.text("outcome"), row.count("deliveries"));
    }
    by_day.sort();
    Ok(by_day)
}

fn question(subject: Subject, by: &[Dimension], period: &Period, partner: Option<&Provider>) -> Question {
    Question { subject, by: by.to_vec(), period: period.clone(), partner: partner.cloned(), as_of: None, rates: None }
}

impl ByDay {
    fn of(period: &Period) -> Self {
        let [first, last] = text::ends(period);
        let days = first.series(1.day()).take_while(|day| *day <= last);
        Self { days: days.collect(), outcomes: Vec::new() }
    }

    fn add(&mut self, day: &str, name: &str, count: u64) {
        let known = self.outcomes.iter().position(|outcome| outcome.name == name);
        let at = known.unwrap_or_else(|| {
            self.outcomes.push(Outcome { name: name.to_owned(), counts: vec![0; self.days.len()] });
            self.outcomes.len() - 1
        });
        let day = self.days.iter().position(|known| known.to_string() == day);
        let number = self.outcomes.get_mut(at).and_then(|outcome| outcome.counts.get_mut(day?));
        if let Some(number) = number {
            *number = number.saturating_add(count);
        }
    }

    /// Puts the outcomes in an order that does not depend on the days: the good ones first.
    fn sort(&mut self) {
        const ORDER: [&str; 9] =
            ["approved", "delivered", "pending", "retrying", "rejected", REFUSED, "exhausted", "gone", "unsendable"];
        let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        self.outcomes.sort_by(|one, other| (place(&one.name), &one.name).cmp(&(place(&other.name), &other.name)));
    }

    /// Returns the sum of all outcomes of each day.
    pub fn totals(&self) -> Vec<u64> {
        let of_day = |at: usize| self.outcomes.iter().filter_map(|outcome| outcome.counts.get(at)).sum();
        (0..self.days.len()).map(of_day).collect()
    }
}

/// A row of a report, whose cells are found by the names of their columns.
struct Row<'a> {
    columns: &'a [&'static str],
    cells: &'a [Cell],
}

impl<'a> Row<'a> {
    fn all(report: &'a Report) -> impl Iterator<Item = Self> {
        report.rows.iter().map(|cells| Self { columns: &report.columns, cells })
    }

    fn cell(&self, column: &str) -> Option<&'a Cell> {
        self.cells.get(self.columns.iter().position(|known| *known == column)?)
    }

    fn text(&self, column: &str) -> &'a str {
        if let Some(Cell::Text(text)) = self.cell(column) { text } else { "" }
    }

    fn count(&self, column: &str) -> u64 {
        if let Some(Cell::Count(count)) = self.cell(column) { *count } else { 0 }
    }

    fn decimal(&self, column: &str) -> Decimal {
        if let Some(Cell::Decimal(decimal)) = self.cell(column) { *decimal } else { Decimal::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{Canned, rows},
        *,
    };

    fn period() -> Period {
        newest_days(3, "2026-11-30T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn the_newest_days_end_with_today() {
        let Period { from, to, .. } = newest_days(14, "2026-11-30T23:59:59Z".parse().unwrap());
        assert_eq!([from, to].map(|at| at.to_string()), ["2026-11-17T00:00:00Z", "2026-12-01T00:00:00Z"]);
    }

    #[tokio::test]
    async fn calls_are_counted_by_day_and_state_in_all_currencies() {
        let accepted = ["0|||EUR|approved|2|10.5", "0|||USD|approved|1|3", "2|||USD|pending|4|0.5"];
        let archive = Canned::new([rows(&accepted), rows(&["2|||5|3"])]);
        let Calls { by_day, amounts } = calls(&archive, &period(), None).await.unwrap();
        assert_eq!(
            by_day.days.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2026-11-28", "2026-11-29", "2026-11-30"]
        );
        let counts: Vec<_> = by_day.outcomes.iter().map(|one| (one.name.as_str(), one.counts.clone())).collect();
        assert_eq!(counts, [("approved", vec![3, 0, 0]), ("pending", vec![0, 0, 4]), ("refused", vec![0, 0, 5])]);
        assert_eq!(by_day.totals(), [3, 0, 9]);
        let sums = |currency: &str| [amounts[currency].approved, amounts[currency].pending].map(|sum| sum.to_string());
        assert_eq!((sums("EUR"), sums("USD")), (["10.5", "0"].map(String::from), ["3", "0.5"].map(String::from)));
    }

    #[tokio::test]
    async fn webhooks_are_counted_by_day_and_status() {
        let found = ["1|||gone|1|1|null|null", "1|||delivered|7|9|5|8", "1|||of a newer version|1|1|null|null"];
        let archive = Canned::new([rows(&found)]);
        let by_day = webhooks(&archive, &period(), None).await.unwrap();
        let counts: Vec<_> = by_day.outcomes.iter().map(|one| (one.name.as_str(), one.counts.clone())).collect();
        let expected = [("delivered", vec![0, 7, 0]), ("gone", vec![0, 1, 0]), ("of a newer version", vec![0, 1, 0])];
        assert_eq!(counts, expected);
    }

    #[tokio::test]
    async fn days_without_rows_cost_no_further_question() {
        let archive = Canned::new([rows(&[])]);
        let by_day = webhooks(&archive, &period(), Provider::new("acme").ok().as_ref()).await.unwrap();
        assert_eq!((by_day.totals(), by_day.outcomes), (vec![0; 3], vec![]));
        assert!(archive.0.lock().unwrap().1[0].contains("'acme'"));
    }
}
