//! Defines corrections: conflicting postbacks that an operator has accepted. The original stays; the latest correction
//! holds.

use jiff::Timestamp;

use crate::inbound::click::ClickKeys;
use crate::inbound::conversion::{Conversion, ConversionType, Receipt, RecordedPostback};
use crate::inbound::postback::{Content, Postback};
use crate::inbound::refusal::Conflict;
use crate::prelude::*;
use crate::values::ids::ReceiptId;

/// Corrects a transaction. Every correction names the original and never another correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Holds what the partner says now.
    pub postback: Postback,
    /// Holds the correction's own receipt. Its time is when the conflict was first received.
    pub receipt: Receipt,
    /// Identifies the original's receipt.
    pub original_receipt_id: ReceiptId,
    /// Numbers the corrections of one transaction in the order of acceptance, from 1. The highest number holds.
    pub number: u32,
    /// Says when an operator accepted it.
    pub corrected_at: Timestamp,
}

impl Correction {
    /// Makes the correction that accepting this conflict adds to these revisions of the transaction. Without an
    /// original among them it returns `None`.
    pub fn of(
        conflict: &Conflict,
        revisions: &[Revision],
        keys: &ClickKeys,
        receipt_id: ReceiptId,
        now: Timestamp,
    ) -> Option<Self> {
        let original = revisions.iter().find_map(|revision| match revision {
            Revision::Original(original) => Some(original),
            Revision::Correction(_) => None,
        })?;
        let Conflict { provider, transaction_id, content, received_at, .. } = conflict.clone();
        let click = keys.origin(&provider, &content.user_id, &content.click_id);
        let receipt = Receipt { transaction_id: transaction_id.clone(), receipt_id, received_at, ignored: Vec::new() };
        Some(Self {
            postback: Postback { provider, transaction_id, content, click },
            receipt,
            original_receipt_id: original.receipt.receipt_id.clone(),
            number: revisions.iter().map(Revision::number).max().unwrap_or_default().saturating_add(1),
            corrected_at: now,
        })
    }
}

/// Holds one record of a transaction: the original postback or a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// Holds the postback as it first came.
    Original(RecordedPostback),
    /// Holds a correction.
    Correction(Correction),
}

impl Revision {
    /// Returns the revision that holds among the revisions of one transaction.
    pub fn latest(revisions: impl IntoIterator<Item = Self>) -> Option<Self> {
        revisions.into_iter().max_by_key(Self::number)
    }

    /// Returns 0 for the original and the number of a correction. The highest number of a transaction holds.
    pub fn number(&self) -> u32 {
        match self {
            Self::Original(_) => 0,
            Self::Correction(correction) => correction.number,
        }
    }

    /// Returns the content of the postback.
    pub fn content(&self) -> &Content {
        &self.postback().content
    }

    /// Returns the postback.
    pub fn postback(&self) -> &Postback {
        match self {
            Self::Original(recorded) => &recorded.postback,
            Self::Correction(correction) => &correction.postback,
        }
    }

    /// Returns when it became a conversion: when it was received, or accepted as a correction.
    pub fn recorded_at(&self) -> Timestamp {
        match self {
            Self::Original(recorded) => recorded.receipt.received_at,
            Self::Correction(correction) => correction.corrected_at,
        }
    }
}

impl From<Correction> for Conversion {
    fn from(correction: Correction) -> Self {
        let Correction { postback, receipt, original_receipt_id, number, corrected_at } = correction;
        Self {
            kind: ConversionType::Corrected,
            original_receipt_id: Some(original_receipt_id),
            correction: Some(number),
            corrected_at: Some(corrected_at),
            ..RecordedPostback { postback, receipt }.into()
        }
    }
}

impl From<Revision> for Conversion {
    fn from(revision: Revision) -> Self {
        match revision {
            Revision::Original(recorded) => recorded.into(),
            Revision::Correction(correction) => correction.into(),
        }
    }
}
