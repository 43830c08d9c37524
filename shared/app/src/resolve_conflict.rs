//! Resolves a conflict for an operator: accepts it as a correction, or keeps the original.
//!
//! Accepting a conflict writes the correction at a free place and marks the conflict, atomically. A repeated acceptance
//! returns the receipt of the same correction. If two operators accept a conflict, one makes the correction, and the
//! other is told that the conflict was accepted before.

use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    inbound::{
        click::ClickKeys, conversion::Receipt, correction::Correction, refusal::ContentKey, transaction::Uncorrectable,
    },
    jiff::Timestamp,
    values::ids::{ReceiptId, TransactionId},
};

use crate::ports::{Replaced, Resolutions, StoredConflict, Unavailable};

/// Limits how often accepting is tried when others take the transaction's next place first.
const MAX_RACES: u32 = 10;

/// The result of resolving a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The correction was recorded now.
    Accepted(Box<Correction>),
    /// The conflict was accepted before, with this receipt. Nothing changed.
    AcceptedBefore(Receipt),
    /// The original was kept. The conflict expires unless the same content comes again.
    OriginalKept,
    /// The conflict is unknown.
    Unknown,
    /// The conflict belongs to another transaction, which is named here. Nothing changed.
    OfAnother(TransactionId),
    /// The transaction has no original. Nothing changed.
    NoOriginal,
    /// The conflict cannot become a correction. Nothing changed.
    Impossible(Uncorrectable),
}

/// Accepts a conflict of this transaction as a correction. A new correction gets the receipt `receipt_id`.
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
        let history = resolutions.history(&stored.conflict.provider, transaction_id).await?;
        let Some(history) = history else { return Ok(Resolution::NoOriginal) };
        let correction = match Correction::of(&stored.conflict, &history, keys, receipt_id.clone(), now) {
            Ok(correction) => correction,
            Err(reason) => return Ok(Resolution::Impossible(reason)),
        };
        let audit = record(operation, now, Action::AcceptConflict, &stored, key);
        let audit = audit.with("correction", correction.number).with("receipt_id", &receipt_id);
        match resolutions.accept(key, &correction, &audit).await? {
            Replaced::Done => return Ok(Resolution::Accepted(Box::new(correction))),
            // Another revision took the place, or this conflict was resolved meanwhile.
            Replaced::Changed => {}
        }
    }
    Err(Unavailable { service: "postbacks", reason: format!("corrected by others {MAX_RACES} times in a row") })
}

/// Resolves a conflict of this transaction in favour of the original.
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
        // The conflict was accepted meanwhile, or has expired.
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
