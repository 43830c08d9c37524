//! Sends a refused call again for an operator, by the present configuration.
//!
//! The call is handled by the same use case as a partner's call. Each change is stored together with an audit record.
//! The change is the recorded postback with the mark of the refusal, only the mark for a duplicate, or the conflict. A
//! call that is refused again changes nothing and leaves no audit record.

use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    inbound::{
        conversion::{Receipt, RecordedPostback},
        correction::Step,
        postback::Postback,
        refusal::{Conflict, ContentKey, KeptConflict, KeptRefusal, Refusal},
        transaction::{Adjustment, History},
    },
    jiff::Timestamp,
    values::ids::{Provider, ReceiptId, TransactionId},
};

use crate::{
    accept_postback::{AcceptPostback, HandledCall, PostbackAnswer, Resubmission},
    ports::{Added, Ports, Postbacks, Recorded, Refusals, Replaced, Resubmissions, Unavailable},
};

/// Sends a kept request again. If the request was not kept whole, returns `None` and does nothing.
pub async fn resubmit<P: Ports>(
    accept: AcceptPostback<P>,
    changes: &impl Resubmissions,
    kept: &Resubmission<'_>,
    (operation, now): (&Operation, Timestamp),
    receipt_id: ReceiptId,
) -> Option<HandledCall> {
    let refusal = ContentKey::of_refusal(kept.provider, &kept.request.text);
    let resubmitted = &Resubmitted { changes, kept, refusal: &refusal, operation, now };
    let AcceptPostback { partners, keys, postbacks, refusals, rates, strangers } = accept;
    let postbacks = Audited { inner: postbacks, resubmitted };
    let refusals = Audited { inner: refusals, resubmitted };
    let accept = AcceptPostback::<P, _, _> { partners, keys, postbacks, refusals, rates, strangers };
    let mut answered = accept.resubmit(kept, now, receipt_id).await?;
    if let (PostbackAnswer::Duplicate(receipt), false) = (&answered.answer, answered.dry_run)
        && let Err(unavailable) = resubmitted.mark(receipt).await
    {
        answered.answer = PostbackAnswer::Unavailable(unavailable);
    }
    Some(answered)
}

/// A refusal that is sent again.
struct Resubmitted<'a, C> {
    changes: &'a C,
    kept: &'a Resubmission<'a>,
    refusal: &'a ContentKey,
    operation: &'a Operation,
    now: Timestamp,
}

impl<C: Resubmissions> Resubmitted<'_, C> {
    /// Marks the refusal of a duplicate. If this fails, the next resubmission finds the duplicate again and marks it.
    async fn mark(&self, receipt: &Receipt) -> Result<(), Unavailable> {
        let audit = self.audit().with("receipt_id", &receipt.receipt_id);
        self.changes.mark(self.refusal, receipt, &audit).await
    }

    fn audit(&self) -> AuditRecord {
        let (provider, content_id) = (self.kept.provider.clone(), self.refusal.as_str().to_owned());
        self.operation.record(self.now, Action::ResubmitRefusal, Subject::Refusal { provider, content_id })
    }
}

/// A port that reads from `inner`, but stores each change together with its audit record.
struct Audited<'a, T, C> {
    inner: T,
    resubmitted: &'a Resubmitted<'a, C>,
}

