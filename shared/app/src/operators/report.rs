//! Answers an operator's questions over long times from the archive: conversions, refusals, webhooks and funnels.
//!
//! Each report is a query in `infra/reports`, in the SQL that Trino and DuckDB share. The archive stores each row at
//! least once, and the queries take each once. What needs exact decimal arithmetic or a calendar is done here.

pub mod by_day;
pub mod chart;
pub mod columns;
mod conversions;
mod measures;
mod period;
mod rates;
mod sql;
pub mod text;

use domain::{
    archive::ArchiveTable,
    jiff::{Timestamp, civil::Date},
    values::ids::Provider,
};
use rust_decimal::Decimal;
use serde::Serialize;
use thiserror::Error;

pub use self::{period::Period, rates::Rates};
use self::{
    period::{Calendar, Part, Unit, first_day},
    sql::{Literal, render},
};
use crate::ports::{ArchiveFault, AskArchive, Rows};

/// A subject of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Transactions, by the instants at which their originals were received.
    Conversions,
    /// Refused and conflicting calls, by the instants at which they came.
    Refusals,
    /// Deliveries, by the instants at which their goals were reached.
    Webhooks,
    /// Uses of tracking links, and the conversions to which they led.
    Landings,
    /// Openings of partners' links at GG3, and the goals to which they led.
    Campaigns,
}

/// A column by which a report is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the name of a column")]
pub enum Dimension {
    Day,
    Hour,
    Partner,
    Event,
    Currency,
    State,
    Code,
    Campaign,
    Outcome,
    Landing,
}

impl Dimension {
    /// Lists all dimensions.
    pub const ALL: [Self; 10] = [
        Self::Day,
        Self::Hour,
        Self::Partner,
        Self::Event,
        Self::Currency,
        Self::State,
        Self::Code,
        Self::Campaign,
        Self::Outcome,
        Self::Landing,
    ];

    /// Returns the name of the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Partner => "partner",
            Self::Event => "event",
            Self::Currency => "currency",
            Self::State => "state",
            Self::Code => "code",
            Self::Campaign => "campaign",
            Self::Outcome => "outcome",
            Self::Landing => "landing",
        }
    }
}

impl Subject {
    /// Returns the dimensions by which a report on this subject can be divided.
    pub fn dimensions(self) -> &'static [Dimension] {
        use Dimension::{Campaign, Code, Currency, Day, Event, Hour, Landing, Outcome, Partner, State};
        match self {
            Self::Conversions => &[Day, Hour, Partner, Event, Currency, State],
            Self::Refusals => &[Day, Hour, Partner, Code],
            Self::Webhooks => &[Day, Hour, Partner, Campaign, Outcome],
            Self::Landings => &[Day, Hour, Partner, Landing],
            Self::Campaigns => &[Day, Hour, Partner, Campaign],
        }
    }

    /// Returns the dimensions of a report for which none are asked.
    pub fn usual(self) -> &'static [Dimension] {
        match self {
            Self::Conversions => &[Dimension::Day],
            Self::Refusals => &[Dimension::Partner, Dimension::Code],
            Self::Webhooks => &[Dimension::Partner, Dimension::Campaign, Dimension::Outcome],
            Self::Landings => &[Dimension::Partner, Dimension::Landing],
            Self::Campaigns => &[Dimension::Partner, Dimension::Campaign],
        }
    }

    fn query(self) -> &'static str {
        match self {
            Self::Conversions => sql::CONVERSIONS,
            Self::Refusals => sql::REFUSALS,
            Self::Webhooks => sql::WEBHOOKS,
            Self::Landings => sql::LANDINGS,
            Self::Campaigns => sql::CAMPAIGNS,
        }
    }

    /// Returns the table whose days tell when there is something to report.
    fn table(self) -> ArchiveTable {
        match self {
            Self::Conversions => ArchiveTable::Transactions,
            Self::Refusals => ArchiveTable::Refusals,
            Self::Webhooks => ArchiveTable::Deliveries,
            Self::Landings => ArchiveTable::Clicks,
            Self::Campaigns => ArchiveTable::Openings,
        }
    }
}

