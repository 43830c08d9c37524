//! Resolves a conflict for an operator: accepts it, or keeps the original.
//!
//! Accepting a conflict records its postback at a free place and marks the conflict, atomically. A repeated acceptance
//! returns the receipt of the same record. If two operators accept a conflict, one makes the record, and the other is
//! told that the conflict was accepted before.

use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    inbound::{
        acceptance::{Acceptance, Unacceptable},
        click::ClickKeys,
        conversion::Receipt,
        correction::Revision,
        refusal::ContentKey,
        transaction::History,
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
    /// The postback of the conflict was recorded now: as a correction, or as the original of a negative transaction.
    Accepted(Box<Revision>),
    /// The conflict was accepted before, with this receipt. Nothing changed.
    AcceptedBefore(Receipt),
    /// The original was kept. The conflict expires unless the same content comes again.
    OriginalKept,
    /// The conflict is unknown.
    Unknown,
    /// The conflict belongs to another transaction, which is named here. Nothing changed.
    OfAnother(TransactionId),
    /// The conflict cannot be accepted. Nothing changed.
    Unacceptable(Unacceptable),
}

/// Accepts a conflict of this transaction. A new record gets the receipt `receipt_id`.
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
        let conflict = &stored.conflict;
        let own = resolutions.history(&conflict.provider, transaction_id).await?;
        let mut others: Vec<History> = Vec::new();
        for reversed in Acceptance::reversed(conflict, own.as_ref()) {
            others.extend(resolutions.history(&conflict.provider, &reversed).await?);
        }
        let accepted = Acceptance::of(conflict, (own.as_ref(), &others), keys, receipt_id.clone(), now);
        let acceptance = match accepted {
            Ok(acceptance) => acceptance,
            Err(reason) => {
                // Another operator may have accepted the conflict since it was read.
                let stored = resolutions.find_conflict(key, now).await?;
                let accepted = stored.and_then(|stored| stored.accepted);
                return Ok(accepted.map_or(Resolution::Unacceptable(reason), Resolution::AcceptedBefore));
            }
        };
        let mut audit = record(operation, now, Action::AcceptConflict, &stored, key).with("receipt_id", &receipt_id);
        if let Revision::Correction(correction) = &acceptance.revision {
            audit = audit.with("correction", correction.number);
        }
        match resolutions.accept(key, &acceptance, &audit).await? {
            Replaced::Done => return Ok(Resolution::Accepted(Box::new(acceptance.revision))),
            // Another record took a place, or this conflict was resolved meanwhile.
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
    let provider = stored.conflict.provider.clone();
    let subject = Subject::Conflict { provider, content_id: key.as_str().to_owned() };
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
