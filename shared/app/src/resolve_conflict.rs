//! An operator resolves a conflict: the correction is accepted, or the original is kept.
//!
//! Accepting writes the correction and marks the conflict in one step or not at all, under a number that nobody else has
//! taken. So repeating it gives the same correction, and of two operators one makes it and the other is told of it.

use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    inbound::{click::ClickKeys, conversion::Receipt, correction::Correction, refusal::ContentKey},
    jiff::Timestamp,
    values::ids::{ReceiptId, TransactionId},
};

use crate::ports::{Replaced, Resolutions, StoredConflict, Unavailable};

/// How often a lost race for a transaction's next number is run again.
const MAX_RACES: u32 = 10;

/// What came of resolving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The correction is recorded now.
    Accepted(Box<Correction>),
    /// It was accepted before, with this receipt. Nothing is changed.
    AcceptedBefore(Receipt),
    /// The original is kept; the conflict expires, unless the same content comes again.
    OriginalKept,
    /// No such conflict is kept.
    Unknown,
    /// It is one of another transaction. Nothing is changed.
    OfAnother(TransactionId),
    /// The transaction has no original. Nothing is changed.
    NoOriginal,
}

/// Accepts a conflict of this transaction as a correction of it. `receipt_id` is the correction's if it is made now.
pub async fn accept(
    resolutions: &impl Resolutions,
    keys: &ClickKeys,
    (transaction_id, key): (&TransactionId, &ContentKey),
    (operation, now): (&Operation, Timestamp),
    receipt_id: ReceiptId,
) -> Result<Resolution, Unavailable> {
    for _ in 0..MAX_RACES {
        let stored = match stored(resolutions, transaction_id, key, now).await? {
            Ok(stored) => stored,
            Err(resolution) => return Ok(resolution),
        };
        if let Some(receipt) = stored.accepted {
            return Ok(Resolution::AcceptedBefore(receipt));
        }
        let revisions = resolutions.revisions(&stored.conflict.provider, transaction_id).await?;
        let correction = Correction::of(&stored.conflict, &revisions, keys, receipt_id.clone(), now);
        let Some(correction) = correction else { return Ok(Resolution::NoOriginal) };
        let audit = record(operation, now, Action::AcceptConflict, &stored, key);
        let audit = audit.with("correction", correction.number).with("receipt_id", &receipt_id);
        match resolutions.accept(key, &correction, &audit).await? {
            Replaced::Done => return Ok(Resolution::Accepted(Box::new(correction))),
            // Another correction has taken the number, or this conflict was resolved: look again.
            Replaced::Changed => {}
        }
    }
    Err(Unavailable { service: "postbacks", reason: format!("corrected by others {MAX_RACES} times in a row") })
}

/// Keeps the original of this transaction against a conflict.
pub async fn keep_original(
    resolutions: &impl Resolutions,
    (transaction_id, key): (&TransactionId, &ContentKey),
    (operation, now): (&Operation, Timestamp),
) -> Result<Resolution, Unavailable> {
    let stored = match stored(resolutions, transaction_id, key, now).await? {
        Err(resolution) => return Ok(resolution),
        Ok(StoredConflict { accepted: Some(receipt), .. }) => return Ok(Resolution::AcceptedBefore(receipt)),
        Ok(stored) => stored,
    };
    let audit = record(operation, now, Action::KeepOriginal, &stored, key);
    match resolutions.keep_original(key, now, &audit).await? {
        Replaced::Done => Ok(Resolution::OriginalKept),
        // Accepted in the meantime, or gone.
        Replaced::Changed => {
            let stored = resolutions.find_conflict(key, now).await?;
            Ok(stored.and_then(|stored| stored.accepted).map_or(Resolution::Unknown, Resolution::AcceptedBefore))
        }
    }
}

fn record(
    operation: &Operation,
    now: Timestamp,
    action: Action,
    stored: &StoredConflict,
    key: &ContentKey,
) -> AuditRecord {
    let (provider, transaction_id) = (stored.conflict.provider.clone(), stored.conflict.transaction_id.clone());
    let subject = Subject::Conflict { provider, transaction_id, content_id: key.as_str().to_owned() };
    operation.record(now, action, subject)
}

async fn stored(
    resolutions: &impl Resolutions,
    transaction_id: &TransactionId,
    key: &ContentKey,
    now: Timestamp,
) -> Result<Result<StoredConflict, Resolution>, Unavailable> {
    let Some(stored) = resolutions.find_conflict(key, now).await? else { return Ok(Err(Resolution::Unknown)) };
    let named = &stored.conflict.transaction_id;
    Ok(if named == transaction_id { Ok(stored) } else { Err(Resolution::OfAnother(named.clone())) })
}

#[cfg(test)]
mod tests;
