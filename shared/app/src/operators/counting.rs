//! Says how a transaction counts: in which state, and with which amount. Lists, sums and reports follow this one rule.

use domain::{
    inbound::{conversion::Reversed, correction::Revision, status::State},
    values::{ids::TransactionId, money::Amount},
};

use crate::ports::{InboundRecords, Unavailable};

/// How a transaction counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The state. A negative transaction is rejected with the transaction from which it takes.
    pub state: State,
    /// The amount. It is zero if the transaction was rejected with another one, because that rejection takes everything.
    pub amount: Amount,
    /// The rejected transaction from which this one takes.
    pub rejected_with: Option<TransactionId>,
}

/// Returns how the transaction with this current revision counts. Reads the transaction from which a negative one takes.
pub async fn counted(inbound: &impl InboundRecords, current: &Revision) -> Result<Counted, Unavailable> {
    let postback = current.postback();
    if let Some(reversed @ Reversed::Known { transaction_id, .. }) = current.reversed()
        && let Some(key) = reversed.key(postback)
        && let Some(history) = inbound.transaction(&key).await?
        && history.current().postback.state() == State::Rejected
    {
        let rejected_with = Some(transaction_id.clone());
        return Ok(Counted { state: State::Rejected, amount: Amount::sum([]), rejected_with });
    }
    Ok(Counted { state: postback.state(), amount: postback.content.amount_decimal, rejected_with: None })
}
