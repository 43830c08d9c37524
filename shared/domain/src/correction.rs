//! A correction: a conflicting postback that an operator has accepted. The original stays as it is; what holds of the
//! transaction is its latest correction.

use jiff::Timestamp;

use crate::{
    click::ClickKeys,
    conversion::{Conversion, ConversionType, Receipt, RecordedPostback},
    ids::ReceiptId,
    postback::{Content, Postback},
    prelude::*,
    refusal::Conflict,
};

/// A correction of a transaction. Each names the original, never another correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// What the partner says now.
    pub postback: Postback,
    /// The correction's own receipt; it was received when its conflict first was.
    pub receipt: Receipt,
    /// The receipt of the original.
    pub original_receipt_id: ReceiptId,
    /// Counts the corrections of one transaction in the order they were accepted, from 1: the highest stands.
    pub number: u32,
    /// When an operator accepted it.
    pub corrected_at: Timestamp,
}

impl Correction {
    /// The correction that accepting this conflict makes of a transaction with these revisions; none where there is no
    /// original to correct.
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

/// What is recorded of a transaction: the postback as it first came, or a correction of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// The postback as it first came.
    Original(RecordedPostback),
    /// A correction.
    Correction(Correction),
}

impl Revision {
    /// Of the revisions of one transaction, the one that stands.
    pub fn standing(revisions: impl IntoIterator<Item = Self>) -> Option<Self> {
        revisions.into_iter().max_by_key(Self::number)
    }

    /// 0 for the original, a correction's number otherwise: of one transaction's revisions the highest stands.
    pub fn number(&self) -> u32 {
        match self {
            Self::Original(_) => 0,
            Self::Correction(correction) => correction.number,
        }
    }

    /// What it says.
    pub fn content(&self) -> &Content {
        &self.postback().content
    }

    /// The postback itself.
    pub fn postback(&self) -> &Postback {
        match self {
            Self::Original(recorded) => &recorded.postback,
            Self::Correction(correction) => &correction.postback,
        }
    }

    /// When it became a conversion: received, or accepted as a correction.
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
