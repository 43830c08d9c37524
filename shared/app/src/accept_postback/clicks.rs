//! Applies a partner's limits for click ids that GG3 issued: how long after a click a transaction may pay for it, and
//! how often.

use domain::{
    inbound::{
        click::ClickOrigin,
        conversion::{Receipt, RecordedPostback},
        fault::{Fault, FaultCode},
        postback::{Difference, Postback},
    },
    values::parameter_names::Field,
};

use super::{AcceptPostback, AuthenticatedCall, PostbackAnswer};
use crate::ports::{Ports, Postbacks, Recorded, Refusals, Unavailable};

/// Returns true if a new transaction uses up its click for its event. No other transaction can then use the click for
/// that event.
pub(super) fn uses_click(call: &AuthenticatedCall<'_>, postback: &Postback) -> bool {
    let is_agreed = call.partner.rules().click.once_per_event;
    is_agreed && postback.click == ClickOrigin::Verified && postback.may_pay()
}

impl<P: Ports, B: Postbacks, R: Refusals> AcceptPostback<P, B, R> {
    /// Records a postback whose click has expired. Refuses a new transaction that pays or may still pay. Handles a
    /// repeated call, a change of the state, a rejection and a reversal as always, so that none of them is lost. Only a
    /// call with an expired click costs a read of the transaction.
    pub(super) async fn record_expired(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: RecordedPostback,
    ) -> Result<PostbackAnswer, Unavailable> {
        let Postback { provider, transaction_id, .. } = &ours.postback;
        if !ours.postback.may_pay() || self.postbacks.find(provider, transaction_id).await?.is_some() {
            return self.record_original(call, ours).await;
        }
        let rules = call.partner.rules();
        let days = rules.click.valid_days.unwrap_or_default();
        let expected = format!("a click of the last {days} days, as agreed");
        let fix = "nothing, if the user clicked earlier; talk to us if such transactions should count";
        let fault = Fault::of(rules.names.of(Field::ClickId), FaultCode::ClickExpired, expected, fix);
        self.keep_refusal(call, vec![fault.clone()]).await;
        Ok(PostbackAnswer::Malformed(vec![fault]))
    }

    /// Returns the result that recording this postback would have, and records nothing.
    pub(super) async fn foretell(&self, postback: &Postback, uses_click: bool) -> Result<Recorded, Unavailable> {
        if let Some(original) = self.postbacks.find(&postback.provider, &postback.transaction_id).await? {
            return Ok(Recorded::Existing(Box::new(original)));
        }
        let used = if uses_click { self.postbacks.find_use(postback).await? } else { None };
        // An equal call may have used the click since the first read. A call does not conflict with itself.
        let used = used.filter(|first| first.transaction_id != postback.transaction_id);
        Ok(used.map_or(Recorded::Fresh, |first| Recorded::Used(Box::new(first))))
    }

    /// Answers a new transaction whose click another transaction used for the same event. The new transaction conflicts
    /// with the other one, whose receipt is `first`.
    pub(super) async fn settle_used(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: &RecordedPostback,
        first: Receipt,
    ) -> Result<PostbackAnswer, Unavailable> {
        let (original, sent) = (first.transaction_id.to_string(), ours.postback.transaction_id.to_string());
        let differences = vec![Difference { field: Field::TransactionId, original, sent }];
        self.settle_conflict(call, ours, differences, (first, None)).await
    }
}
