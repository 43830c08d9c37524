//! Stores the changes that are made when an operator sends a refused call again.

use domain::{
    audit::AuditRecord,
    inbound::{
        conversion::{Receipt, RecordedPostback},
        correction::Step,
        refusal::{Conflict, ContentKey, KeptConflict},
        transaction::Adjustment,
    },
    values::ids::TransactionId,
};

use super::{Added, Recorded, Replaced, Unavailable};

/// Stores the changes that are made when an operator sends a refused call again, each together with its audit record.
/// Every method MUST store both or neither, and MUST be durable before it returns.
pub trait Resubmissions: Send + Sync {
    /// Records a postback, and marks the refusal as recorded with the receipt of the postback. MUST keep an earlier
    /// mark. If the transaction is already recorded, MUST return the original and change nothing. If the refusal is not
    /// kept any more, MUST fail and change nothing.
    fn record(
        &self,
        postback: &RecordedPostback,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;

    /// Records a postback under the conditions of [`record_once`](super::Postbacks::record_once), and in all other
    /// respects as [`record`](Self::record) does.
    fn record_once(
        &self,
        postback: &RecordedPostback,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;

    /// Records a step as [`add_step`](super::Postbacks::add_step) does, and marks the refusal as recorded with the
    /// receipt of the step. If the refusal is not kept any more, MUST fail and change nothing.
    fn add_step(
        &self,
        step: &Step,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Added, Unavailable>> + Send;

    /// Records a negative transaction as [`adjust`](super::Postbacks::adjust) does, and marks the refusal as recorded
    /// with the receipt of the transaction. If the refusal is not kept any more, MUST change nothing.
    fn adjust(
        &self,
        reversed: &TransactionId,
        adjustment: &Adjustment,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Marks a refusal as recorded with the receipt of a postback that was recorded before. If the refusal is already
    /// marked, or is not kept any more, MUST change nothing.
    fn mark(
        &self,
        refusal: &ContentKey,
        receipt: &Receipt,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Keeps a conflict as [`keep_conflict`](super::Refusals::keep_conflict) does.
    fn keep_conflict(
        &self,
        conflict: &Conflict,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<KeptConflict, Unavailable>> + Send;
}
