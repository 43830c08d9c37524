//! Stores the permits of test webhooks, beside the sessions.

use app::ports::{TestPermits, Unavailable};
use aws_sdk_dynamodb::types::Put;
use domain::{audit::AuditRecord, jiff::Timestamp, outbound::test_webhook::TestPermit};

use super::{
    audit::DynamoAudit,
    item::{SESSION, TestPermitItem},
    number, to_item,
    write::{in_transaction, unmade},
};

const TAKE: &str = "DynamoDB TransactWriteItems sessions, audit";

/// Describes a stored permit that another test may use: [`TestPermit::is_free`] as a condition.
const IS_FREE: &str = "attribute_not_exists(#key) OR expires_at <= :now";

/// Implements [`TestPermits`] in the table of the sessions.
#[derive(Debug, Clone)]
pub struct DynamoTestPermits {
    table: String,
    audit: DynamoAudit,
}

impl DynamoTestPermits {
    /// Uses this table of sessions, and these audit records.
    pub fn new(table: String, audit: DynamoAudit) -> Self {
        Self { table, audit }
    }
}

impl TestPermits for DynamoTestPermits {
    async fn take(&self, permit: &TestPermit, now: Timestamp, audit: &AuditRecord) -> Result<bool, Unavailable> {
        let item = to_item(TAKE, &TestPermitItem::from(permit))?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression(IS_FREE);
        let put = put.expression_attribute_names("#key", SESSION);
        let put = put.expression_attribute_values(":now", number(now.as_second())).build();
        let put = put.map_err(unmade(TAKE))?;
        self.audit.transact(TAKE, vec![in_transaction(put)], audit).await
    }
}
