//! Compares a partner's own list of its transactions with what is recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use domain::{
    inbound::{correction::Revision, postback::Content},
    jiff::Timestamp,
    lookup::{Origin, Subject},
    values::{
        ids::{Provider, TransactionId},
        money::Amount,
        parameter_names::Field,
    },
};
use futures_util::{TryStreamExt, future::try_join_all};
use serde::Serialize;

use super::lookup_coverage::{Gap, LookupFault, check};
use crate::ports::{InboundRecords, Listings, Range, Unavailable};

/// Limits the transactions that are read at the same time.
const AT_ONCE: usize = 16;

/// A transaction in a partner's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The number of its line.
    pub line: u64,
    /// The cells that are not empty, the transaction id aside.
    pub cells: BTreeMap<Field, String>,
}

/// Reads the transactions that were recorded from `from` to before `to`: the originals, since a correction is no transaction
/// of its own. One of the last seconds may not be found yet. Also returns what is missing from the lookups.
pub async fn recorded(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    provider: &Provider,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<(BTreeSet<TransactionId>, Vec<Gap>), LookupFault> {
    let gaps = check(listings, &[Origin::Postbacks], Some(from)).await?;
    let range = Range { from: Some(from), to: Some(to), wanted: 10_000, ..Range::default() };
    let mut places = pin!(listings.list(Subject::Postbacks(provider.clone()), range, now));
    let mut found = BTreeSet::new();
    while let Some(place) = places.try_next().await? {
        found.extend(inbound.original_of(place.key()));
    }
    Ok((found, gaps))
}

/// Compares these transactions of a partner with its list, and calls `on_compared` with how many more are compared.
pub async fn compare(
    inbound: &impl InboundRecords,
    provider: &Provider,
    transactions: &[&TransactionId],
    list: &BTreeMap<TransactionId, Line>,
    on_compared: impl Fn(usize),
) -> Result<Comparison, Unavailable> {
    let mut comparison = Comparison::default();
    for some in transactions.chunks(AT_ONCE) {
        let all = try_join_all(some.iter().map(|id| inbound.transaction(provider, id))).await?;
        for (id, revisions) in some.iter().zip(all) {
            // The latest correction stands, or the original.
            comparison.compare(id, list.get(*id), Revision::latest(revisions).as_ref());
        }
        on_compared(some.len());
    }
    Ok(comparison)
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
    /// The number of its line in the partner's list.
    pub line: u64,
}

/// A transaction that only we have.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OnlyOurs {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// When what stands was recorded.
    pub recorded_at: Timestamp,
    /// The content that stands.
    #[serde(flatten)]
    pub content: Content,
}

/// A transaction that both sides tell differently.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// The number of its line in the partner's list.
    pub line: u64,
    /// The fields that differ.
    pub differences: Vec<Differs>,
}

/// A field that both sides tell differently.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// The field.
    pub field: Field,
    /// Its value in what stands.
    pub ours: String,
    /// Its value in the partner's list.
    pub theirs: String,
}

impl Comparison {
    /// Returns whether both sides tell the same.
    pub fn is_clean(&self) -> bool {
        self.only_theirs.is_empty() && self.only_ours.is_empty() && self.differing.is_empty()
    }

    /// Compares the partner's line for one transaction with our record that stands: the postback or its correction.
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

#[cfg(test)]
mod tests;
