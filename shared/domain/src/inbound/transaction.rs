//! Decides what a call means for a transaction that is recorded already.
//!
//! A transaction rises through its states: pending, approved, rejected. The highest state that ever came stands, whatever
//! the order and repetition of the calls. The original is never changed; each later revision is recorded beside it.

use alloc::boxed::Box;

use crate::inbound::conversion::{Receipt, RecordedPostback, Reversed};
use crate::inbound::correction::{Revision, Step};
use crate::inbound::postback::{Difference, Postback};
use crate::inbound::status::{State, StatusAgreement};
use crate::prelude::*;
use crate::values::money::Amount;
use crate::values::parameter_names::Field;

/// Notes beside a transaction that another one took an amount from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Holds the other transaction, whose amount is below zero.
    pub by: RecordedPostback,
    /// Numbers the revisions of the transaction after the original, from 1.
    pub place: u32,
}

/// Holds everything that is recorded of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    original: RecordedPostback,
    /// Holds the steps and corrections in the order of their ranks.
    later: Vec<Revision>,
    adjustments: Vec<Adjustment>,
}

/// Shows the revision that stands of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// Holds the postback.
    pub postback: &'a Postback,
    /// Holds its receipt.
    pub receipt: &'a Receipt,
    /// Counts the transaction's corrections.
    pub correction: u32,
}

/// Says what a call means for its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It says nothing new. The receipt is that of the revision that stands.
    Duplicate(Receipt),
    /// It raises the transaction to a higher state.
    Step(Box<Step>),
    /// It contradicts what stands.
    Conflict(Vec<Difference>),
}

impl History {
    /// Makes the history of a transaction of which only the original is recorded.
    pub fn of(original: RecordedPostback) -> Self {
        Self { original, later: Vec::new(), adjustments: Vec::new() }
    }

    /// Puts together what is recorded of a transaction. Without an original it returns `None`.
    pub fn new(revisions: impl IntoIterator<Item = Revision>, adjustments: Vec<Adjustment>) -> Option<Self> {
        let (mut original, mut later) = (None, Vec::new());
        for revision in revisions {
            match revision {
                Revision::Original(recorded) => original = Some(recorded),
                revision => later.push(revision),
            }
        }
        later.sort_by_key(Revision::rank);
        Some(Self { original: original?, later, adjustments })
    }

    /// Returns the postback as it first came.
    pub fn original(&self) -> &RecordedPostback {
        &self.original
    }

