//! Records a transaction with a negative amount. It takes the amount back from the transaction that it names.

use domain::inbound::conversion::{RecordedPostback, Reversed};

use super::{
    AcceptPostback, AuthenticatedCall, PostbackAnswer,
    known_transaction::{MAX_RACES, erased, raced},
};
use crate::ports::{Ports, Postbacks, Refusals, Replaced, Unavailable};

impl<P: Ports, B: Postbacks, R: Refusals> AcceptPostback<P, B, R> {
    /// Records a negative transaction. If the named transaction is recorded, the adjustment beside it is stored in the
    /// same write, so that adjustments never take more than the transaction's amount.
    pub(super) async fn record_negative(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: RecordedPostback,
    ) -> Result<PostbackAnswer, Unavailable> {
        let postback = &ours.postback;
        let Some(named) = postback.reference.clone() else { return self.record_unknown(call, ours).await };
        for _ in 0..MAX_RACES {
            let Some(history) = self.postbacks.history(&postback.provider, &named).await? else {
                return self.record_unknown(call, ours).await;
            };
            if history.is_erased() {
                let own = self.postbacks.find(&postback.provider, &postback.transaction_id).await?;
                let Some(original) = own else { return Ok(erased(&ours)) };
                return self.settle_known(call, ours, original).await;
            }
            let adjustment = history.adjust(&ours);
            // A repeated call finds its own adjustment, so that it need not try to write.
            let is_new = !history.is_adjusted_by(&postback.transaction_id);
            let written = match &adjustment {
                Ok(adjustment) if is_new && !call.is_dry_run() => self.postbacks.adjust(&named, adjustment).await?,
                _ => Replaced::Changed,
            };
            if written == Replaced::Done {
                return Ok(PostbackAnswer::Accepted(ours.receipt));
            }
            if let Some(original) = self.postbacks.find(&postback.provider, &postback.transaction_id).await? {
                if original.receipt.receipt_id == ours.receipt.receipt_id {
                    return Ok(PostbackAnswer::Accepted(original.receipt));
                }
                return self.settle_known(call, ours, original).await;
            }
            match adjustment {
                Ok(_) if call.is_dry_run() => return Ok(PostbackAnswer::Accepted(ours.receipt)),
                // Another call has taken the place. Read the history again.
                Ok(_) => {}
                Err(differences) => {
                    let current = (history.current().receipt.clone(), Some(&history));
                    return self.settle_conflict(call, &ours, differences, current).await;
                }
            }
        }
        Err(raced())
    }

    /// Records a negative transaction that names no recorded transaction.
    async fn record_unknown(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: RecordedPostback,
    ) -> Result<PostbackAnswer, Unavailable> {
        let ours = RecordedPostback { reversed: Some(Reversed::Unknown), ..ours };
        self.record_original(call, ours).await
    }
}
