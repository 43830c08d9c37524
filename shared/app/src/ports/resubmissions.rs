//! The changes that follow when an operator sends a refused call again.

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

/// The changes that follow when an operator sends a refused call again, each stored together with its audit record: every
/// method MUST store both or neither, and MUST be durable before it answers.
pub trait Resubmissions: Send + Sync {
    /// Records a postback and marks the refusal as recorded with its receipt. MUST keep an earlier mark. MUST answer the
    /// original, and change nothing, if the transaction is known. MUST fail, and change nothing, if the refusal is not kept.
    fn record(
        &self,
        postback: &RecordedPostback,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Recorded, Unavailable>> + Send;

    /// Records a step as [`add_step`](super::Postbacks::add_step) does, and marks the refusal as recorded with its receipt.
    /// MUST fail, and change nothing, if the refusal is not kept.
    fn add_step(
        &self,
        step: &Step,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Added, Unavailable>> + Send;

    /// Records a negative transaction as [`adjust`](super::Postbacks::adjust) does, and marks the refusal as recorded with
    /// its receipt. MUST change nothing if the refusal is not kept.
    fn adjust(
        &self,
        reversed: &TransactionId,
        adjustment: &Adjustment,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Marks a refusal as recorded with the receipt of a postback that was recorded before. MUST change nothing if the refusal
    /// is marked or not kept.
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
