//! Decides the effect of a call on a transaction that is already recorded.
//!
//! A transaction rises through the states pending, approved and rejected. It is in the highest state that was reported,
//! in whatever order the calls came and however often they were repeated. A correction by an operator sets the state
//! anew. The original record never changes; each later revision is a record of its own.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use crate::erasure::ContentHash;
use crate::inbound::conversion::{Receipt, RecordedPostback, Reversed};
use crate::inbound::correction::{Revision, Step};
use crate::inbound::postback::{Content, Difference, Postback};
use crate::inbound::status::{State, StatusAgreement};
use crate::prelude::*;
use crate::values::ids::{TransactionId, TransactionKey};
use crate::values::money::Amount;
use crate::values::parameter_names::Field;

/// Records beside a transaction that a second, negative transaction takes an amount from the first. A later adjustment
/// by the same transaction replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Holds the negative transaction.
    pub by: RecordedPostback,
    /// Holds the place among the revisions and adjustments of the first transaction. The original has place 0.
    pub place: u32,
}

impl Adjustment {
    /// Returns the amount that is taken, which is zero or below.
    fn amount(&self) -> Amount {
        self.by.postback.content.amount_decimal
    }

    fn is_by(&self, transaction_id: &TransactionId) -> bool {
        self.by.postback.key() == TransactionKey::of(&self.by.postback.provider, transaction_id)
    }
}

/// Holds all records of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    original: RecordedPostback,
    /// Holds the steps and corrections in the order of their ranks.
    later: Vec<Revision>,
    /// Holds the latest adjustment by each transaction.
    adjustments: Vec<Adjustment>,
}

/// Describes the current revision of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current<'a> {
    /// Holds the postback of that revision.
    pub postback: &'a Postback,
    /// Holds the receipt of that revision.
    pub receipt: &'a Receipt,
    /// Counts the transaction's corrections so far.
    pub correction: u32,
}

/// Says how a call affects its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The call says nothing new. Holds the receipt of the current revision.
    Duplicate(Receipt),
    /// The call raises the transaction to a higher state.
    Step(Box<Step>),
    /// The call contradicts the current revision.
    Conflict(Vec<Difference>),
    /// The person was erased from the transaction, and the call says something new.
    Erased,
}

impl History {
    /// Makes the history of a transaction that has no record but the original.
    pub fn of(original: RecordedPostback) -> Self {
        Self { original, later: Vec::new(), adjustments: Vec::new() }
    }

    /// Makes the history of a transaction from its records. Returns `None` if the original is not among them. Of the
    /// adjustments by one transaction, only the latest is part of the history.
    pub fn new(revisions: impl IntoIterator<Item = Revision>, mut adjustments: Vec<Adjustment>) -> Option<Self> {
        let (mut original, mut later) = (None, Vec::new());
        for revision in revisions {
            match revision {
                Revision::Original(recorded) => original = Some(recorded),
                revision => later.push(revision),
            }
        }
        later.sort_by_key(Revision::rank);
        adjustments.sort_by_key(|it| core::cmp::Reverse(it.place));
        let mut by = BTreeSet::new();
        adjustments.retain(|it| by.insert(it.by.postback.key()));
        adjustments.reverse();
        Some(Self { original: original?, later, adjustments })
    }

    /// Returns the first postback of the transaction.
    pub fn original(&self) -> &RecordedPostback {
        &self.original
    }

