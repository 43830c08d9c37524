//! Reads a file of rates.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use app::operators::report::Rates;
use csv::{ReaderBuilder, Trim};
use domain::jiff::civil::Date;
use rust_decimal::Decimal;

const COLUMNS: [&str; 3] = ["day", "currency", "rate"];

/// Reads a CSV file of rates into this currency.
pub(super) fn read(path: &Path, into: &str) -> Result<Rates> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text, into).with_context(|| path.display().to_string())
}

pub(super) fn parse(text: &str, into: &str) -> Result<Rates> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers()?.clone();
    let places = COLUMNS.map(|name| header.iter().position(|column| column == name));
    let [Some(day), Some(currency), Some(rate)] = places else {
        bail!("the header must have the columns day, currency and rate");
    };
    let mut rates = Rates::new(into.to_owned());
    for (row, line) in reader.records().zip(2..) {
        let row = row.with_context(|| format!("line {line} cannot be read"))?;
        let cell = |place: usize| row.get(place).unwrap_or_default();
        let on: Date = cell(day).parse().map_err(|_| anyhow!("line {line}: write the day as 2026-11-23"))?;
        let per_unit = Decimal::from_str_exact(cell(rate)).ok().filter(|rate| *rate > Decimal::ZERO);
        let per_unit =
            per_unit.with_context(|| format!("line {line}: the rate must be a number above 0, such as 1.0837"))?;
        if !rates.add(on, cell(currency).to_ascii_uppercase(), per_unit) {
            bail!("line {line}: {} already has a rate on {on}; remove one of the lines", cell(currency));
        }
    }
    Ok(rates)
}
