//! Compares a partner's own list of transactions with our records.

pub mod missing;

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use domain::{
    inbound::{
        correction::Revision,
        postback::Content,
        rules::PostbackRules,
        status::{State, StatusMeaning},
        transaction::History,
    },
    jiff::Timestamp,
    lookup::{Origin, Subject},
    partner::Partner,
    values::{
        ids::{Provider, TransactionId, TransactionKey},
        money::{Amount, Currency},
        parameter_names::Field,
    },
};
use futures_util::{TryStreamExt, future::try_join_all};
use serde::Serialize;

use self::missing::{Missing, Search};
use super::{
    counting::{Counted, counted},
    lookup_coverage::{Gap, LookupFault, check},
};
use crate::ports::{InboundRecords, Listings, Range, Unavailable};

/// Limits the transactions that are read at the same time.
const AT_ONCE: usize = 16;

/// A transaction in a partner's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The number of the line.
    pub line: u64,
    /// The cells that are not empty, without the transaction id.
    pub cells: BTreeMap<Field, String>,
}

/// Returns the transactions with an original that was recorded in the period from `from` to before `to`, and the gaps
/// in the lookups. Steps and corrections do not count, because they are not transactions of their own. Transactions of
/// the last few seconds may be missing.
pub async fn recorded(
    (listings, inbound): (&impl Listings, &impl InboundRecords),
    provider: &Provider,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<(BTreeSet<TransactionKey>, Vec<Gap>), LookupFault> {
    let gaps = check(listings, &[Origin::Postbacks], Some(from)).await?;
    let range = Range { from: Some(from), to: Some(to), wanted: 10_000, ..Range::default() };
    let mut places = pin!(listings.list(Subject::Postbacks(provider.clone()), range, now));
    let mut found = BTreeSet::new();
    while let Some(place) = places.try_next().await? {
        found.extend(inbound.original_of(place.key()));
    }
    Ok((found, gaps))
}

/// Compares a partner's list with our records, and calls `on_compared` with the number of transactions after each
/// chunk. `ours` holds the transactions of the period. A listed transaction that is not in `ours` may be recorded in
/// another period.
pub async fn compare(
    inbound: &impl InboundRecords,
    partner: &Partner,
    ours: &BTreeSet<TransactionKey>,
    list: &BTreeMap<TransactionId, Line>,
    on_compared: impl Fn(usize),
) -> Result<Comparison, Unavailable> {
    let listed: BTreeMap<TransactionKey, &TransactionId> =
        list.keys().map(|id| (TransactionKey::of(partner.provider(), id), id)).collect();
    let all: BTreeSet<&TransactionKey> = listed.keys().chain(ours).collect();
    let all: Vec<&TransactionKey> = all.into_iter().collect();
    let mut comparison = Comparison::default();
    for some in all.chunks(AT_ONCE) {
        let read = try_join_all(some.iter().map(|key| inbound.transaction(key))).await?;
        for (key, history) in some.iter().zip(read) {
            let current = history.as_ref().map(History::latest);
            let recorded = current.as_ref().map(|current| &current.postback().transaction_id);
            if let Some(id) = listed.get(*key).copied().or(recorded) {
                comparison.compare(id, list.get(id), current.as_ref(), partner.rules());
            }
            if let Some(current) = current.filter(|_| ours.contains(*key)) {
                comparison.count(&current.content().currency, &counted(inbound, &current).await?);
            }
        }
        on_compared(some.len());
    }
    comparison.sort();
    Ok(comparison)
}

/// Adds to each transaction that only the partner's list has why it is not recorded.
pub async fn explain(
    stored: (&impl Listings, &impl InboundRecords),
    search: &Search<'_>,
    comparison: &mut Comparison,
    now: Timestamp,
) -> Result<(), Unavailable> {
    let ids = comparison.only_theirs.iter().map(|theirs| theirs.transaction_id.clone());
    let mut reasons = missing::why(stored, search, ids, now).await?;
    for theirs in &mut comparison.only_theirs {
        theirs.missing = reasons.remove(&theirs.transaction_id);
    }
    Ok(())
}

/// The differences between a partner's list and our records.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The number of transactions that are the same on both sides.
    pub same: usize,
    /// The transactions that only the partner's list has.
    pub only_theirs: Vec<OnlyTheirs>,
    /// The transactions that only we have.
    pub only_ours: Vec<OnlyOurs>,
    /// The transactions that differ between the sides.
    pub differing: Vec<Differing>,
    /// The sums of our transactions of the period, by currency.
    pub totals: BTreeMap<Currency, Totals>,
}

/// The sums of the transactions of one currency, by their current state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// The transactions that the partner has not confirmed yet.
    pub pending: Sum,
    /// The transactions that the partner owes. Without agreed statuses, these are all transactions except the
    /// adjustments.
    pub approved: Sum,
    /// The transactions that the partner rejected by a status, and those with a negative amount that were rejected with
    /// the transaction from which they take. The latter add nothing to the amount, because the rejection takes
    /// everything.
    pub rejected: Sum,
    /// The other transactions with a negative amount, which is taken from transactions that the partner owes.
    pub adjusted: Sum,
}

/// An exact sum of amounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// The number of transactions.
    pub transactions: usize,
    /// The sum of the amounts.
    pub amount: Amount,
}

impl Default for Sum {
    fn default() -> Self {
        Self { transactions: 0, amount: Amount::sum([]) }
    }
}

impl Totals {
    /// Returns the amount that the partner owes: the approved transactions less the adjustments.
    pub fn owed(&self) -> Amount {
        Amount::sum([self.approved.amount, self.adjusted.amount])
    }
}