    /// Returns the postback, the receipt and the number of corrections of the current revision.
    pub fn current(&self) -> Current<'_> {
        let RecordedPostback { postback, receipt, .. } = &self.original;
        self.later.last().map_or(Current { postback, receipt, correction: 0 }, |latest| Current {
            postback: latest.postback(),
            receipt: latest.receipt(),
            correction: latest.correction(),
        })
    }

    /// Returns true if a step or a correction has this receipt.
    pub fn has_later(&self, receipt: &Receipt) -> bool {
        self.later.iter().any(|revision| revision.receipt().receipt_id == receipt.receipt_id)
    }

    /// Returns the adjustments of the transaction in the order of their places.
    pub fn adjustments(&self) -> impl Iterator<Item = &Adjustment> {
        self.adjustments.iter()
    }

    /// Returns true if this transaction takes or took an amount from it.
    pub fn is_adjusted_by(&self, transaction_id: &TransactionId) -> bool {
        self.adjustments.iter().any(|it| it.is_by(transaction_id))
    }

    /// Returns the sum of the adjustments, which is zero or below.
    pub fn adjusted(&self) -> Amount {
        Amount::sum(self.adjustments().map(Adjustment::amount))
    }

    /// Returns a copy of the whole current revision.
    pub fn latest(&self) -> Revision {
        self.later.last().cloned().unwrap_or_else(|| Revision::Original(self.original.clone()))
    }

    /// Returns the original, then the steps and corrections in the order of their ranks, then the transactions that
    /// take an amount from this one.
    pub fn revisions(&self) -> impl Iterator<Item = Revision> {
        let adjusting = |adjustment: &Adjustment| {
            Revision::Original(RecordedPostback { reversed: Some(self.as_reversed()), ..adjustment.by.clone() })
        };
        let own = core::iter::once(Revision::Original(self.original.clone())).chain(self.later.iter().cloned());
        own.chain(self.adjustments().filter(|it| it.amount().is_negative()).map(adjusting))
    }

    /// Returns the place of the next revision or adjustment.
    pub fn next_place(&self) -> u32 {
        let places = self.later.iter().map(Revision::place).chain(self.adjustments.iter().map(|it| it.place));
        places.max().unwrap_or_default().saturating_add(1)
    }

    /// Returns the amount that would be left if this postback were current. It is the amount of the postback less the
    /// adjustments. A rejection takes all that is left, so that nothing is left of a rejected postback.
    pub(crate) fn left_with(&self, postback: &Postback) -> Amount {
        match postback.state() {
            State::Rejected => Amount::sum([]),
            _ => Amount::sum([postback.content.amount_decimal, self.adjusted()]),
        }
    }

    /// Checks that the adjustments still fit if this postback is current. Returns the differences if they have another
    /// currency or take more than its amount.
    pub(crate) fn bears(&self, postback: &Postback) -> Result<(), Vec<Difference>> {
        let (current, sent) = (&self.current().postback.content, &postback.content);
        let mut differences = Vec::new();
        if self.adjusted().is_negative() && current.currency != sent.currency {
            differences.push(difference(Field::Currency, &current.currency, &sent.currency));
        }
        if self.adjusted().is_negative() && self.left_with(postback).is_negative() {
            differences.push(difference(Field::AmountDecimal, &self.adjusted(), &sent.amount_decimal));
        }
        if differences.is_empty() { Ok(()) } else { Err(differences) }
    }

    /// Decides how a call affects this transaction. If the call is a step, the step gets the receipt of the call.
    pub fn decide(&self, call: &RecordedPostback, agreed: Option<&StatusAgreement>) -> Decision {
        let sent = &call.postback;
        let Current { postback: current, correction, receipt } = self.current();
        let (old, new) = (current.state(), sent.state());
        let later = self.later.iter().map(|it| (it.postback(), it.receipt(), it.correction()));
        let mut recorded = core::iter::once((&self.original.postback, &self.original.receipt, 0)).chain(later);
        let says_the_same =
            |recorded: &Postback, receipt: &Receipt| recorded.state() == new && is_same(recorded, receipt, sent);
        if let Some((_, _, of_correction)) = recorded.rfind(|(it, receipt, _)| says_the_same(it, receipt)) {
            // An operator has approved the transaction since this rejection. The call may repeat the old rejection or
            // make a new one. It is a conflict, because a new rejection must not be lost.
            let is_overruled = new == State::Rejected && old < new && of_correction < correction;
            if !is_overruled {
                return self.duplicate();
            }
            if self.is_erased() {
                return Decision::Erased;
            }
            return Decision::Conflict(Vec::from([difference(Field::Status, &old, &new)]));
        }
        if self.is_erased() {
            let is_late = new == State::Pending && is_same(current, receipt, sent);
            return if is_late { self.duplicate() } else { Decision::Erased };
        }
        let is_negative = |content: &Content| content.amount_decimal.is_negative();
        let keeps_its_sign = is_negative(&current.content) == is_negative(&sent.content);
        let may_change = keeps_its_sign && agreed.is_some_and(|agreed| agreed.amount_may_change(old, new));
        let mut differences = current.content.differences(&sent.content);
        differences.retain(|difference| !(may_change && difference.field == Field::AmountDecimal));
        differences.extend(reference_difference(current, sent));
        if !differences.is_empty() {
            return Decision::Conflict(differences);
        }
        if new > old {
            return self.step(call);
        }
        if new == State::Pending {
            return self.duplicate();
        }
        Decision::Conflict(Vec::from([difference(Field::Status, &old, &new)]))
    }

    /// Makes the adjustment that subtracts a negative transaction from this one, in place of an earlier adjustment by
    /// the same transaction. Returns the differences if the currency is another one or the amount is more than is left.
    pub fn adjust(&self, by: &RecordedPostback) -> Result<Adjustment, Vec<Difference>> {
        let (current, sent) = (self.current().postback, &by.postback.content);
        let mut differences = Vec::new();
        if current.content.currency != sent.currency {
            differences.push(difference(Field::Currency, &current.content.currency, &sent.currency));
        }
        let own = self.adjustments().find(|it| it.is_by(&by.postback.transaction_id));
        let given_back = own.filter(|_| current.state() != State::Rejected).map(|own| own.amount().absolute());
        let left = Amount::sum(given_back.into_iter().chain([self.left_with(current)]));
        if Amount::sum([left, sent.amount_decimal]).is_negative() {
            differences.push(difference(Field::AmountDecimal, &left, &sent.amount_decimal));
        }
        if !differences.is_empty() {
            return Err(differences);
        }
        Ok(Adjustment {
            by: RecordedPostback { reversed: Some(self.as_reversed()), ..by.clone() },
            place: self.next_place(),
        })
    }

    /// Makes the adjustment by which a transaction gives back what it took from this one. Returns `None` if the
    /// transaction takes nothing.
    pub(crate) fn release(&self, transaction_id: &TransactionId) -> Option<Adjustment> {
        let own = self.adjustments().find(|it| it.is_by(transaction_id) && it.amount().is_negative())?;
        let (mut by, place) = (own.by.clone(), self.next_place());
        by.postback.content.amount_decimal = Amount::sum([]);
        Some(Adjustment { by, place })
    }

    /// Returns true if the person was erased from a record of the transaction.
    pub fn is_erased(&self) -> bool {
        self.original.postback.is_erased() || self.later.iter().any(|revision| revision.postback().is_erased())
    }

    fn as_reversed(&self) -> Reversed {
        let RecordedPostback { postback, receipt, .. } = &self.original;
        Reversed::Known { transaction_id: postback.transaction_id.clone(), receipt_id: receipt.receipt_id.clone() }
    }

    fn duplicate(&self) -> Decision {
        Decision::Duplicate(self.current().receipt.clone())
    }

    /// Raises the transaction to the state of the call. Returns a conflict if the adjustments take more than the amount
    /// of the call. A rejection always fits, because it takes what the adjustments have left.
    fn step(&self, call: &RecordedPostback) -> Decision {
        if let Err(differences) = self.bears(&call.postback) {
            return Decision::Conflict(differences);
        }
        let original_receipt_id = Some(self.original.receipt.receipt_id.clone());
        Decision::Step(Box::new(Step {
            postback: call.postback.clone(),
            receipt: Receipt { original_receipt_id, ..call.receipt.clone() },
            correction: self.current().correction,
            place: self.next_place(),
        }))
    }
}

/// Returns true if a call has the content of a recorded postback, apart from the state. An erased postback has only a
/// hash of its content.
fn is_same(recorded: &Postback, receipt: &Receipt, sent: &Postback) -> bool {
    match &recorded.erased {
        Some(hash) => *hash == ContentHash::of(sent, &receipt.receipt_id),
        None => recorded.content == sent.content && recorded.reference == sent.reference,
    }
}

fn difference(field: Field, original: &impl ToString, sent: &impl ToString) -> Difference {
    Difference { field, original: original.to_string(), sent: sent.to_string() }
}

/// Returns a difference if the two postbacks do not name the same transaction to reverse.
fn reference_difference(recorded: &Postback, sent: &Postback) -> Option<Difference> {
    let text = |postback: &Postback| postback.reference.as_ref().map_or_else(String::new, ToString::to_string);
    (recorded.reference != sent.reference).then(|| difference(Field::Reference, &text(recorded), &text(sent)))
}

#[cfg(test)]
mod tests;