impl<T: Postbacks, C: Resubmissions> Postbacks for Audited<'_, T, C> {
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        let Resubmitted { changes, refusal, .. } = self.resubmitted;
        let audit = self.resubmitted.audit().with("receipt_id", &postback.receipt.receipt_id);
        changes.record(postback, refusal, &audit).await
    }

    async fn record_once(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        let Resubmitted { changes, refusal, .. } = self.resubmitted;
        let audit = self.resubmitted.audit().with("receipt_id", &postback.receipt.receipt_id);
        changes.record_once(postback, refusal, &audit).await
    }

    async fn find_use(&self, postback: &Postback) -> Result<Option<Receipt>, Unavailable> {
        self.inner.find_use(postback).await
    }

    async fn find(&self, provider: &Provider, id: &TransactionId) -> Result<Option<RecordedPostback>, Unavailable> {
        self.inner.find(provider, id).await
    }

    async fn history(&self, provider: &Provider, id: &TransactionId) -> Result<Option<History>, Unavailable> {
        self.inner.history(provider, id).await
    }

    async fn add_step(&self, step: &Step) -> Result<Added, Unavailable> {
        let Resubmitted { changes, refusal, .. } = self.resubmitted;
        let audit = self.resubmitted.audit().with("receipt_id", &step.receipt.receipt_id);
        changes.add_step(step, refusal, &audit).await
    }

    async fn adjust(&self, reversed: &TransactionId, adjustment: &Adjustment) -> Result<Replaced, Unavailable> {
        let Resubmitted { changes, refusal, .. } = self.resubmitted;
        let audit = self.resubmitted.audit().with("receipt_id", &adjustment.by.receipt.receipt_id);
        changes.adjust(reversed, adjustment, refusal, &audit).await
    }
}

