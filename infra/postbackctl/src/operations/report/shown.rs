//! A report as a table and as CSV.

use app::operators::report::{Cell, Period, Report};
use domain::jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;

use crate::terminal::printable;

/// Returns a table with aligned columns. Numbers stand to the right.
pub(super) fn table(report: &Report) -> String {
    let cells: Vec<Vec<String>> =
        report.rows.iter().map(|row| row.iter().map(|cell| printable(&text(cell))).collect()).collect();
    let width = |column: usize, name: &str| {
        let widths = cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        widths.max().unwrap_or_default().max(name.len())
    };
    let columns: Vec<(usize, bool)> = report
        .columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            (width(at, name), matches!(report.rows.first().and_then(|row| row.get(at)), Some(Cell::Text(_))))
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells =
            cells.zip(&columns).map(
                |(cell, (width, is_text))| {
                    if *is_text { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            );
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    if report.rows.is_empty() {
        return String::new();
    }
    let header = line(&mut report.columns.iter().copied());
    let rows = cells.iter().map(|row| line(&mut row.iter().map(String::as_str)));
    std::iter::once(header).chain(rows).collect()
}

/// Returns CSV with a header.
pub(super) fn csv(report: &Report) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&report.columns)?;
    for row in &report.rows {
        writer.write_record(row.iter().map(text))?;
    }
    Ok(String::from_utf8(writer.into_inner().map_err(|fault| anyhow::anyhow!("{fault}"))?)?)
}

/// Returns the text of a value. Amounts have at least two digits after the point.
pub(super) fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Decimal(decimal) => amount(*decimal),
        Cell::Absent => String::new(),
    }
}

fn amount(mut decimal: Decimal) -> String {
    if decimal.scale() < 2 {
        // A sum of 28 digits without a point has no place for more digits.
        decimal.rescale(2);
    }
    decimal.to_string()
}

/// Says on which days rows arrived.
pub(super) fn days(days: &[(Date, u64)]) -> String {
    let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) else {
        return "The archive has no rows about it of the last 400 days. A row arrives some minutes after its change."
            .to_owned();
    };
    let mut runs: Vec<(Date, Date)> = Vec::new();
    for (day, _) in days {
        match runs.last_mut() {
            Some((_, end)) if end.tomorrow().is_ok_and(|next| next == *day) => *end = *day,
            _ => runs.push((*day, *day)),
        }
    }
    if runs.len() > 6 {
        return format!("Rows about it arrived on {} days from {first} to {last} (UTC).", days.len());
    }
    let runs = runs.iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from} to {to}") });
    format!("Rows about it arrived on {} (UTC).", runs.collect::<Vec<_>>().join(", "))
}

/// Returns the first and the last day of a period in its time zone.
pub(super) fn ends(Period { from, to, zone }: &Period) -> [Date; 2] {
    let last = Timestamp::from_nanosecond(to.as_nanosecond() - 1).unwrap_or(*to);
    [*from, last].map(|instant| instant.to_zoned_datetime(zone.clone()).date())
}
