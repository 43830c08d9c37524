//! Decides the effect of a call on a transaction that is already recorded.
//!
//! A transaction rises through the states pending, approved and rejected. It is in the highest state that was reported,
//! in whatever order the calls came and however often they were repeated. A correction by an operator sets the state
//! anew. The original record never changes; each later revision is a record of its own.

use alloc::boxed::Box;

use crate::inbound::conversion::{Receipt, RecordedPostback, Reversed};
use crate::inbound::correction::{Revision, Step};
use crate::inbound::postback::{Difference, Postback};
use crate::inbound::status::{State, StatusAgreement};
use crate::prelude::*;
use crate::values::money::Amount;
use crate::values::parameter_names::Field;

/// Records beside a transaction that a second, negative transaction took an amount from the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Holds the negative transaction.
    pub by: RecordedPostback,
    /// Holds the place among the revisions and adjustments of the first transaction. The original has place 0.
    pub place: u32,
}

/// Says why a conflict cannot become a correction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncorrectable {
    /// The conflict or the transaction has a negative amount. The amount of a negative transaction is noted beside the
    /// transaction from which it was taken, and that note cannot change.
    #[error(
        "a transaction with a negative amount cannot be corrected, and a correction cannot make an amount negative; \
         keep the original, and ask the partner to report the difference as another transaction"
    )]
    Negative,
    /// Negative transactions took this sum, which is more than the conflict would leave, or in another currency.
    #[error(
        "negative transactions took {0} from this transaction, and the conflict would leave less than that in their \
         currency; keep the original, and ask the partner to report the rest as a negative transaction"
    )]
    TakenBack(Amount),
}

/// Holds all records of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    original: RecordedPostback,
    /// Holds the steps and corrections in the order of their ranks.
    later: Vec<Revision>,
    adjustments: Vec<Adjustment>,
}

/// Describes the current revision of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
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
}

impl History {
    /// Makes the history of a transaction that has no record but the original.
    pub fn of(original: RecordedPostback) -> Self {
        Self { original, later: Vec::new(), adjustments: Vec::new() }
    }

    /// Makes the history of a transaction from its records. Returns `None` if the original is not among them.
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

    /// Returns the first postback of the transaction.
    pub fn original(&self) -> &RecordedPostback {
        &self.original
    }

    /// Returns the postback, the receipt and the number of corrections of the current revision.
    pub fn stands(&self) -> Standing<'_> {
        let RecordedPostback { postback, receipt, .. } = &self.original;
        self.later.last().map_or(Standing { postback, receipt, correction: 0 }, |latest| Standing {
            postback: latest.postback(),
            receipt: latest.receipt(),
            correction: latest.correction(),
        })
    }

    /// Returns true if a step or a correction has this receipt.
    pub fn has_later(&self, receipt: &Receipt) -> bool {
        self.later.iter().any(|revision| revision.receipt().receipt_id == receipt.receipt_id)
    }

    /// Returns the adjustments of the transaction.
    pub fn adjustments(&self) -> &[Adjustment] {
        &self.adjustments
    }

    /// Returns a copy of the whole current revision.
    pub fn latest(&self) -> Revision {
        self.later.last().cloned().unwrap_or_else(|| Revision::Original(self.original.clone()))
    }

    /// Returns the original, then the steps and corrections in the order of their ranks, then the transactions that
    /// took an amount from this one.
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

    /// Returns the place of the next revision or adjustment.
    pub fn next_place(&self) -> u32 {
        let places = self.later.iter().map(Revision::place).chain(self.adjustments.iter().map(|it| it.place));
        places.max().unwrap_or_default().saturating_add(1)
    }

    /// Returns the amount that would be left if this postback were current. A rejected postback counts as zero, and
    /// every adjustment is subtracted.
    fn left_with(&self, postback: &Postback) -> Amount {
        let counts = (postback.state() != State::Rejected).then_some(postback.content.amount_decimal);
        Amount::sum(counts.into_iter().chain(self.taken()))
    }

    fn taken(&self) -> impl Iterator<Item = Amount> {
        self.adjustments.iter().map(|it| it.by.postback.content.amount_decimal)
    }

    /// Checks that a correction may make this postback current.
    ///
    /// # Errors
    ///
    /// Returns the reason if the correction would change a negative transaction, or leave less than nothing.
    pub(crate) fn check_correction(&self, corrected: &Postback) -> Result<(), Uncorrectable> {
        let is_negative = |postback: &Postback| postback.content.amount_decimal.is_negative();
        if is_negative(corrected) || is_negative(self.stands().postback) {
            return Err(Uncorrectable::Negative);
        }
        let currency = &corrected.content.currency;
        let is_in_another = |adjustment: &Adjustment| adjustment.by.postback.content.currency != *currency;
        if self.adjustments.iter().any(is_in_another) || self.left_with(corrected).is_negative() {
            return Err(Uncorrectable::TakenBack(Amount::sum(self.taken())));
        }
        Ok(())
    }

    /// Decides how a call affects this transaction. If the call is a step, the step gets the receipt of the call.
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
            // An operator has approved the transaction since this rejection. The call may repeat the old rejection or
            // make a new one. It is a conflict, because a new rejection must not be lost.
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

    /// Makes the adjustment that subtracts a negative transaction from this one. Returns the differences if the
    /// currency is another one or the amount is more than is left.
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

    /// Raises the transaction to the state of the call. Returns a conflict if the adjustments take more than the amount
    /// that the call leaves.
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

/// Returns a difference if the two postbacks do not name the same transaction to reverse.
fn reference_difference(recorded: &Postback, sent: &Postback) -> Option<Difference> {
    let text = |postback: &Postback| postback.reference.as_ref().map_or_else(String::new, ToString::to_string);
    (recorded.reference != sent.reference).then(|| difference(Field::Reference, &text(recorded), &text(sent)))
}

#[cfg(test)]
mod tests;
