//! Holds the permits of test webhooks in memory.

use domain::{audit::AuditRecord, jiff::Timestamp, outbound::test_webhook::TestPermit};

use super::World;
use crate::ports::{TestPermits, Unavailable};

impl TestPermits for World {
    async fn take(&self, permit: &TestPermit, now: Timestamp, audit: &AuditRecord) -> Result<bool, Unavailable> {
        self.call("take test permit", |state| {
            let is_free = state.test_permits.get(&permit.key).is_none_or(|stored| stored.is_free(now));
            if is_free {
                state.test_permits.insert(permit.key.clone(), permit.clone());
                state.audit.push(audit.clone());
            }
            is_free
        })
    }
}
