//! Compares a partner's own list of its transactions with what is recorded.

use std::collections::BTreeMap;

use domain::{
    inbound::{correction::Revision, postback::Content},
    jiff::Timestamp,
    values::{
        ids::{Provider, TransactionId},
        money::Amount,
        parameter_names::Field,
    },
};
use futures_util::future::try_join_all;
use serde::Serialize;

use crate::ports::{InboundRecords, Unavailable};

/// What a partner's list says of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its line in the list.
    pub line: u64,
    /// The cells that are not empty, the transaction id aside.
    pub cells: BTreeMap<Field, String>,
}

/// Compares these transactions of a partner, which are read at the same time.
pub async fn compare(
    inbound: &impl InboundRecords,
    provider: &Provider,
    transactions: &[&TransactionId],
    list: &BTreeMap<TransactionId, Line>,
    comparison: &mut Comparison,
) -> Result<(), Unavailable> {
    let all = try_join_all(transactions.iter().map(|id| inbound.transaction(provider, id))).await?;
    for (id, revisions) in transactions.iter().zip(all) {
        // The latest correction stands, or the original.
        comparison.compare(id, list.get(*id), revisions.last());
    }
    Ok(())
}

/// Tells where a partner's list and ours differ.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// How many transactions both sides tell alike.
    pub same: usize,
    /// The transactions that only the partner's list has.
    pub only_theirs: Vec<OnlyTheirs>,
    /// The transactions that only we have.
    pub only_ours: Vec<OnlyOurs>,
    /// The transactions that both sides tell differently.
    pub differing: Vec<Differing>,
}

/// A transaction that only the partner's list has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OnlyTheirs {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// Its line in the list.
    pub line: u64,
}

/// A transaction that only we have.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OnlyOurs {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// When what stands was recorded.
    pub recorded_at: Timestamp,
    /// What stands.
    #[serde(flatten)]
    pub content: Content,
}

/// A transaction that both sides tell differently.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// Its line in the partner's list.
    pub line: u64,
    /// The fields that differ.
    pub differences: Vec<Differs>,
}

/// A field that both sides tell differently.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// The field.
    pub field: Field,
    /// What stands.
    pub ours: String,
    /// What the partner's list says.
    pub theirs: String,
}

impl Comparison {
    /// Returns whether both sides tell the same.
    pub fn is_clean(&self) -> bool {
        self.only_theirs.is_empty() && self.only_ours.is_empty() && self.differing.is_empty()
    }

    /// Compares one transaction: the partner's line of it, and what stands.
    pub fn compare(&mut self, id: &TransactionId, theirs: Option<&Line>, ours: Option<&Revision>) {
        let transaction_id = id.clone();
        match (theirs, ours) {
            (Some(theirs), None) => self.only_theirs.push(OnlyTheirs { transaction_id, line: theirs.line }),
            (None, Some(ours)) => {
                let (recorded_at, content) = (ours.recorded_at(), ours.content().clone());
                self.only_ours.push(OnlyOurs { transaction_id, recorded_at, content });
            }
            (Some(theirs), Some(ours)) => {
                let differences = differences(&theirs.cells, ours.content());
                if differences.is_empty() {
                    self.same += 1;
                } else {
                    self.differing.push(Differing { transaction_id, line: theirs.line, differences });
                }
            }
            (None, None) => {}
        }
    }
}

/// Returns the cells that differ from what stands. Amounts are compared as numbers, everything else to the letter.
fn differences(cells: &BTreeMap<Field, String>, ours: &Content) -> Vec<Differs> {
    let said = |field: Field| match field {
        Field::UserId => ours.user_id.to_string(),
        Field::ClickId => ours.click_id.to_string(),
        Field::Currency => ours.currency.to_string(),
        Field::AmountDecimal => ours.amount_decimal.to_string(),
        Field::EventId => ours.event_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        Field::EventName => ours.event_name.as_ref().map(ToString::to_string).unwrap_or_default(),
        Field::TransactionId | Field::Status | Field::Reference => String::new(),
    };
    let differs = |(field, theirs): (&Field, &String)| {
        let ours_says = said(*field);
        let same = match field {
            Field::AmountDecimal => Amount::parse(theirs).is_ok_and(|theirs| theirs == ours.amount_decimal),
            _ => *theirs == ours_says,
        };
        (!same).then(|| Differs { field: *field, ours: ours_says, theirs: theirs.clone() })
    };
    cells.iter().filter_map(differs).collect()
}
