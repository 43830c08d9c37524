//! Makes the queries of the reports. Only values of our own types enter a query: instants, days, numbers, names of
//! partners, and fixed words.

use std::fmt::Write as _;

use domain::{
    archive::Instant,
    jiff::{Timestamp, civil::Date},
    values::ids::Provider,
};

use super::period::{Calendar, utc_day};

pub(super) const CONVERSIONS: &str = include_str!("../../../../../infra/reports/conversions.sql");
pub(super) const REFUSALS: &str = include_str!("../../../../../infra/reports/refusals.sql");
pub(super) const WEBHOOKS: &str = include_str!("../../../../../infra/reports/webhooks.sql");
pub(super) const LANDINGS: &str = include_str!("../../../../../infra/reports/funnel-landings.sql");
pub(super) const CAMPAIGNS: &str = include_str!("../../../../../infra/reports/funnel-campaigns.sql");
pub(super) const DAYS: &str = include_str!("../../../../../infra/reports/days.sql");

/// A value as a query contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal(String);

impl Literal {
    /// Uses a column's name, a table's name or a quoted constant.
    pub(super) fn fixed(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn day(day: Date) -> Self {
        Self(day.to_string())
    }

    pub(super) fn instant(instant: Timestamp) -> Self {
        Self(Instant::from(instant).as_str().to_owned())
    }

    /// Makes the condition that a column names this partner, or any.
    pub(super) fn provider(provider: Option<&Provider>) -> Self {
        // The name of a partner is a slug, so it needs no escaping.
        Self(provider.map_or_else(|| "IS NOT NULL".to_owned(), |name| format!("= '{name}'")))
    }

    /// Makes rows of the day in UTC, the beginning, the end and the number of the part.
    pub(super) fn spans(calendar: &Calendar) -> Self {
        let mut rows = String::new();
        for span in &calendar.spans {
            let separator = if rows.is_empty() { "" } else { ",\n    " };
            let (day, part) = (utc_day(span.begins), span.part);
            let [begins, ends] = [span.begins, span.ends].map(|instant| Self::instant(instant).0);
            // Writing to a string cannot fail.
            let _ = write!(rows, "{separator}(DATE '{day}', TIMESTAMP '{begins}', TIMESTAMP '{ends}', {part})");
        }
        Self(rows)
    }
}

/// Replaces each `${name}` in a query by its value.
pub(super) fn render(query: &str, values: &[(&str, Literal)]) -> String {
    let mut rendered = query.to_owned();
    for (name, Literal(value)) in values {
        rendered = rendered.replace(&format!("${{{name}}}"), value);
    }
    rendered
}
