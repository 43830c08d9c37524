//! A partner's list of transactions, as CSV.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use app::operators::reconcile::Line;
use csv::{Position, ReaderBuilder, StringRecord, Trim};
use domain::values::{
    ids::TransactionId,
    parameter_names::{Field, ParameterNames},
};

/// A partner's list, with the fields that are compared and the names of unknown columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) transactions: BTreeMap<TransactionId, Line>,
    pub(super) compared: Vec<Field>,
    pub(super) ignored: Vec<String>,
}

pub(super) fn read(path: &Path, names: &ParameterNames) -> Result<List> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(file, names).with_context(|| path.display().to_string())
}

/// Parses a list. Fails if a line has no valid transaction id, or if a transaction appears twice. A column may have our
/// name or the partner's name.
pub(super) fn parse(text: impl std::io::Read, names: &ParameterNames) -> Result<List> {
    // No id begins or ends with a space. Spaces around a cell therefore come from the spreadsheet.
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text);
    let header = reader.headers().context("the header cannot be read")?.clone();
    let columns = columns(&header, names)?;
    let unknown = header.iter().zip(&columns).filter(|(_, column)| column.is_none());
    let ignored = unknown.map(|(name, _)| clean(name).to_owned()).collect();
    let compared = columns.iter().flatten().copied().filter(|field| *field != Field::TransactionId).collect();
    let mut all = BTreeMap::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).context("a line cannot be read")? {
        let line = record.position().map_or(0, Position::line);
        let mut cells: BTreeMap<Field, String> = columns
            .iter()
            .zip(&record)
            .filter_map(|(field, cell)| Some(((*field)?, cell.to_owned())))
            .filter(|(_, cell)| !cell.is_empty())
            .collect();
        let id = cells.remove(&Field::TransactionId).unwrap_or_default();
        let id = TransactionId::new(id).map_err(|fault| anyhow!("line {line}: the transaction_id {fault}"))?;
        if let Some(Line { line: first, .. }) = all.get(&id) {
            bail!("line {line}: {id} is already on line {first}; remove one of the lines");
        }
        all.insert(id, Line { line, cells });
    }
    Ok(List { transactions: all, compared, ignored })
}

/// Returns the name of a column. Spreadsheets begin a file with a byte order mark.
fn clean(name: &str) -> &str {
    name.trim_start_matches('\u{feff}').trim()
}

/// Returns the field of each column. An unknown column has no field.
fn columns(header: &StringRecord, agreed: &ParameterNames) -> Result<Vec<Option<Field>>> {
    let further = [Field::Status, Field::Reference].into_iter().filter(|field| agreed.has(*field));
    let fields = || Field::ALL.into_iter().chain(further.clone());
    // A list may use an ordinary name for the status, unless another column has the partner's name for it.
    let has_theirs = header.iter().any(|name| clean(name) == agreed.of(Field::Status));
    let is_status = |name: &str| agreed.has(Field::Status) && !has_theirs && ["status", "state"].contains(&name);
    let named = |name: &str| {
        let name = clean(name);
        let ours = Field::ALL.into_iter().find(|field| field.as_str() == name);
        // The partner's names are tried first, because the partner may use our name of a field for another field.
        fields().find(|field| agreed.of(*field) == name).or(ours).or_else(|| is_status(name).then_some(Field::Status))
    };
    let columns: Vec<Option<Field>> = header.iter().map(named).collect();
    for field in fields() {
        let count = columns.iter().filter(|column| **column == Some(field)).count();
        if count > 1 {
            bail!("the header has {field} {count} times");
        }
        if count == 0 && field == Field::TransactionId {
            bail!("the header has no transaction_id; it has: {}", header.iter().collect::<Vec<_>>().join(", "));
        }
    }
    Ok(columns)
}
