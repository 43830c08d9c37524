//! Stores operators' decisions on conflicts. A decision marks the conflict, and adds a correction if the conflict is
//! accepted.

use app::ports::{Replaced, Resolutions, StoredConflict, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    types::{TransactWriteItem, Update},
};
use domain::{
    audit::AuditRecord,
    inbound::{
        acceptance::Acceptance,
        conversion::Receipt,
        refusal::{Conflict, ContentKey},
        transaction::History,
    },
    jiff::Timestamp,
    retention::Retention,
    values::ids::{Provider, TransactionId, TransactionKey},
};

use super::{
    audit::DynamoAudit,
    item::{
        ACCEPTED, ACCEPTED_AT, EXPIRES_AT, ORIGINAL_KEPT_AT, PROVIDER_CONTENT, PROVIDER_TRANSACTION, PostbackItem,
        RefusalItem, RefusalKind,
    },
    key_of, number, postbacks, read, text, value,
    write::{Requires, in_transaction, put, replaced, unmade},
};

const GET: &str = "DynamoDB GetItem refusals";
const ACCEPT: &str = "DynamoDB TransactWriteItems postbacks, refusals, audit";
const KEEP: &str = "DynamoDB TransactWriteItems refusals, audit";

/// Implements [`Resolutions`] in the tables of postbacks and refusals.
#[derive(Debug, Clone)]
pub struct DynamoResolutions {
    client: Client,
    postbacks: String,
    refusals: String,
    audit: DynamoAudit,
    retention: Retention,
}

impl DynamoResolutions {
    /// Uses the tables of postbacks, of refusals and of audit records. A conflict whose original was kept is kept for the
    /// time of `retention`.
    pub fn new(client: Client, postbacks: String, refusals: String, audit: String, retention: Retention) -> Self {
        let audit = DynamoAudit::new(client.clone(), audit);
        Self { client, postbacks, refusals, audit, retention }
    }

    /// Returns the write of a new item. The write fails if the item exists.
    fn put(&self, item: &PostbackItem) -> Result<TransactWriteItem, Unavailable> {
        put(ACCEPT, &self.postbacks, item, Requires::Absence(PROVIDER_TRANSACTION)).map(in_transaction)
    }

    /// Returns the update that marks the conflict as accepted for ever. The update fails if the conflict is already
    /// accepted.
    fn mark(&self, key: &ContentKey, receipt: &Receipt, at: Timestamp) -> Result<TransactWriteItem, Unavailable> {
        let update = Update::builder()
            .table_name(&self.refusals)
            .set_key(Some(key_of(PROVIDER_CONTENT, key.as_str())))
            .update_expression("SET #accepted = :accepted, #at = :at REMOVE #expires, #kept")
            .condition_expression("attribute_exists(#key) AND attribute_not_exists(#accepted)")
            .expression_attribute_names("#key", PROVIDER_CONTENT)
            .expression_attribute_names("#accepted", ACCEPTED)
            .expression_attribute_names("#at", ACCEPTED_AT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_names("#kept", ORIGINAL_KEPT_AT)
            .expression_attribute_values(":accepted", value(ACCEPT, receipt)?)
            .expression_attribute_values(":at", text(at))
            .build()
            .map_err(unmade(ACCEPT))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

impl Resolutions for DynamoResolutions {
    async fn find_conflict(&self, key: &ContentKey, now: Timestamp) -> Result<Option<StoredConflict>, Unavailable> {
        let key = key_of(PROVIDER_CONTENT, key.as_str());
        let get = self.client.get_item().table_name(&self.refusals).set_key(Some(key)).consistent_read(true);
        let Some(item) = read::get::<RefusalItem>(GET, get).await? else { return Ok(None) };
        if item.kind != RefusalKind::Conflict || item.has_expired(now) {
            return Ok(None);
        }
        let accepted = item.accepted.clone();
        let conflict = Conflict::try_from(item).map_err(|reason| Unavailable { service: GET, reason })?;
        Ok(Some(StoredConflict { conflict, accepted }))
    }

    async fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<History>, Unavailable> {
        postbacks::history(&self.client, &self.postbacks, &TransactionKey::of(provider, transaction_id)).await
    }

    async fn accept(
        &self,
        key: &ContentKey,
        acceptance: &Acceptance,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        let Acceptance { revision, adjustments } = acceptance;
        let mut writes = vec![self.mark(key, revision.receipt(), audit.at)?, self.put(&revision.into())?];
        for (of, adjustment) in adjustments {
            writes.push(self.put(&PostbackItem::adjustment(of, adjustment))?);
        }
        self.audit.transact(ACCEPT, writes, audit).await.map(replaced)
    }

    async fn keep_original(
        &self,
        key: &ContentKey,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        let update = Update::builder()
            .table_name(&self.refusals)
            .set_key(Some(key_of(PROVIDER_CONTENT, key.as_str())))
            .update_expression("SET #kept = :kept, #expires = :expires")
            .condition_expression("attribute_exists(#key) AND attribute_not_exists(#accepted)")
            .expression_attribute_names("#key", PROVIDER_CONTENT)
            .expression_attribute_names("#accepted", ACCEPTED)
            .expression_attribute_names("#kept", ORIGINAL_KEPT_AT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_values(":kept", text(now))
            .expression_attribute_values(":expires", number(self.retention.end(now)))
            .build()
            .map_err(unmade(KEEP))?;
        let writes = vec![TransactWriteItem::builder().update(update).build()];
        self.audit.transact(KEEP, writes, audit).await.map(replaced)
    }
}
