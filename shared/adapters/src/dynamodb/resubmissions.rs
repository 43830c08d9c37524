//! Stores each change that follows when an operator sends a refused call again, together with its audit record.

use app::ports::{Added, Postbacks, Recorded, Refusals, Replaced, Resubmissions, Unavailable};
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
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

use super::{
    audit::DynamoAudit,
    item::{ACCEPTED, ACCEPTED_AT, ClickUseItem, PROVIDER_CONTENT, PROVIDER_TRANSACTION, PostbackItem, RefusalItem},
    key_of,
    postbacks::DynamoPostbacks,
    refusals::{DynamoRefusals, Sighting},
    text, value,
    write::{Requires, in_transaction, put, replaced, unmade},
};

const RECORD: &str = "DynamoDB TransactWriteItems postbacks, refusals, audit";
const REFUSAL: &str = "DynamoDB TransactWriteItems refusals, audit";

/// Implements [`Resubmissions`] in three tables.
#[derive(Debug, Clone)]
pub struct DynamoResubmissions {
    postbacks: DynamoPostbacks,
    refusals: DynamoRefusals,
    audit: DynamoAudit,
}

impl DynamoResubmissions {
    /// Uses the tables of postbacks, of refusals and of audit records.
    pub fn new(postbacks: DynamoPostbacks, refusals: DynamoRefusals, audit: DynamoAudit) -> Self {
        Self { postbacks, refusals, audit }
    }

    /// Stores these items and marks the refusal as recorded. If an item already exists or the refusal does not, changes
    /// nothing and returns false.
    async fn put<const N: usize>(
        &self,
        items: [PostbackItem; N],
        used: Option<ClickUseItem>,
        (refusal, receipt): (&ContentKey, &Receipt),
        audit: &AuditRecord,
    ) -> Result<bool, Unavailable> {
        let mut writes = vec![self.mark((refusal, "attribute_exists(#key)"), receipt, audit)?];
        for item in items {
            let put = put(RECORD, &self.postbacks.table, &item, Requires::Absence(PROVIDER_TRANSACTION))?;
            writes.push(in_transaction(put));
        }
        if let Some(used) = used {
            let put = put(RECORD, &self.postbacks.table, &used, Requires::Absence(PROVIDER_TRANSACTION))?;
            writes.push(in_transaction(put));
        }
        self.audit.transact(RECORD, writes, audit).await
    }

    /// Returns the original of the transaction of this postback, if the transaction is recorded.
    async fn existing(&self, postback: &RecordedPostback) -> Result<Option<Recorded>, Unavailable> {
        let (provider, transaction_id) = (&postback.postback.provider, &postback.receipt.transaction_id);
        let original = self.postbacks.find(provider, transaction_id).await?;
        Ok(original.map(|original| Recorded::Existing(Box::new(original))))
    }

    /// Returns the update that marks a refusal as recorded if this condition holds.
    fn mark(
        &self,
        (refusal, condition): (&ContentKey, &str),
        receipt: &Receipt,
        audit: &AuditRecord,
    ) -> Result<TransactWriteItem, Unavailable> {
        let update = Update::builder()
            .table_name(&self.refusals.table)
            .set_key(Some(key_of(PROVIDER_CONTENT, refusal.as_str())))
            .update_expression("SET #accepted = if_not_exists(#accepted, :receipt), #at = if_not_exists(#at, :at)")
            .condition_expression(condition)
            .expression_attribute_names("#key", PROVIDER_CONTENT)
            .expression_attribute_names("#accepted", ACCEPTED)
            .expression_attribute_names("#at", ACCEPTED_AT)
            .expression_attribute_values(":receipt", value(REFUSAL, receipt)?)
            .expression_attribute_values(":at", text(audit.at));
        Ok(TransactWriteItem::builder().update(update.build().map_err(unmade(REFUSAL))?).build())
    }
}

fn not_kept() -> Unavailable {
    Unavailable { service: RECORD, reason: "the refusal expired or was being changed".into() }
}

impl Resubmissions for DynamoResubmissions {
    async fn record(
        &self,
        postback: &RecordedPostback,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> Result<Recorded, Unavailable> {
        if self.put([PostbackItem::from(postback)], None, (refusal, &postback.receipt), audit).await? {
            return Ok(Recorded::Fresh);
        }
        self.existing(postback).await?.ok_or_else(not_kept)
    }

    async fn record_once(
        &self,
        postback: &RecordedPostback,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> Result<Recorded, Unavailable> {
        let used = Some(ClickUseItem::from(postback));
        if self.put([PostbackItem::from(postback)], used, (refusal, &postback.receipt), audit).await? {
            return Ok(Recorded::Fresh);
        }
        // The use of the click is read first. If an equal call made that use, the original of that call is stored too.
        let first = self.postbacks.find_use(&postback.postback).await?;
        if let Some(existing) = self.existing(postback).await? {
            return Ok(existing);
        }
        first.map(|first| Recorded::Used(Box::new(first))).ok_or_else(not_kept)
    }

    /// Writes in a DynamoDB transaction. If DynamoDB cancels it, reads the revision that may already have this number.
    async fn add_step(&self, step: &Step, refusal: &ContentKey, audit: &AuditRecord) -> Result<Added, Unavailable> {
        if self.put([PostbackItem::from(step)], None, (refusal, &step.receipt), audit).await? {
            return Ok(Added::Done);
        }
        let (provider, transaction_id) = (&step.postback.provider, &step.postback.transaction_id);
        let taken = self.postbacks.receipt_at(provider, transaction_id, step.place).await?;
        taken.map(Added::Taken).ok_or_else(not_kept)
    }

    async fn adjust(
        &self,
        reversed: &TransactionId,
        adjustment: &Adjustment,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        let items = [PostbackItem::from(&adjustment.by), PostbackItem::adjustment(reversed, adjustment)];
        self.put(items, None, (refusal, &adjustment.by.receipt), audit).await.map(replaced)
    }

    async fn mark(&self, refusal: &ContentKey, receipt: &Receipt, audit: &AuditRecord) -> Result<(), Unavailable> {
        let unmarked = "attribute_exists(#key) AND attribute_not_exists(#accepted)";
        let mark = self.mark((refusal, unmarked), receipt, audit)?;
        self.audit.transact(REFUSAL, vec![mark], audit).await.map(|_| ())
    }

    /// Writes in a DynamoDB transaction, and then reads, because DynamoDB's transactions return no items.
    async fn keep_conflict(&self, conflict: &Conflict, audit: &AuditRecord) -> Result<KeptConflict, Unavailable> {
        let Sighting { key, expression, names, values } = Sighting::of(&RefusalItem::from(conflict))?;
        let update = Update::builder()
            .table_name(&self.refusals.table)
            .set_key(Some(key))
            .update_expression(expression)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .build()
            .map_err(unmade(REFUSAL))?;
        let update = TransactWriteItem::builder().update(update).build();
        if !self.audit.transact(REFUSAL, vec![update], audit).await? {
            return Err(Unavailable { service: REFUSAL, reason: "another transaction was writing".into() });
        }
        let accepted = self.refusals.find_correction(conflict).await?;
        Ok(accepted.map_or(KeptConflict::Unresolved, KeptConflict::AcceptedAs))
    }
}
