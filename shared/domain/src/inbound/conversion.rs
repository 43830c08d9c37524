//! Defines the receipt that a partner gets for an accepted postback, and the conversion that GG3 gets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::inbound::click::ClickOrigin;
use crate::inbound::postback::{Content, Postback};
use crate::prelude::*;
use crate::values::ids::{ReceiptId, TransactionId};

/// Numbers the version of the conversion's schema, `shared/domain/schemas/conversion.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// Proves that a postback is recorded. A duplicate gets the original's receipt unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Identifies the transaction, sent or derived.
    pub transaction_id: TransactionId,
    /// Identifies this receipt.
    pub receipt_id: ReceiptId,
    /// Says when the postback was received, to the millisecond.
    pub received_at: Timestamp,
    /// Names the parameters that were sent and ignored.
    pub ignored: Vec<String>,
}

/// Holds a recorded postback together with its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPostback {
    /// Holds the postback.
    pub postback: Postback,
    /// Holds the receipt that the partner got.
    pub receipt: Receipt,
}

/// Names the types of conversion messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversionType {
    /// A postback was accepted.
    #[serde(rename = "conversion.accepted")]
    Accepted,
    /// An accepted postback was corrected. The correction replaces it.
    #[serde(rename = "conversion.corrected")]
    Corrected,
}

/// Holds an accepted postback as GG3's quest engine receives it, at least once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// Holds [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Says which type of message this is.
    #[serde(rename = "type")]
    pub kind: ConversionType,
    /// Names the partner.
    pub provider: crate::values::ids::Provider,
    /// Holds the partner's identifier of the transaction. With `provider` it is the key for removing duplicates.
    pub transaction_id: TransactionId,
    /// Identifies the partner's receipt.
    pub receipt_id: ReceiptId,
    /// Says when the postback was received.
    pub received_at: Timestamp,
    /// Says whether the click id is ours for this user.
    pub click: ClickOrigin,
    /// Holds `user_id`, `click_id`, currency, `amount_decimal`, `event_id` and `event_name`.
    #[serde(flatten)]
    pub content: Content,
    /// Identifies the receipt of the original that a correction corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_receipt_id: Option<ReceiptId>,
    /// Numbers the corrections of a transaction. The highest number holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<u32>,
    /// Says when an operator accepted the correction.
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
