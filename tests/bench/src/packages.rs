//! Compares the figures of this run with earlier figures, which were measured before the functions used the named
//! packages again.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Deserialize;

use crate::{
    results::{Results, Row},
    stats::number,
    targets::row,
};

/// Holds the earlier figures and their source.
#[derive(Debug, Deserialize)]
struct Before {
    source: String,
    date: String,
    processor: String,
    rows: Vec<Figures>,
}

/// Holds the figures of an invocation of one program at one job.
#[derive(Debug, Deserialize)]
struct Figures {
    program: String,
    job: String,
    instructions: Option<u64>,
    cpu_us: f64,
    init_us: f64,
    zip_bytes: usize,
    peak_kib: u64,
    logged_bytes: u64,
}

impl Figures {
    fn of(row: &Row) -> Self {
        Self {
            program: row.program.clone(),
            job: row.job.clone(),
            instructions: row.instructions,
            cpu_us: row.cpu_us.median,
            init_us: row.init_us.median,
            zip_bytes: row.zip_bytes,
            peak_kib: row.peak_kib,
            logged_bytes: row.logged_bytes / row.invocations.max(1),
        }
    }
}

/// Writes the section.
///
/// # Errors
///
/// Returns an error if the file with the earlier figures cannot be read.
pub fn section(page: &mut String, results: &Results) -> Result<()> {
    let before: Before = serde_json::from_str(include_str!("packages/before.json"))?;
    let machine = &results.machine;
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "{}\nBefore: {}, measured on {} on {}. After: this run, on {} on {} × {}.\n\n\
         | | instructions, k | zip, MB | peak, MiB | log, bytes | CPU, µs | init, ms |\n|---|---|---|---|---|---|---|\n",
        include_str!("packages/introduction.md"),
        before.source,
        before.date,
        before.processor,
        machine.date,
        machine.processors,
        machine.processor,
    );
    for old in &before.rows {
        let Some(new) = row(results, &old.program, &old.job).map(Figures::of) else { continue };
        let instructions = match (old.instructions, new.instructions) {
            (Some(old), Some(new)) => change(number(old) / 1e3, number(new) / 1e3, 0),
            _ => "–".to_owned(),
        };
        let megabytes = |bytes: usize| number(u64::try_from(bytes).unwrap_or(u64::MAX)) / 1e6;
        let _ = writeln!(
            page,
            "| {}: {} | {instructions} | {} | {} | {} → {} | {} | {} |",
            old.program,
            old.job,
            change(megabytes(old.zip_bytes), megabytes(new.zip_bytes), 2),
            change(number(old.peak_kib) / 1024.0, number(new.peak_kib) / 1024.0, 1),
            old.logged_bytes,
            new.logged_bytes,
            change(old.cpu_us, new.cpu_us, 0),
            change(old.init_us / 1e3, new.init_us / 1e3, 1),
        );
    }
    page.push_str(include_str!("packages/tricks.md"));
    Ok(())
}

/// Returns both values with this number of decimals, and their ratio.
fn change(before: f64, after: f64, digits: usize) -> String {
    format!("{before:.digits$} → {after:.digits$} (× {:.2})", after / before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Spread;

    #[test]
    fn each_earlier_figure_stands_beside_that_of_this_run() {
        let row = Row {
            program: "postback".to_owned(),
            job: "new".to_owned(),
            instructions: Some(650_000),
            cpu_us: Spread { median: 180.0, ..Spread::default() },
            invocations: 2,
            logged_bytes: 600,
            ..Row::default()
        };
        let mut page = String::new();
        section(&mut page, &Results { rows: vec![row], ..Results::default() }).unwrap();
        assert!(page.contains("| postback: new | 597 → 650 (× 1.09) |"), "{page}");
        assert!(page.contains("| 443 → 300 | 168 → 180 (× 1.07) |"), "{page}");
    }
}
