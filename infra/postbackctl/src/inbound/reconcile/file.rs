//! A partner's list of transactions, as CSV.

mod rows;

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use app::operators::reconcile::Line;
use csv::StringRecord;
use domain::values::{
    ids::TransactionId,
    parameter_names::{Field, ParameterNames},
};

use self::rows::Rows;
use crate::output::counted;

/// The recognised separators of columns, the most common first.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// A partner's list, with the fields that are compared and the names of unknown columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) transactions: BTreeMap<TransactionId, Line>,
    pub(super) compared: Vec<Field>,
    pub(super) ignored: Vec<String>,
}

/// The name that `--column` gives to the column of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    field: Field,
    name: String,
}

/// Parses `transaction_id=Order ID`.
pub(super) fn column(text: &str) -> Result<Column, String> {
    let fields = || Field::ALL.into_iter().chain([Field::Status, Field::Reference]);
    let parsed = text.split_once('=').and_then(|(field, name)| {
        let field = fields().find(|known| known.as_str() == field.trim())?;
        let name = clean(name).to_owned();
        (!name.is_empty()).then_some(Column { field, name })
    });
    parsed.ok_or_else(|| {
        let known: Vec<&str> = fields().map(Field::as_str).collect();
        format!("write it as transaction_id=\"Order ID\"; before the = stands one of {}", known.join(", "))
    })
}

pub(super) fn read(path: &Path, agreed: &ParameterNames, named: &[Column]) -> Result<List> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&bytes, agreed, named).with_context(|| path.display().to_string())
}

/// Parses a list. Fails if a line has no valid transaction id, or if a transaction appears twice. A column may have the
/// name that `named` gives it, the partner's name or our name. Lines without any value are skipped.
pub(super) fn parse(bytes: &[u8], agreed: &ParameterNames, named: &[Column]) -> Result<List> {
    let text = rows::text(bytes)?;
    let Table { mut rows, header, columns } = Table::of(text, &Names { agreed, named })?;
    let unknown = header.iter().zip(&columns).filter(|(name, column)| column.is_none() && !name.is_empty());
    let ignored = unknown.map(|(name, _)| name.to_owned()).collect();
    let compared = columns.iter().flatten().copied().filter(|field| *field != Field::TransactionId).collect();
    let mut all = BTreeMap::new();
    while let Some((line, record)) = rows.next_row()? {
        let (cells, known) = (record.len(), columns.len());
        if cells < known || record.iter().skip(known).any(|cell| !cell.is_empty()) {
            let (cells, known) = (counted(cells, "cell"), counted(known, "cell"));
            bail!("line {line} has {cells}, but the header has {known}; a cell with a separator in it needs quotes");
        }
        let mut cells: BTreeMap<Field, String> = columns
            .iter()
            .zip(record)
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

/// The rows of a list after its header, and the field of each column.
struct Table<'a> {
    rows: Rows<'a>,
    header: StringRecord,
    columns: Vec<Option<Field>>,
}

impl<'a> Table<'a> {
    /// Reads the header with the first separator that gives a column for the transaction id. Fails if no separator
    /// does.
    fn of(text: &'a str, names: &Names) -> Result<Self> {
        let mut widest = None;
        for separator in SEPARATORS {
            let mut rows = Rows::new(text, separator);
            let Some((_, header)) = rows.next_row()? else { bail!("the list is empty") };
            let header = header.clone();
            let columns: Vec<Option<Field>> = header.iter().map(|name| names.field(name, &header)).collect();
            if columns.contains(&Some(Field::TransactionId)) {
                names.check(&columns, &header)?;
                return Ok(Self { rows, header, columns });
            }
            if widest.as_ref().is_none_or(|(_, widest): &(_, StringRecord)| header.len() > widest.len()) {
                widest = Some((separator, header));
            }
        }
        let (separator, header) = widest.unwrap_or((',', StringRecord::new()));
        names.check_named(&header)?;
        bail!(
            "the header has no transaction_id; separated by {separator:?} it has: {}; name the column, as in \
             --column transaction_id=\"Order ID\"",
            listed(&header)
        )
    }
}

/// The names that columns may have.
struct Names<'a> {
    agreed: &'a ParameterNames,
    named: &'a [Column],
}

impl Names<'_> {
    /// Returns the field of a column of this name, or `None` for an unknown column.
    fn field(&self, name: &str, header: &StringRecord) -> Option<Field> {
        if let Some(column) = self.named.iter().find(|column| column.name == name) {
            return Some(column.field);
        }
        let is_status = |name: &str| {
            // A list may call the status by an ordinary name, unless another column has the partner's name for the
            // status.
            let has_theirs = header.iter().any(|name| name == self.agreed.of(Field::Status));
            self.agreed.has(Field::Status) && !has_theirs && ["status", "state"].contains(&name)
        };
        let ours = Field::ALL.into_iter().find(|field| field.as_str() == name);
        // The partner's names are tried first, because the partner may use our name of a field for another field.
        let theirs = self.fields().find(|field| self.agreed.of(*field) == name);
        let found = theirs.or(ours).or_else(|| is_status(name).then_some(Field::Status));
        found.filter(|field| self.named.iter().all(|column| column.field != *field))
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        Field::ALL
            .into_iter()
            .chain([Field::Status, Field::Reference].into_iter().filter(|field| self.agreed.has(*field)))
    }

    /// Fails if a field has several columns, or if a name given by `--column` has no column.
    fn check(&self, columns: &[Option<Field>], header: &StringRecord) -> Result<()> {
        for field in self.fields() {
            let count = columns.iter().filter(|column| **column == Some(field)).count();
            if count > 1 {
                bail!("the header has {field} {count} times; it has: {}", listed(header));
            }
        }
        self.check_named(header)
    }

    fn check_named(&self, header: &StringRecord) -> Result<()> {
        for Column { field, name } in self.named {
            if !self.agreed.has(*field) {
                bail!("--column {field}: no {field} is agreed with this partner; leave the column out");
            }
            if !header.iter().any(|column| column == name) {
                bail!("the header has no column {name}, which --column names for {field}; it has: {}", listed(header));
            }
        }
        Ok(())
    }
}

fn listed(header: &StringRecord) -> String {
    header.iter().collect::<Vec<_>>().join(", ")
}

/// Returns the name of a column as it is compared.
fn clean(name: &str) -> &str {
    name.trim()
}
