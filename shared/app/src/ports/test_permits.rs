//! Stores the permits of test webhooks.

use domain::{audit::AuditRecord, jiff::Timestamp, outbound::test_webhook::TestPermit};

use super::Unavailable;

/// The permits of test webhooks. Each is deleted some days after it has expired.
pub trait TestPermits: Send + Sync {
    /// Stores a permit as used, and the audit record of its test. MUST do both or neither, and MUST be durable before it
    /// returns. Returns false and stores nothing if the stored permit is not [free](TestPermit::is_free) at `now`. If
    /// several callers take the same permit at the same time, exactly one of them MUST get true.
    fn take(
        &self,
        permit: &TestPermit,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;
}
