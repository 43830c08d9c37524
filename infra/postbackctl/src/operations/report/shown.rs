//! A report as a table.

use app::operators::report::{Cell, Report, text::text};

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
