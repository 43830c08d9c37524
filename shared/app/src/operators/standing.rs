//! The correction of a transaction that stands, beside something else that was sent for it.
//!
//! A conflict says for ever where it differs from the original. An operator decides about it by what stands now.

use domain::{
    inbound::{
        correction::{Correction, Revision},
        postback::{Content, Difference},
    },
    jiff::Timestamp,
    values::{
        ids::{Provider, ReceiptId, TransactionId},
        parameter_names::Field,
    },
};
use serde::Serialize;

use crate::ports::{InboundRecords, Unavailable};

/// The correction that stands, and where something else that was sent differs from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Counts the transaction's corrections.
    pub correction: u32,
    /// The correction's receipt.
    pub receipt_id: ReceiptId,
    /// When an operator accepted it.
    pub corrected_at: Timestamp,
    /// The content that stands.
    pub content: Content,
    /// The parameters in which the other content differs.
    pub differences: Vec<FromStanding>,
}

/// A parameter in which what was sent differs from what stands. An absent value is an empty text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FromStanding {
    /// The parameter.
    pub field: Field,
    /// Its value in the correction.
    pub stands: String,
    /// Its value in what was sent.
    pub sent: String,
}

impl Standing {
    /// Compares sent content with what stands. Returns none where the original stands.
    pub(super) fn beside(sent: &Content, stands: Revision) -> Option<Self> {
        let Revision::Correction(Correction { postback, receipt, number, corrected_at, .. }) = stands else {
            return None;
        };
        let from_standing = |Difference { field, original, sent }| FromStanding { field, stands: original, sent };
        let differences = postback.content.differences(sent).into_iter().map(from_standing).collect();
        let (receipt_id, content) = (receipt.receipt_id, postback.content);
        Some(Self { correction: number, receipt_id, corrected_at, content, differences })
    }
}

/// Reads the correction that stands beside content that was sent for a transaction. Returns none where the original stands or
/// the transaction is not recorded.
pub async fn beside(
    inbound: &impl InboundRecords,
    (provider, transaction_id): (&Provider, &TransactionId),
    sent: &Content,
) -> Result<Option<Standing>, Unavailable> {
    let stands = Revision::latest(inbound.transaction(provider, transaction_id).await?);
    Ok(stands.and_then(|stands| Standing::beside(sent, stands)))
}