impl<T: Refusals, C: Resubmissions> Refusals for Audited<'_, T, C> {
    async fn keep_refusal(&self, refusal: &Refusal, most: u32) -> Result<KeptRefusal, Unavailable> {
        self.inner.keep_refusal(refusal, most).await
    }

    /// Keeps the conflict whatever the bound is, because an operator sent it.
    async fn keep_conflict(&self, conflict: &Conflict, _: u32) -> Result<KeptConflict, Unavailable> {
        let audit = self.resubmitted.audit().with("conflict", conflict.key().as_str());
        self.resubmitted.changes.keep_conflict(conflict, &audit).await
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        self.inner.find_correction(conflict).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use domain::{
        audit::{Author, Channel},
        inbound::{click::ClickKeys, refusal::KeptRequest},
        partner::{Partner, PartnerFile},
        values::signature::Secret,
    };

    use super::*;
    use crate::memory::{
        Trouble, World,
        partner::{get, known},
    };

    const ACME: &str = r#"{"provider":"acme"}"#;
    const REQUEST: &str = "user_id=u&click_id=c&transaction_id=t&currency=USD&amount_decimal=1";

    fn acme() -> Provider {
        Provider::new("acme").unwrap()
    }

    fn key_of(request: &str) -> String {
        ContentKey::of_refusal(&acme(), request).as_str().to_owned()
    }

    /// Returns a world in which acme sent this request and the request was refused.
    async fn refused(request: &str) -> World {
        let world = World::default();
        refuse(&world, request).await;
        world
    }

    async fn refuse(world: &World, request: &str) {
        let (user_id, click_id, source) = (None, None, [192, 0, 2, 1].into());
        let (faults, received_at) = (Vec::new(), Timestamp::UNIX_EPOCH);
        let key = ContentKey::of_refusal(&acme(), request);
        let request = KeptRequest { text: request.to_owned(), sent_bytes: None };
        let refusal = Refusal { key, provider: acme(), request, source, user_id, click_id, faults, received_at };
        world.keep_refusal(&refusal, 9).await.unwrap();
    }

    fn accept(file: &str, world: &World) -> AcceptPostback<World> {
        let file: PartnerFile = serde_json::from_str(file).unwrap();
        world
            .accept_postback([known(Partner::try_from(file).unwrap())], ClickKeys::new(vec![Secret::new("k")]).unwrap())
    }

    /// Sends a refused request again. `random` makes the ids of the operation and the receipt unique.
    async fn resubmit_in(world: &World, request: &str, random: u8) -> Option<PostbackAnswer> {
        resubmit_by(ACME, world, request, random).await
    }

    async fn resubmit_by(file: &str, world: &World, request: &str, random: u8) -> Option<PostbackAnswer> {
        let request = &KeptRequest { text: request.to_owned(), sent_bytes: None };
        let kept = Resubmission { provider: &acme(), request, source: [192, 0, 2, 1].into() };
        let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [random; 8]);
        let (by, receipt_id) = ((&operation, Timestamp::UNIX_EPOCH), ReceiptId::from_random([random; 16]));
        resubmit(accept(file, world), world, &kept, by, receipt_id).await.map(|answered| answered.answer)
    }

    #[tokio::test]
    async fn a_recorded_postback_a_mark_and_a_record_are_stored_at_once() {
        let world = refused(REQUEST).await;
        let Some(PostbackAnswer::Accepted(receipt)) = resubmit_in(&world, REQUEST, 1).await else {
            panic!("not accepted")
        };
        let state = world.state();
        assert_eq!((state.postbacks.len(), state.audit.len()), (1, 1));
        assert_eq!(state.audit[0].details["receipt_id"], receipt.receipt_id.to_string());
        assert_eq!(state.recorded_refusals.values().collect::<Vec<_>>(), [&receipt]);
    }

    #[tokio::test]
    async fn every_change_has_its_record_wherever_a_resubmission_fails() {
        for call in 1..4 {
            for trouble in [Trouble::Before, Trouble::After] {
                let world = refused(REQUEST).await;
                world.state().trouble = BTreeMap::from([(call, trouble)]);
                resubmit_in(&world, REQUEST, 1).await;
                let check = |state: &crate::memory::State| {
                    let counts = (state.postbacks.len(), state.recorded_refusals.len());
                    assert_eq!(counts, (state.audit.len(), state.audit.len()), "call {call}, {trouble:?}");
                };
                check(&world.state());
                // A repeated resubmission finds the postback recorded once.
                world.state().trouble.clear();
                let again = resubmit_in(&world, REQUEST, 2).await;
                assert!(matches!(again, Some(PostbackAnswer::Accepted(_) | PostbackAnswer::Duplicate(_))), "{again:?}");
                check(&world.state());
                assert_eq!(world.state().audit.len(), 1);
            }
        }
    }

    #[tokio::test]
    async fn a_duplicate_marks_its_refusal_once_with_one_record() {
        let world = refused(REQUEST).await;
        resubmit_in(&world, REQUEST, 1).await;
        let other = REQUEST.replace("amount_decimal=1", "amount_decimal=1.0");
        refuse(&world, &other).await;
        for random in [2, 3] {
            let Some(PostbackAnswer::Duplicate(_)) = resubmit_in(&world, &other, random).await else {
                panic!("no duplicate")
            };
            let state = world.state();
            assert_eq!((state.recorded_refusals.len(), state.audit.len(), state.postbacks.len()), (2, 2, 1));
        }
    }

    #[tokio::test]
    async fn a_refusal_resubmitted_after_a_mend_is_recorded_once() {
        let world = refused(REQUEST).await;
        let strict = r#"{"provider":"acme","postback":{"allow_from":["198.51.100.0/24"]}}"#;
        let refused_again = resubmit_by(strict, &world, REQUEST, 1).await;
        assert!(matches!(refused_again, Some(PostbackAnswer::Forbidden(_))), "{refused_again:?}");
        assert_eq!(world.state().recorded_refusals, HashMap::new());
        let Some(PostbackAnswer::Accepted(receipt)) = resubmit_in(&world, REQUEST, 2).await else {
            panic!("not accepted")
        };
        let marked = HashMap::from([(key_of(REQUEST), receipt.clone())]);
        assert_eq!(world.state().recorded_refusals, marked);
        let duplicate = PostbackAnswer::Duplicate(receipt);
        assert_eq!(resubmit_in(&world, REQUEST, 3).await.as_ref(), Some(&duplicate));
        assert_eq!(world.state().recorded_refusals, marked);
        let (call, receipt_id) = (get("acme", REQUEST), ReceiptId::from_random([4; 16]));
        assert_eq!(accept(ACME, &world).handle(&call, Timestamp::UNIX_EPOCH, receipt_id).await.answer, duplicate);
    }

    #[tokio::test]
    async fn a_refusal_whose_mark_failed_is_marked_at_the_next_try() {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = refused(REQUEST).await;
            let Some(PostbackAnswer::Accepted(receipt)) = resubmit_in(&world, REQUEST, 1).await else {
                panic!("not accepted")
            };
            let other = REQUEST.replace("amount_decimal=1", "amount_decimal=1.0");
            refuse(&world, &other).await;
            // The first three calls read the partner and the keys and find the postback. The next call marks.
            let call = world.state().calls.len() + 3;
            world.state().trouble = BTreeMap::from([(call, trouble)]);
            let failed = resubmit_in(&world, &other, 2).await;
            assert!(
                matches!(&failed, Some(PostbackAnswer::Unavailable(fault)) if fault.service == "mark resubmitted refusal"),
                "{failed:?}"
            );
            assert_eq!(resubmit_in(&world, &other, 3).await, Some(PostbackAnswer::Duplicate(receipt.clone())));
            let state = world.state();
            let marked = HashMap::from([(key_of(REQUEST), receipt.clone()), (key_of(&other), receipt)]);
            assert_eq!((&state.recorded_refusals, state.audit.len()), (&marked, 2), "{trouble:?}");
        }
    }

    #[tokio::test]
    async fn a_conflict_is_kept_with_its_record() {
        let world = refused(REQUEST).await;
        resubmit_in(&world, REQUEST, 1).await;
        let other = REQUEST.replace("amount_decimal=1", "amount_decimal=2");
        for (trouble, kept) in [(Some(Trouble::Before), 0), (None, 1)] {
            // The first three calls read the partner, the keys and the original. The next call keeps the conflict.
            let call = world.state().calls.len() + 3;
            world.state().trouble = trouble.map(|trouble| (call, trouble)).into_iter().collect();
            resubmit_in(&world, &other, 2).await;
            let state = world.state();
            assert_eq!((state.conflicts.len(), state.audit.len()), (kept, 1 + kept), "{:?}", state.calls);
        }
    }

    #[tokio::test]
    async fn a_step_and_an_adjustment_are_stored_with_their_records() {
        let file = r#"{"provider":"acme","postback":{"status":{"parameter":"state","rejected":["no"]},
            "negative_amounts":"reverse","reference":"ref"}}"#;
        let taken_back = REQUEST.replace("transaction_id=t", "transaction_id=r").replace("decimal=1", "decimal=-1");
        for request in [format!("{REQUEST}&state=no"), format!("{taken_back}&ref=t")] {
            let world = refused(REQUEST).await;
            resubmit_by(file, &world, REQUEST, 1).await;
            refuse(&world, &request).await;
            for random in [2, 3] {
                let answer = resubmit_by(file, &world, &request, random).await;
                assert!(
                    matches!(answer, Some(PostbackAnswer::Accepted(_) | PostbackAnswer::Duplicate(_))),
                    "{answer:?}"
                );
            }
            let state = world.state();
            assert_eq!(state.steps.values().flatten().count() + state.adjustments.values().flatten().count(), 1);
            assert_eq!((state.audit.len(), state.recorded_refusals.len()), (2, 2), "{request}");
        }
    }

    #[tokio::test]
    async fn a_call_that_is_refused_again_or_not_kept_leaves_no_record() {
        for request in ["user_id=\u{fffd}", "user_id=u"] {
            let world = refused(request).await;
            let sent = resubmit_in(&world, request, 1).await;
            assert!(matches!(sent, None | Some(PostbackAnswer::Malformed(_))), "{sent:?}");
            assert_eq!(world.state().audit, []);
        }
        // A refusal that expired in the meantime is not recorded either.
        let world = World::default();
        assert!(matches!(resubmit_in(&world, REQUEST, 1).await, Some(PostbackAnswer::Unavailable(_))));
        assert!(world.state().postbacks.is_empty() && world.state().audit.is_empty());
    }
}
