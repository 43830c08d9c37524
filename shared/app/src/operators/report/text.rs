//! A report as text: its values, as CSV, and what to say if it is empty.

use domain::jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;

use super::{Cell, Period, Report};

/// Returns CSV with a header. A text that a spreadsheet would compute, because it begins like a formula, gets an
/// apostrophe before it.
pub fn csv(report: &Report) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&report.columns)?;
    for row in &report.rows {
        writer.write_record(row.iter().map(inert))?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    // Every cell was text.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn inert(cell: &Cell) -> String {
    let text = text(cell);
    let is_formula = matches!(cell, Cell::Text(_)) && text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text }
}

/// Returns the text of a value. Amounts have at least two digits after the point.
pub fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Decimal(decimal) => amount(*decimal),
        Cell::Absent => String::new(),
    }
}

/// Returns the text of an amount, with at least two digits after the point.
pub fn amount(mut decimal: Decimal) -> String {
    if decimal.scale() < 2 {
        // A sum of 28 digits without a point has no place for more digits.
        decimal.rescale(2);
    }
    decimal.to_string()
}

/// Says on which days rows arrived.
pub fn days(days: &[(Date, u64)]) -> String {
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
pub fn ends(Period { from, to, zone }: &Period) -> [Date; 2] {
    let last = Timestamp::from_nanosecond(to.as_nanosecond() - 1).unwrap_or(*to);
    [*from, last].map(|instant| instant.to_zoned_datetime(zone.clone()).date())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::report::chart;

    fn sample() -> Report {
        let row = |event: &str, count, amount: &str| {
            vec![Cell::Text(event.to_owned()), Cell::Count(count), Cell::Decimal(amount.parse().unwrap()), Cell::Absent]
        };
        Report {
            columns: vec!["event", "transactions", "amount", "p50_ms"],
            rows: vec![row("<a>&\u{1b}", 12, "1234.5"), row("b,c", 3, "-0.00000001")],
            days: Vec::new(),
        }
    }

    #[test]
    fn csv_quotes_what_needs_quotes() {
        let expected = "event,transactions,amount,p50_ms\n<a>&\u{1b},12,1234.50,\n\"b,c\",3,-0.00000001,\n";
        assert_eq!(csv(&sample()).unwrap(), expected);
    }

    #[test]
    fn no_text_of_a_partner_is_a_formula_of_a_spreadsheet() {
        for text in ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "plain"] {
            let row = vec![Cell::Text(text.to_owned()), Cell::Count(1)];
            let report = Report { columns: vec!["event", "count"], rows: vec![row], days: Vec::new() };
            let written = csv(&report).unwrap();
            assert_eq!(written.contains(&format!("'{text}")), text != "plain", "{written}");
        }
    }

    #[test]
    fn a_chart_has_a_bar_for_each_row() {
        let svg = chart::svg(&sample(), "conversions");
        assert_eq!(svg.matches("fill=\"#0b7285\"").count(), 2, "{svg}");
        for text in ["conversions: transactions", "&lt;a&gt;&amp;\\u{1b}<", "width=\"480\"", "width=\"120\"", ">12<"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }

    #[test]
    fn an_empty_report_says_which_days_have_rows() {
        let days = |days: &[&str]| -> String {
            super::days(&days.iter().map(|day| (day.parse().unwrap(), 1)).collect::<Vec<_>>())
        };
        assert!(days(&[]).contains("no rows"));
        let said = days(&["2026-11-01", "2026-11-02", "2026-11-04"]);
        assert_eq!(said, "Rows about it arrived on 2026-11-01 to 2026-11-02, 2026-11-04 (UTC).");
    }
}
