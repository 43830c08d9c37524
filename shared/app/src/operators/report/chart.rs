//! A report as bars in SVG.

use std::fmt::Write as _;

use domain::values::printable::printable;
use rust_decimal::Decimal;

use super::{Cell, Report, text::text};

const ROW: usize = 22;
const LABELS: usize = 300;
const BARS: usize = 480;
const TOP: usize = 60;

/// Returns a bar for each row: its first number, behind the row's texts.
pub fn svg(report: &Report, title: &str) -> String {
    let first = report.rows.first().into_iter().flatten().position(|cell| !matches!(cell, Cell::Text(_)));
    let first = first.unwrap_or_default();
    let measure = report.columns.get(first).copied().unwrap_or_default();
    let numbers: Vec<Decimal> = report.rows.iter().map(|row| row.get(first).map_or(Decimal::ZERO, number)).collect();
    let most = numbers.iter().map(Decimal::abs).max().filter(|most| !most.is_zero()).unwrap_or(Decimal::ONE);
    let (width, height) = (LABELS + BARS + 120, TOP + ROW * report.rows.len() + 20);
    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\">{}: {measure}</text>",
        escaped(title)
    );
    for ((row, number), at) in report.rows.iter().zip(&numbers).zip(0..) {
        let label: Vec<String> = row.iter().take(first).map(text).collect();
        let (y, label) = (TOP + ROW * at, escaped(&label.join(", ")));
        let length = (number.abs() * Decimal::from(BARS)).checked_div(most).unwrap_or_default().round();
        let value = text(row.get(first).unwrap_or(&Cell::Absent));
        let end = Decimal::from(LABELS + 6) + length;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LABELS}\" y=\"{y}\" width=\"{length}\" height=\"{}\" fill=\"#0b7285\"/>\
             <text x=\"{end}\" y=\"{}\">{value}</text>",
            LABELS - 8,
            y + 13,
            ROW - 6,
            y + 13,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn number(cell: &Cell) -> Decimal {
    match cell {
        Cell::Count(count) => Decimal::from(*count),
        Cell::Decimal(decimal) => *decimal,
        Cell::Text(_) | Cell::Absent => Decimal::ZERO,
    }
}

/// Returns a text that cannot become markup. Control characters, which XML does not allow, and invisible ones are
/// escaped.
pub(super) fn escaped(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