/// A transaction that only the partner's list has.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OnlyTheirs {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// The number of the transaction's line in the partner's list.
    pub line: u64,
    /// The reason why the transaction is not recorded, once it was looked for.
    #[serde(flatten)]
    pub missing: Option<Missing>,
}

/// A transaction that only we have.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OnlyOurs {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// The instant at which the current revision was recorded.
    #[serde(serialize_with = "domain::values::time::three_decimals::serialize")]
    pub recorded_at: Timestamp,
    /// The current state, if the partner agreed on statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The current content.
    #[serde(flatten)]
    pub content: Content,
}

/// A transaction that differs between the sides.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// The number of the transaction's line in the partner's list.
    pub line: u64,
    /// The fields that differ.
    pub differences: Vec<Differs>,
}

/// A field that differs between the sides.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// The field.
    pub field: Field,
    /// The value of the current revision.
    pub ours: String,
    /// The value in the partner's list.
    pub theirs: String,
    /// The meaning of the partner's word for a status, the remark that the word was not agreed, or the reason why an
    /// amount or a currency cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Comparison {
    /// Returns true if both sides are the same.
    pub fn is_clean(&self) -> bool {
        self.only_theirs.is_empty() && self.only_ours.is_empty() && self.differing.is_empty()
    }

    fn sort(&mut self) {
        self.only_theirs.sort_by(|one, other| one.transaction_id.cmp(&other.transaction_id));
        self.only_ours.sort_by(|one, other| one.transaction_id.cmp(&other.transaction_id));
        self.differing.sort_by(|one, other| one.transaction_id.cmp(&other.transaction_id));
    }

    /// Compares the partner's line for one transaction with the current revision of our record.
    pub fn compare(
        &mut self,
        id: &TransactionId,
        theirs: Option<&Line>,
        ours: Option<&Revision>,
        rules: &PostbackRules,
    ) {
        let transaction_id = id.clone();
        match (theirs, ours) {
            (Some(theirs), None) => {
                self.only_theirs.push(OnlyTheirs { transaction_id, line: theirs.line, missing: None });
            }
            (None, Some(ours)) => {
                let (recorded_at, content) = (ours.recorded_at(), ours.content().clone());
                let state = ours.postback().state;
                self.only_ours.push(OnlyOurs { transaction_id, recorded_at, state, content });
            }
            (Some(theirs), Some(ours)) => {
                let differences = differences(&theirs.cells, ours, rules);
                if differences.is_empty() {
                    self.same += 1;
                } else {
                    self.differing.push(Differing { transaction_id, line: theirs.line, differences });
                }
            }
            (None, None) => {}
        }
    }

    /// Adds a transaction of the period to the totals of its currency.
    fn count(&mut self, currency: &Currency, Counted { state, amount, .. }: &Counted) {
        let totals = self.totals.entry(currency.clone()).or_default();
        let sum = match state {
            State::Pending => &mut totals.pending,
            State::Approved if amount.is_negative() => &mut totals.adjusted,
            State::Approved => &mut totals.approved,
            State::Rejected => &mut totals.rejected,
        };
        sum.transactions += 1;
        sum.amount = Amount::sum([sum.amount, *amount]);
    }
}

/// Returns the cells that differ from the current revision. Amounts are compared as numbers, statuses by the meaning of
/// the partner's word, and everything else letter by letter.
fn differences(cells: &BTreeMap<Field, String>, ours: &Revision, rules: &PostbackRules) -> Vec<Differs> {
    let (state, content) = (ours.postback().state(), ours.content());
    let erased = ours.postback().is_erased();
    let said = |field: Field| match field {
        Field::UserId => content.user_id.to_string(),
        Field::ClickId => content.click_id.to_string(),
        Field::Currency => content.currency.to_string(),
        Field::AmountDecimal => content.amount_decimal.to_string(),
        Field::EventId => content.event_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        Field::EventName => content.event_name.as_ref().map(ToString::to_string).unwrap_or_default(),
        Field::Status => state.to_string(),
        Field::Reference => ours.postback().reference.as_ref().map(ToString::to_string).unwrap_or_default(),
        Field::TransactionId => String::new(),
    };
    let differs = |(field, theirs): (&Field, &String)| {
        let (ours_says, mut reason) = (said(*field), None);
        let same = match field {
            Field::AmountDecimal => {
                let parsed = Amount::parse_signed(theirs);
                reason = parsed.err().map(|fault| format!("it {fault}"));
                parsed == Ok(content.amount_decimal)
            }
            Field::Currency => {
                let parsed = Currency::parse(theirs, &rules.currencies);
                reason = parsed.as_ref().err().map(|fault| format!("it {fault}"));
                *theirs == ours_says
            }
            Field::Status => {
                reason = status_differs(theirs, state, rules);
                reason.is_none()
            }
            _ => *theirs == ours_says,
        };
        (!same).then(|| Differs { field: *field, ours: ours_says, theirs: theirs.clone(), reason })
    };
    // The other cells of an erased transaction name the person.
    let kept = |field: Field| matches!(field, Field::AmountDecimal | Field::Currency | Field::EventId | Field::Status);
    cells.iter().filter(|(field, _)| !erased || kept(**field)).filter_map(differs).collect()
}

/// Returns the reason if the partner's word does not mean the current state.
fn status_differs(word: &str, current: State, rules: &PostbackRules) -> Option<String> {
    let agreed = rules.status.as_ref()?;
    match agreed.meaning(word) {
        Some(StatusMeaning::State(state)) if state == current => None,
        Some(StatusMeaning::State(state)) => Some(format!("it means {state}")),
        Some(StatusMeaning::Ignored) => Some("it is agreed to be ignored".to_owned()),
        None => Some(format!("it is no agreed status; agreed are: {}", agreed.listed())),
    }
}

#[cfg(test)]
mod tests;
