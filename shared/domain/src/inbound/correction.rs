//! Defines the chain of revisions of a transaction: the original postback, the steps to higher states, and the
//! corrections. A correction is a conflicting postback that an operator has accepted. All revisions are kept, and the
//! latest is current.

use jiff::Timestamp;
use serde::Serialize;

use crate::inbound::conversion::{Conversion, ConversionType, Receipt, RecordedPostback, Reversed};
use crate::inbound::postback::{Content, Postback};
use crate::inbound::status::State;
use crate::values::ids::ReceiptId;

/// Raises a transaction to a higher state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Holds the postback that raised the state.
    pub postback: Postback,
    /// Holds the receipt of this step. The receipt names the receipt of the original.
    pub receipt: Receipt,
    /// Counts the corrections before this step.
    pub correction: u32,
    /// Numbers the revisions of the transaction after the original, from 1.
    pub place: u32,
}

/// Corrects a transaction. Every correction names the original, even if it follows another correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Holds the postback that is valid since the correction.
    pub postback: Postback,
    /// Holds the receipt of this correction. `received_at` is the time when the conflict was first received.
    pub receipt: Receipt,
    /// Identifies the original's receipt.
    pub original_receipt_id: ReceiptId,
    /// Numbers the corrections of one transaction in the order of acceptance, from 1. The correction with the highest
    /// number is current.
    pub number: u32,
    /// Says when an operator accepted the correction.
    pub corrected_at: Timestamp,
    /// Numbers the revisions of the transaction after the original, from 1.
    pub place: u32,
    /// Says which transaction a negative amount reverses. Absent for all other amounts.
    pub reversed: Option<Reversed>,
}

/// Holds one revision of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// Holds the transaction's first postback.
    Original(RecordedPostback),
    /// Holds a step to a higher state.
    Step(Step),
    /// Holds a correction.
    Correction(Correction),
}

/// Names the kinds of revisions of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionKind {
    /// The transaction's first postback.
    Original,
    /// A step to a higher state.
    Step,
    /// A conflicting postback that an operator accepted.
    Correction,
}

impl Revision {
    /// Returns the kind.
    pub fn kind(&self) -> RevisionKind {
        match self {
            Self::Original(_) => RevisionKind::Original,
            Self::Step(_) => RevisionKind::Step,
            Self::Correction(_) => RevisionKind::Correction,
        }
    }

    /// Returns the current revision among the revisions of one transaction, or `None` if there are none.
    pub fn latest(revisions: impl IntoIterator<Item = Self>) -> Option<Self> {
        revisions.into_iter().max_by_key(Self::rank)
    }

    /// Returns the rank: the number of corrections, then the state. The revision with the highest rank is current.
    pub fn rank(&self) -> (u32, State) {
        (self.correction(), self.postback().state())
    }

    /// Returns the number of corrections up to and including this revision: 0 for the original.
    pub fn correction(&self) -> u32 {
        match self {
            Self::Original(_) => 0,
            Self::Step(step) => step.correction,
            Self::Correction(correction) => correction.number,
        }
    }

    /// Returns the place of this revision in the transaction: 0 for the original.
    pub fn place(&self) -> u32 {
        match self {
            Self::Original(_) => 0,
            Self::Step(step) => step.place,
            Self::Correction(correction) => correction.place,
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
            Self::Step(step) => &step.postback,
            Self::Correction(correction) => &correction.postback,
        }
    }

    /// Returns the receipt of this revision.
    pub fn receipt(&self) -> &Receipt {
        match self {
            Self::Original(recorded) => &recorded.receipt,
            Self::Step(step) => &step.receipt,
            Self::Correction(correction) => &correction.receipt,
        }
    }

    /// Returns the transaction from which a negative amount is taken, or `None` for all other amounts.
    pub fn reversed(&self) -> Option<&Reversed> {
        match self {
            Self::Original(recorded) => recorded.reversed.as_ref(),
            Self::Step(_) => None,
            Self::Correction(correction) => correction.reversed.as_ref(),
        }
    }

    /// Returns when the revision became a conversion. For a correction, this is when an operator accepted it. For any
    /// other revision, this is when it was received.
    pub fn recorded_at(&self) -> Timestamp {
        match self {
            Self::Original(_) | Self::Step(_) => self.receipt().received_at,
            Self::Correction(correction) => correction.corrected_at,
        }
    }
}

impl From<Step> for Conversion {
    fn from(step: Step) -> Self {
        let Step { postback, receipt, correction, .. } = step;
        let correction = Some(correction).filter(|correction| *correction > 0);
        Self { correction, ..RecordedPostback { postback, receipt, reversed: None }.into() }
    }
}

impl From<Correction> for Conversion {
    fn from(correction: Correction) -> Self {
        let Correction { postback, receipt, original_receipt_id, number, corrected_at, reversed, .. } = correction;
        Self {
            kind: ConversionType::Corrected,
            original_receipt_id: Some(original_receipt_id),
            correction: Some(number),
            corrected_at: Some(corrected_at),
            ..RecordedPostback { postback, receipt, reversed }.into()
        }
    }
}

impl From<Revision> for Conversion {
    fn from(revision: Revision) -> Self {
        match revision {
            Revision::Original(recorded) => recorded.into(),
            Revision::Step(step) => step.into(),
            Revision::Correction(correction) => correction.into(),
        }
    }
}
