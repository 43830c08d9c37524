//! Decides what is recorded when an operator accepts a conflict.
//!
//! A conflict of a recorded transaction becomes a [`Correction`]. Some conflicts are of a transaction that is not
//! recorded: a negative one that takes too much or has another currency, and one whose click another transaction has
//! used. Such a transaction is recorded now. No acceptance leaves less than zero of a transaction.

use jiff::Timestamp;

use crate::inbound::click::ClickKeys;
use crate::inbound::conversion::{Receipt, RecordedPostback, Reversed};
use crate::inbound::correction::{Correction, Revision};
use crate::inbound::postback::{Difference, Postback};
use crate::inbound::refusal::Conflict;
use crate::inbound::transaction::{Adjustment, History};
use crate::prelude::*;
use crate::values::ids::{ReceiptId, TransactionId};
use crate::values::parameter_names::Field;

/// Holds everything that is recorded when an operator accepts a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Holds the correction, or the original of a transaction that was not recorded before.
    pub revision: Revision,
    /// Holds the adjustments beside other transactions, each with the transaction from which it takes or to which it
    /// gives back an amount.
    pub adjustments: Vec<(TransactionId, Adjustment)>,
}

/// Says why a conflict cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unacceptable {
    /// The transaction that the conflict contradicts is not recorded.
    NoOriginal,
    /// The person was erased from the transaction, or from a transaction that it reverses.
    Erased,
    /// Less than zero would be left of this transaction, or its amounts would have two currencies.
    DoesNotFit(TransactionId, Vec<Difference>),
}

impl Acceptance {
    /// Returns the other transactions of which the records are needed: those that this conflict's transaction reverses
    /// or reversed. `own` holds the records of the transaction itself.
    pub fn reversed(conflict: &Conflict, own: Option<&History>) -> Vec<TransactionId> {
        let before = own.and_then(|own| match own.original().reversed.as_ref()? {
            Reversed::Known { transaction_id, .. } => Some(transaction_id.clone()),
            Reversed::Unknown => None,
        });
        let current = own.and_then(|own| own.current().postback.reference.clone());
        let mut named: Vec<_> = [conflict.reference.clone(), before, current].into_iter().flatten().collect();
        named.retain(|named| *named != conflict.transaction_id);
        named.sort();
        named.dedup();
        named
    }

    /// Decides what is recorded for this conflict. `own` holds the records of its transaction, and `others` those of
    /// the transactions in [`Self::reversed`] that are recorded. A new record gets the receipt `receipt_id`.
    ///
    /// A negative transaction that is not recorded yet and does not fit is recorded with [`Reversed::Unknown`], so that
    /// it takes nothing from the transaction that it names.
    pub fn of(
        conflict: &Conflict,
        (own, others): (Option<&History>, &[History]),
        keys: &ClickKeys,
        receipt_id: ReceiptId,
        now: Timestamp,
    ) -> Result<Self, Unacceptable> {
        if own.into_iter().chain(others).any(History::is_erased) {
            return Err(Unacceptable::Erased);
        }
        let by = recorded(conflict, keys, receipt_id);
        let is_negative = by.postback.content.amount_decimal.is_negative();
        let Some(own) = own else {
            // A new transaction conflicts with another one if both use the same click for the same event.
            let is_second_use = conflict.differences.iter().any(|it| it.field == Field::TransactionId);
            let is_new = is_negative || is_second_use;
            return if is_new { Ok(Self::of_new(by, others, now)) } else { Err(Unacceptable::NoOriginal) };
        };
        own.bears(&by.postback).map_err(|differences| does_not_fit(own, differences))?;
        let mut adjustments = Vec::new();
        let mut reversed = is_negative.then_some(Reversed::Unknown);
        for other in others {
            let id = &other.original().postback.transaction_id;
            let adjustment = if by.postback.reference.as_ref() == Some(id) {
                let adjustment = other.adjust(&by).map_err(|differences| does_not_fit(other, differences))?;
                reversed.clone_from(&adjustment.by.reversed);
                Some(adjustment)
            } else {
                other.release(&by.postback.transaction_id)
            };
            adjustments.extend(adjustment.map(|adjustment| (id.clone(), adjustment)));
        }
        let RecordedPostback { postback, receipt, .. } = by;
        let correction = Correction {
            postback,
            receipt,
            original_receipt_id: own.original().receipt.receipt_id.clone(),
            number: own.current().correction.saturating_add(1),
            corrected_at: now,
            place: own.next_place(),
            reversed,
        };
        Ok(Self { revision: Revision::Correction(correction), adjustments })
    }

    /// Records a transaction that is not recorded yet. Its receipt has the time of the acceptance, as for a
    /// refused call that is sent again.
    fn of_new(mut by: RecordedPostback, others: &[History], now: Timestamp) -> Self {
        by.receipt.received_at = now;
        let named =
            others.iter().find(|it| Some(&it.original().postback.transaction_id) == by.postback.reference.as_ref());
        if let Some((named, Ok(adjustment))) = named.map(|named| (named, named.adjust(&by))) {
            let id = named.original().postback.transaction_id.clone();
            return Self {
                revision: Revision::Original(adjustment.by.clone()),
                adjustments: Vec::from([(id, adjustment)]),
            };
        }
        by.reversed = by.postback.content.amount_decimal.is_negative().then_some(Reversed::Unknown);
        Self { revision: Revision::Original(by), adjustments: Vec::new() }
    }
}

fn does_not_fit(history: &History, differences: Vec<Difference>) -> Unacceptable {
    Unacceptable::DoesNotFit(history.original().postback.transaction_id.clone(), differences)
}

/// Returns what the partner sent, as a record with this receipt.
fn recorded(conflict: &Conflict, keys: &ClickKeys, receipt_id: ReceiptId) -> RecordedPostback {
    let Conflict { provider, transaction_id, content, state, reference, extra, received_at, .. } = conflict.clone();
    let click = keys.origin(&provider, &content.user_id, &content.click_id);
    let receipt = Receipt {
        transaction_id: transaction_id.clone(),
        receipt_id,
        received_at,
        ignored: Vec::new(),
        state,
        original_receipt_id: None,
    };
    let postback = Postback { provider, transaction_id, content, click, state, reference, extra, erased: None };
    RecordedPostback { postback, receipt, reversed: None }
}

#[cfg(test)]
mod tests;
