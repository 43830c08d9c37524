//! The changes that follow when an operator sends a refused call again.

use domain::{
    audit::AuditRecord,
    inbound::{
        conversion::{Receipt, RecordedPostback},
        refusal::{Conflict, ContentKey, KeptConflict},
    },
};

use super::{Recorded, Unavailable};

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