/// A question to the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The subject.
    pub subject: Subject,
    /// The dimensions, in the order of the report's columns.
    pub by: Vec<Dimension>,
    /// The period.
    pub period: Period,
    /// The only partner to report on. All partners are reported without it.
    pub partner: Option<Provider>,
    /// Leaves out revisions of transactions that were recorded after this instant.
    pub as_of: Option<Timestamp>,
    /// Converts the amounts into one currency.
    pub rates: Option<Rates>,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The names of the columns: first the dimensions, then the measures.
    pub columns: Vec<&'static str>,
    /// The rows, in the order of the dimensions.
    pub rows: Vec<Vec<Cell>>,
    /// Lists the days in UTC on which rows about the subject arrived, with their numbers. Filled only if the report is
    /// empty.
    pub days: Vec<(Date, u64)>,
}

/// A value in a report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// The value of a dimension.
    Text(String),
    /// A number of things, or of milliseconds.
    Count(u64),
    /// An exact amount of money, or a percentage.
    Decimal(Decimal),
    /// No value, such as the median of nothing.
    Absent,
}

/// The reason why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReportFault {
    /// The archive gave no answer.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// The subject has no such dimension.
    #[error("this report cannot be divided by {}; it can by {known}", .dimension.as_str())]
    UnknownDimension {
        /// The dimension.
        dimension: Dimension,
        /// The names of the dimensions that the subject has.
        known: String,
    },
    /// The period is longer than a query can divide.
    #[error("the period is too long for one query; ask for fewer days, or for days instead of hours")]
    PeriodTooLong,
    /// A rate is missing.
    #[error("there is no rate of {currency} on {day}; add a line with day, currency and rate to the file of rates")]
    NoRate {
        /// The currency to convert.
        currency: String,
        /// The day, in the report's time zone.
        day: Date,
    },
    /// An amount is too large to compute with exactly.
    #[error("the amounts of {0} are too large to be converted exactly; ask for shorter periods")]
    TooLarge(String),
    /// The archive's answer is not one to the query.
    #[error("the archive's answer cannot be read: {0}; update postbackctl to the version of the stack")]
    Unreadable(String),
}

/// Answers a question. `now` decides only how far back the days of an empty report are listed.
pub async fn report(archive: &impl AskArchive, question: &Question, now: Timestamp) -> Result<Report, ReportFault> {
    let mut report = divided(archive, question).await?;
    if report.rows.is_empty() {
        report.days = days(archive, question, now).await?;
    }
    Ok(report)
}

/// Answers a question by one query.
async fn divided(archive: &impl AskArchive, question: &Question) -> Result<Report, ReportFault> {
    let subject = question.subject;
    let question = &question.completed()?;
    let calendar = Calendar::new(&question.period, question.unit())?;
    let rows = archive.ask(&question.sql(&calendar)).await?;
    let mut report = match subject {
        Subject::Conversions => conversions::report(question, &calendar.parts, &rows)?,
        _ => measures::report(question, &rows)?,
    };
    report.rows.sort();
    for row in &mut report.rows {
        name_parts(row, question, &calendar.parts);
    }
    Ok(report)
}

impl Question {
    /// Adds the dimensions that the subject cannot do without. Amounts of different currencies are never added up, and
    /// a campaign's name means something only beside its partner's.
    fn completed(&self) -> Result<Self, ReportFault> {
        let known = self.subject.dimensions();
        if let Some(dimension) = self.by.iter().find(|dimension| !known.contains(dimension)) {
            let known: Vec<&str> = known.iter().map(|known| known.as_str()).collect();
            return Err(ReportFault::UnknownDimension { dimension: *dimension, known: known.join(", ") });
        }
        let needed: &[Dimension] = match self.subject {
            Subject::Conversions => &[Dimension::Currency],
            Subject::Campaigns => &[Dimension::Partner, Dimension::Campaign],
            _ => &[],
        };
        let mut by: Vec<Dimension> = Vec::new();
        for dimension in self.by.iter().chain(needed) {
            if !by.contains(dimension) {
                by.push(*dimension);
            }
        }
        Ok(Self { by, ..self.clone() })
    }

