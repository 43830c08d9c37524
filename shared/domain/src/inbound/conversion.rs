//! Defines the receipt that is sent to a partner for an accepted postback, and the conversion that is sent to GG3.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::inbound::click::ClickOrigin;
use crate::inbound::postback::{Content, Extra, Postback};
use crate::inbound::status::State;
use crate::prelude::*;
use crate::values::ids::{ReceiptId, TransactionId};

/// Numbers the version of the conversion's schema, `shared/domain/schemas/conversion.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// Proves that a postback is recorded. A duplicate is answered with the receipt that was recorded, except for
/// `ignored`, which is that of the duplicate itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Identifies the transaction. The id was sent or derived.
    pub transaction_id: TransactionId,
    /// Identifies this receipt.
    pub receipt_id: ReceiptId,
    /// Says when the postback was received, to the millisecond.
    #[serde(with = "crate::values::time::three_decimals")]
    pub received_at: Timestamp,
    /// Names the parameters that were sent and ignored.
    pub ignored: Vec<String>,
    /// Names the recorded state, if the partner agreed on statuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Identifies the receipt of the transaction's first postback. Present only in the receipt of a later step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_receipt_id: Option<ReceiptId>,
}

/// Says which transaction a negative amount reverses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversed {
    /// The postback named no transaction, or one that is not recorded.
    Unknown,
    /// The named transaction is recorded.
    #[serde(untagged)]
    Known {
        /// Identifies the transaction.
        transaction_id: TransactionId,
        /// Identifies the receipt of the transaction's first postback.
        receipt_id: ReceiptId,
    },
}

/// Holds a recorded postback together with its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPostback {
    /// Holds the postback.
    pub postback: Postback,
    /// Holds the receipt that was sent to the partner.
    pub receipt: Receipt,
    /// Says which transaction a negative amount reverses. Absent for all other amounts.
    pub reversed: Option<Reversed>,
}

/// Names the types of conversion messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversionType {
    /// A postback was accepted, and the partner has not confirmed the transaction yet.
    #[serde(rename = "conversion.pending")]
    Pending,
    /// A postback was accepted, and the partner has confirmed the transaction.
    #[serde(rename = "conversion.accepted")]
    Accepted,
    /// The partner took the transaction back.
    #[serde(rename = "conversion.rejected")]
    Rejected,
    /// A negative amount was accepted. It takes the amount back from another transaction.
    #[serde(rename = "conversion.adjusted")]
    Adjusted,
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
    #[serde(with = "crate::values::time::three_decimals")]
    pub received_at: Timestamp,
    /// Says whether the click id is ours for this user.
    pub click: ClickOrigin,
    /// Holds `user_id`, `click_id`, currency, `amount_decimal`, `event_id` and `event_name`.
    #[serde(flatten)]
    pub content: Content,
    /// Names the state that the transaction has reached. Absent means approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Holds the parameters that the partner's file keeps, with their values unchanged.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
    /// Says which transaction an adjustment reverses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Reversed>,
    /// Identifies the receipt of the transaction's first postback. Present only in a step and in a correction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_receipt_id: Option<ReceiptId>,
    /// Counts the corrections of the transaction up to and including this message. The message with the highest count
    /// is current; among equal counts, the one with the highest state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<u32>,
    /// Says when an operator accepted the correction.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::values::time::three_decimals::option")]
    pub corrected_at: Option<Timestamp>,
}

impl From<RecordedPostback> for Conversion {
    fn from(recorded: RecordedPostback) -> Self {
        let RecordedPostback { postback, receipt, reversed } = recorded;
        let kind = match postback.state() {
            _ if reversed.is_some() => ConversionType::Adjusted,
            State::Pending => ConversionType::Pending,
            State::Approved => ConversionType::Accepted,
            State::Rejected => ConversionType::Rejected,
        };
        Self {
            schema_version: SCHEMA_VERSION,
            kind,
            provider: postback.provider,
            transaction_id: receipt.transaction_id,
            receipt_id: receipt.receipt_id,
            received_at: receipt.received_at,
            click: postback.click,
            content: postback.content,
            state: postback.state,
            extra: postback.extra,
            original: reversed,
            original_receipt_id: receipt.original_receipt_id,
            correction: None,
            corrected_at: None,
        }
    }
}

#[cfg(test)]
mod tests;
