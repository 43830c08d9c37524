//! What a partner gets for an accepted postback, and what GG3 gets: the receipt and the conversion.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    click::ClickOrigin,
    ids::{ReceiptId, TransactionId},
    postback::{Content, Postback},
    prelude::*,
};

/// The version of the conversion's schema, `shared/domain/schemas/conversion.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// The proof that a postback is recorded. A duplicate gets the original's, unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The transaction, as sent or derived.
    pub transaction_id: TransactionId,
    /// What this receipt is called.
    pub receipt_id: ReceiptId,
    /// When the postback was received, to the millisecond.
    pub received_at: Timestamp,
    /// The names of parameters that were sent and mean nothing to us.
    pub ignored: Vec<String>,
}

/// A postback as it is recorded: what was said, and the receipt for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPostback {
    /// What was said.
    pub postback: Postback,
    /// The receipt given.
    pub receipt: Receipt,
}

/// Which message a conversion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversionType {
    /// A postback was accepted.
    #[serde(rename = "conversion.accepted")]
    Accepted,
    /// An accepted postback was corrected: this holds in its place.
    #[serde(rename = "conversion.corrected")]
    Corrected,
}

/// An accepted postback as GG3's quest engine receives it, at least once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Which message this is.
    #[serde(rename = "type")]
    pub kind: ConversionType,
    /// The partner.
    pub provider: crate::ids::Provider,
    /// The partner's identifier of what happened; with `provider` the key to dedupe by.
    pub transaction_id: TransactionId,
    /// The receipt that the partner holds.
    pub receipt_id: ReceiptId,
    /// When the postback was received.
    pub received_at: Timestamp,
    /// Whether the click id is one of ours for this user.
    pub click: ClickOrigin,
    /// `user_id`, `click_id`, currency, `amount_decimal`, `event_id`, `event_name`.
    #[serde(flatten)]
    pub content: Content,
    /// Of a correction: the receipt of the postback that it corrects, as it first came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_receipt_id: Option<ReceiptId>,
    /// Of a correction: which of the transaction's corrections it is. The highest stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<u32>,
    /// Of a correction: when an operator accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_at: Option<Timestamp>,
}

impl From<RecordedPostback> for Conversion {
    fn from(recorded: RecordedPostback) -> Self {
        let RecordedPostback { postback, receipt } = recorded;
        Self {
            schema_version: SCHEMA_VERSION,
            kind: ConversionType::Accepted,
            provider: postback.provider,
            transaction_id: receipt.transaction_id,
            receipt_id: receipt.receipt_id,
            received_at: receipt.received_at,
            click: postback.click,
            content: postback.content,
            original_receipt_id: None,
            correction: None,
            corrected_at: None,
        }
    }
}