    /// Returns the unit of time in which the query must count. Converted amounts need the day of each rate.
    fn unit(&self) -> Option<Unit> {
        if self.by.contains(&Dimension::Hour) {
            return Some(Unit::Hour);
        }
        (self.by.contains(&Dimension::Day) || self.rates.is_some()).then_some(Unit::Day)
    }

    fn sql(&self, calendar: &Calendar) -> String {
        let column = |dimension, column| Literal::fixed(if self.by.contains(&dimension) { column } else { "''" });
        let has_codes = self.by.contains(&Dimension::Code);
        render(
            self.subject.query(),
            &[
                ("first_day", Literal::day(first_day(self.period.from))),
                ("provider", Literal::provider(self.partner.as_ref())),
                ("as_of", Literal::instant(self.as_of.unwrap_or(Timestamp::MAX))),
                ("from", Literal::instant(self.period.from)),
                ("to", Literal::instant(self.period.to)),
                ("spans", Literal::spans(calendar)),
                ("partner", column(Dimension::Partner, "provider")),
                ("event", column(Dimension::Event, "event_id")),
                ("code", column(Dimension::Code, "name")),
                ("codes", Literal::fixed(if has_codes { "codes" } else { "''" })),
                ("campaign", column(Dimension::Campaign, "campaign")),
                ("outcome", column(Dimension::Outcome, "status")),
                ("landing", column(Dimension::Landing, "landing")),
            ],
        )
    }
}

/// Replaces the numbers of days and hours, by which rows are sorted, by their names.
fn name_parts(row: &mut [Cell], question: &Question, parts: &[Part]) {
    for (cell, dimension) in row.iter_mut().zip(&question.by) {
        let Cell::Count(number) = cell else { continue };
        let part = usize::try_from(*number).ok().and_then(|number| parts.get(number));
        *cell = Cell::Text(part.map_or_else(String::new, |part| match dimension {
            Dimension::Day => part.day.to_string(),
            _ => part.name.clone(),
        }));
    }
}

/// Lists the days of the last 400 with rows about a question's subject and partner.
async fn days(archive: &impl AskArchive, question: &Question, now: Timestamp) -> Result<Vec<(Date, u64)>, ReportFault> {
    let earliest = (0..400).try_fold(first_day(now), |day, _| day.yesterday()).unwrap_or(Date::MIN);
    let sql = render(
        sql::DAYS,
        &[
            ("table", Literal::fixed(question.subject.table().as_str())),
            ("first_day", Literal::day(earliest)),
            ("provider", Literal::provider(question.partner.as_ref())),
        ],
    );
    let rows: Rows = archive.ask(&sql).await?;
    rows.iter().map(|row| Ok((Fields(row).parsed(0)?, Fields(row).parsed(1)?))).collect()
}

/// A row of an answer.
#[derive(Debug, Clone, Copy)]
struct Fields<'a>(&'a [Option<String>]);

impl Fields<'_> {
    /// Returns the text of a column, or `None` for NULL.
    fn text(&self, column: usize) -> Result<Option<&str>, ReportFault> {
        let cell = self.0.get(column).ok_or_else(|| ReportFault::Unreadable(format!("there is no column {column}")))?;
        Ok(cell.as_deref())
    }

    /// Parses a column that is never NULL.
    fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<T, ReportFault> {
        let text = self.text(column)?.unwrap_or_default();
        text.parse().map_err(|_| ReportFault::Unreadable(format!("column {column} says {text:?}")))
    }

    /// Returns the value of a dimension. Days and hours are numbers of parts for now.
    fn dimension(&self, dimension: Dimension, column: usize) -> Result<Cell, ReportFault> {
        Ok(match dimension {
            Dimension::Day | Dimension::Hour => Cell::Count(self.parsed(0)?),
            _ => Cell::Text(self.text(column)?.unwrap_or_default().to_owned()),
        })
    }
}

#[cfg(test)]
mod tests;
