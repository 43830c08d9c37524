//! Settles a call for a transaction that is already recorded, as a duplicate, a step to a higher state, or a conflict.

use domain::inbound::{
    conversion::{Receipt, RecordedPostback},
    postback::Difference,
    refusal::{Conflict, KeptConflict},
    transaction::{Decision, History},
};

use super::{AcceptPostback, AuthenticatedCall, Contradiction, PostbackAnswer, bound_reached, report_unkept};
use crate::ports::{Added, Ports, Postbacks, Refusals, Unavailable};

/// Limits how often a call tries to take the next place in its transaction when other calls take the place first.
pub(super) const MAX_RACES: u32 = 10;

impl<P: Ports, B: Postbacks, R: Refusals> AcceptPostback<P, B, R> {
    /// Settles a call for the transaction with this original.
    ///
    /// Without agreed statuses, the call is settled without a read. With statuses, the first step after the original,
    /// which is the most common step, needs no read either: it is stored at place 1 on the assumption that no other
    /// revision exists. If that place is taken, or the call is no such step, the whole history is read. It is also read
    /// for an original without a state, because version 0.1.0 numbered corrections apart.
    pub(super) async fn settle_known(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: RecordedPostback,
        original: RecordedPostback,
    ) -> Result<PostbackAnswer, Unavailable> {
        let has_state = original.postback.state.is_some();
        let has_states = call.partner.rules().status.is_some() || has_state;
        let unread = History::of(original);
        let decision = unread.decide(&ours, call.partner.rules().status.as_ref());
        let is_first_step = has_state && matches!(decision, Decision::Step(_)) && !call.is_dry_run();
        // Another revision of an erased transaction may have the content of the call.
        let is_settled = (!has_states && decision != Decision::Erased) || is_first_step;
        if is_settled && let Some(answer) = self.carry_out(call, &ours, &unread, decision).await? {
            return Ok(answer);
        }
        self.settle_by_history(call, &ours).await
    }

    /// Decides by the whole history. Reads the history again if another call takes the place of the step first.
    async fn settle_by_history(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: &RecordedPostback,
    ) -> Result<PostbackAnswer, Unavailable> {
        let (provider, transaction_id) = (&ours.postback.provider, &ours.postback.transaction_id);
        for _ in 0..MAX_RACES {
            let Some(history) = self.postbacks.history(provider, transaction_id).await? else {
                return Err(Unavailable { service: "postbacks", reason: "the transaction has no original".into() });
            };
            let decision = history.decide(ours, call.partner.rules().status.as_ref());
            if let Some(answer) = self.carry_out(call, ours, &history, decision).await? {
                return Ok(answer);
            }
        }
        Err(raced())
    }

    /// Carries out a decision. Returns `None` if another call has taken the place of the step.
    async fn carry_out(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: &RecordedPostback,
        history: &History,
        decision: Decision,
    ) -> Result<Option<PostbackAnswer>, Unavailable> {
        match decision {
            Decision::Duplicate(receipt) => Ok(Some(duplicate(receipt, ours))),
            Decision::Erased => Ok(Some(erased(ours))),
            Decision::Conflict(differences) => {
                let current = (history.current().receipt.clone(), Some(history));
                self.settle_conflict(call, ours, differences, current).await.map(Some)
            }
            Decision::Step(step) if call.is_dry_run() => Ok(Some(PostbackAnswer::Accepted(step.receipt))),
            Decision::Step(step) => match self.postbacks.add_step(&step).await? {
                Added::Done => Ok(Some(PostbackAnswer::Accepted(step.receipt))),
                // The client repeated our own write after the first answer was lost. The stored step is ours.
                Added::Taken(receipt_id) if receipt_id == step.receipt.receipt_id => {
                    Ok(Some(PostbackAnswer::Accepted(step.receipt)))
                }
                Added::Taken(_) => Ok(None),
            },
        }
    }

    /// Keeps a conflict with the current revision. A conflict that an operator has accepted as a correction counts as a
    /// duplicate, unless the correction is part of this history, so that something else is current.
    pub(super) async fn settle_conflict(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: &RecordedPostback,
        differences: Vec<Difference>,
        (current, history): (Receipt, Option<&History>),
    ) -> Result<PostbackAnswer, Unavailable> {
        let postback = ours.postback.clone();
        let conflict = Conflict {
            provider: postback.provider,
            transaction_id: postback.transaction_id,
            content: postback.content,
            state: postback.state,
            reference: postback.reference,
            extra: postback.extra,
            differences,
            received_at: call.now,
        };
        let (accepted, is_kept) = if call.is_dry_run() {
            (self.refusals.find_correction(&conflict).await?, true)
        } else {
            match self.refusals.keep_conflict(&conflict, call.partner.rules().max_kept_per_day).await {
                Ok(KeptConflict::AcceptedAs(receipt)) => (Some(receipt), true),
                Ok(KeptConflict::Unresolved) => (None, true),
                Ok(KeptConflict::BoundReached) => {
                    report_unkept(call, &bound_reached());
                    (None, false)
                }
                Err(unavailable) => {
                    report_unkept(call, &unavailable);
                    (None, false)
                }
            }
        };
        let is_overruled = accepted.as_ref().zip(history).is_some_and(|(receipt, history)| history.has_later(receipt));
        if is_overruled && !call.is_dry_run() {
            let reason = "an operator accepted the same conflict before, and another correction since".to_owned();
            report_unkept(call, &Unavailable { service: "refusals", reason });
        }
        if let Some(receipt) = accepted.filter(|_| !is_overruled) {
            return Ok(duplicate(receipt, ours));
        }
        let names = &call.partner.rules().names;
        let under_its_name = |difference: Difference| (names.of(difference.field).to_owned(), difference);
        let differences = conflict.differences.into_iter().map(under_its_name).collect();
        let (transaction_id, sent) = (conflict.transaction_id, conflict.content);
        Ok(PostbackAnswer::Conflict(Box::new(Contradiction {
            transaction_id,
            original: current,
            differences,
            sent,
            is_kept: is_kept && !is_overruled,
        })))
    }
}

/// Answers a duplicate with the given receipt, but with the transaction id and the ignored parameters of this call. The
/// receipt of an erased transaction has no id.
fn duplicate(receipt: Receipt, ours: &RecordedPostback) -> PostbackAnswer {
    let Receipt { transaction_id, ignored, .. } = ours.receipt.clone();
    PostbackAnswer::Duplicate(Receipt { transaction_id, ignored, ..receipt })
}

/// Answers a call for a transaction whose person was erased.
pub(super) fn erased(ours: &RecordedPostback) -> PostbackAnswer {
    PostbackAnswer::Erased(ours.receipt.transaction_id.clone())
}

pub(super) fn raced() -> Unavailable {
    Unavailable { service: "postbacks", reason: format!("others took the next place {MAX_RACES} times in a row") }
}
