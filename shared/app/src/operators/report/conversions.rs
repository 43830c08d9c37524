//! Adds up transactions and their amounts.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Cell, Dimension, Fields, Part, Question, Report, ReportFault};
use crate::ports::Rows;

/// The columns of the query. Column 0 has the number of a part.
const COLUMNS: [Dimension; 4] = [Dimension::Partner, Dimension::Event, Dimension::Currency, Dimension::State];
const TRANSACTIONS: usize = 5;
const AMOUNT: usize = 6;

/// The transactions of a group, and the sum of each state.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    transactions: u64,
    pending: Decimal,
    approved: Decimal,
    rejected: Decimal,
}

impl Sums {
    fn total(&self) -> Option<Decimal> {
        self.pending.checked_add(self.approved)?.checked_add(self.rejected)
    }

    fn add(&mut self, state: &str, transactions: u64, amount: Decimal) -> Option<()> {
        let of_state = match state {
            "pending" => &mut self.pending,
            "approved" => &mut self.approved,
            _ => &mut self.rejected,
        };
        *of_state = of_state.checked_add(amount)?;
        self.transactions += transactions;
        Some(())
    }
}

/// Groups the rows by the asked dimensions, of which the currency is one. Without the state among them, there is a sum
/// for each state.
pub(super) fn report(question: &Question, parts: &[Part], rows: &Rows) -> Result<Report, ReportFault> {
    let by = &question.by;
    let mut groups: BTreeMap<Vec<Cell>, Sums> = BTreeMap::new();
    for row in rows {
        let fields = Fields(row);
        let (mut currency, state) = (fields.text(3)?.unwrap_or_default(), fields.text(4)?.unwrap_or_default());
        let mut amount: Decimal = fields.parsed(AMOUNT)?;
        if let Some(rates) = &question.rates {
            let part = parts.get(fields.parsed::<usize>(0)?);
            let day = part.ok_or_else(|| ReportFault::Unreadable("it names an unknown day".to_owned()))?.day;
            amount = rates.convert(day, currency, amount)?;
            currency = rates.into_currency();
        }
        let cell = |dimension: &Dimension| match dimension {
            Dimension::Currency => Ok(Cell::Text(currency.to_owned())),
            _ => fields.dimension(*dimension, column(*dimension)),
        };
        let key = by.iter().map(cell).collect::<Result<Vec<_>, _>>()?;
        let added = groups.entry(key).or_default().add(state, fields.parsed(TRANSACTIONS)?, amount);
        added.ok_or_else(|| ReportFault::TooLarge(currency.to_owned()))?;
    }
    let has_state = by.contains(&Dimension::State);
    let measures: &[&str] =
        if has_state { &["transactions", "amount"] } else { &["transactions", "pending", "earned", "rejected"] };
    let columns = by.iter().map(|dimension| dimension.as_str()).chain(measures.iter().copied()).collect();
    let rows = groups.into_iter().map(|(mut row, sums)| {
        row.push(Cell::Count(sums.transactions));
        if has_state {
            let total = sums.total().ok_or_else(|| ReportFault::TooLarge("one group".to_owned()))?;
            row.push(Cell::Decimal(total.normalize()));
        } else {
            let sums = [sums.pending, sums.approved, sums.rejected];
            row.extend(sums.map(|sum| Cell::Decimal(sum.normalize())));
        }
        Ok(row)
    });
    Ok(Report { columns, rows: rows.collect::<Result<_, ReportFault>>()?, days: Vec::new() })
}

fn column(dimension: Dimension) -> usize {
    COLUMNS.iter().position(|known| *known == dimension).map_or(0, |at| at + 1)
}