    /// Returns the revision that stands.
    pub fn stands(&self) -> Standing<'_> {
        let RecordedPostback { postback, receipt, .. } = &self.original;
        self.later.last().map_or(Standing { postback, receipt, correction: 0 }, |latest| Standing {
            postback: latest.postback(),
            receipt: latest.receipt(),
            correction: latest.correction(),
        })
    }

    /// Returns the adjustments of the transaction.
    pub fn adjustments(&self) -> &[Adjustment] {
        &self.adjustments
    }

    /// Returns the revision that stands, whole.
    pub fn latest(&self) -> Revision {
        self.later.last().cloned().unwrap_or_else(|| Revision::Original(self.original.clone()))
    }

    /// Returns the original, the steps and corrections in the order of their ranks, and the transactions that took an
    /// amount from this one.
    pub fn revisions(&self) -> impl Iterator<Item = Revision> {
        let RecordedPostback { postback, receipt, .. } = &self.original;
        let adjusting = |adjustment: &Adjustment| {
            let (transaction_id, receipt_id) = (postback.transaction_id.clone(), receipt.receipt_id.clone());
            let reversed = Some(Reversed::Known { transaction_id, receipt_id });
            Revision::Original(RecordedPostback { reversed, ..adjustment.by.clone() })
        };
        let own = core::iter::once(Revision::Original(self.original.clone())).chain(self.later.iter().cloned());
        own.chain(self.adjustments.iter().map(adjusting))
    }

    /// Returns the number of the next revision.
    pub fn next_place(&self) -> u32 {
        let places = self.later.iter().map(Revision::place).chain(self.adjustments.iter().map(|it| it.place));
        places.max().unwrap_or_default().saturating_add(1)
    }

    /// Returns what is left of the transaction's amount once this revision stands: a rejected one counts as nothing, and
    /// every adjustment takes its amount.
    fn left_with(&self, postback: &Postback) -> Amount {
        let counts = (postback.state() != State::Rejected).then_some(postback.content.amount_decimal);
        Amount::sum(counts.into_iter().chain(self.taken()))
    }

    fn taken(&self) -> impl Iterator<Item = Amount> {
        self.adjustments.iter().map(|it| it.by.postback.content.amount_decimal)
    }

    /// Decides what a call for this transaction means. Its own receipt is the one that a step gets.
    pub fn decide(&self, call: &RecordedPostback, agreed: Option<&StatusAgreement>) -> Decision {
        let sent = &call.postback;
        let says_the_same = |recorded: &Postback| {
            recorded.state() == sent.state() && recorded.content == sent.content && recorded.reference == sent.reference
        };
        let Standing { postback: stands, correction, .. } = self.stands();
        let (old, new) = (stands.state(), sent.state());
        let later = self.later.iter().map(|revision| (revision.postback(), revision.correction()));
        let mut recorded = core::iter::once((&self.original.postback, 0)).chain(later);
        if let Some((_, of_correction)) = recorded.rfind(|(recorded, _)| says_the_same(recorded)) {
            // An operator has approved the transaction since this rejection. The call may repeat the old rejection or make
            // a new one, and a new one must not be lost.
            let is_overruled = new == State::Rejected && old < new && of_correction < correction;
            if !is_overruled {
                return self.duplicate();
            }
            return Decision::Conflict(Vec::from([difference(Field::Status, &old, &new)]));
        }
        let may_change = agreed.is_some_and(|agreed| agreed.amount_may_change(old, new));
        let mut differences = stands.content.differences(&sent.content);
        differences.retain(|difference| !(may_change && difference.field == Field::AmountDecimal));
        differences.extend(reference_difference(stands, sent));
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

    /// Makes the adjustment by which a negative transaction takes its amount from this one, or returns what forbids it:
    /// another currency, or more than is left.
    pub fn adjust(&self, by: &RecordedPostback) -> Result<Adjustment, Vec<Difference>> {
        let (stands, sent) = (self.stands().postback, &by.postback.content);
        let mut differences = Vec::new();
        if stands.content.currency != sent.currency {
            differences.push(difference(Field::Currency, &stands.content.currency, &sent.currency));
        }
        let left = self.left_with(stands);
        if Amount::sum([left, sent.amount_decimal]).is_negative() {
            differences.push(difference(Field::AmountDecimal, &left, &sent.amount_decimal));
        }
        if !differences.is_empty() {
            return Err(differences);
        }
        let RecordedPostback { postback, receipt, .. } = &self.original;
        let reversed =
            Reversed::Known { transaction_id: postback.transaction_id.clone(), receipt_id: receipt.receipt_id.clone() };
        Ok(Adjustment { by: RecordedPostback { reversed: Some(reversed), ..by.clone() }, place: self.next_place() })
    }

    fn duplicate(&self) -> Decision {
        Decision::Duplicate(self.stands().receipt.clone())
    }

    /// Raises the transaction to the state of the call, unless adjustments have taken more than would be left.
    fn step(&self, call: &RecordedPostback) -> Decision {
        let left = self.left_with(&call.postback);
        if left.is_negative() {
            let taken = Amount::sum(self.taken());
            let sent = call.postback.content.amount_decimal;
            let mut differences = Vec::from([difference(Field::AmountDecimal, &taken, &sent)]);
            if call.postback.state() == State::Rejected {
                differences.push(difference(Field::Status, &self.stands().postback.state(), &State::Rejected));
            }
            return Decision::Conflict(differences);
        }
        let original_receipt_id = Some(self.original.receipt.receipt_id.clone());
        Decision::Step(Box::new(Step {
            postback: call.postback.clone(),
            receipt: Receipt { original_receipt_id, ..call.receipt.clone() },
            correction: self.stands().correction,
            place: self.next_place(),
        }))
    }
}

fn difference(field: Field, original: &impl ToString, sent: &impl ToString) -> Difference {
    Difference { field, original: original.to_string(), sent: sent.to_string() }
}

/// Returns the difference between the transactions that two negative amounts reverse.
fn reference_difference(recorded: &Postback, sent: &Postback) -> Option<Difference> {
    let text = |postback: &Postback| postback.reference.as_ref().map_or_else(String::new, ToString::to_string);
    (recorded.reference != sent.reference).then(|| difference(Field::Reference, &text(recorded), &text(sent)))
}

#[cfg(test)]
mod tests;
