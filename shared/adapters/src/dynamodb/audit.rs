//! Stores audit records, each in the same transaction as its change.

use app::ports::{AuditTrail, Unavailable};
use aws_sdk_dynamodb::{Client, types::TransactWriteItem};
use domain::{audit::AuditRecord, jiff::civil::Date};

use super::{
    Item,
    item::{AT_AND_ID, AuditItem, DAY},
    read, text,
    write::{CONDITION, OTHER_TRANSACTION, Requires, in_transaction, put, send_put, transact},
};

const PUT: &str = "DynamoDB PutItem audit";
const GET: &str = "DynamoDB GetItem audit";
const QUERY: &str = "DynamoDB Query audit";

/// Implements [`AuditTrail`] in a table, and makes the transactions that write to it.
#[derive(Debug, Clone)]
pub struct DynamoAudit {
    client: Client,
    table: String,
}

impl DynamoAudit {
    /// Uses this table of audit records.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Makes these writes and stores their record, all or none. Returns true if this was done. Returns false if a
    /// condition does not hold or another transaction was writing.
    ///
    /// The answer may be lost, and a repeat by the client may conflict with the client's own first transaction. In
    /// these cases the record is read, because the record is stored if and only if the writes were made.
    pub(crate) async fn transact(
        &self,
        service: &'static str,
        mut writes: Vec<TransactWriteItem>,
        record: &AuditRecord,
    ) -> Result<bool, Unavailable> {
        let put = put(service, &self.table, &AuditItem::from(record), Requires::Absence(AT_AND_ID))?;
        writes.push(in_transaction(put));
        let done = transact(&self.client, service, writes, &[CONDITION, OTHER_TRANSACTION]).await;
        if done == Ok(true) || self.is_stored(record).await == Ok(true) { Ok(true) } else { done }
    }

    async fn is_stored(&self, record: &AuditRecord) -> Result<bool, Unavailable> {
        let AuditItem { day, at_and_id, .. } = record.into();
        let key = Item::from([(DAY.to_owned(), text(day)), (AT_AND_ID.to_owned(), text(at_and_id))]);
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        Ok(read::get::<AuditItem>(GET, get).await?.map(AuditRecord::from).as_ref() == Some(record))
    }
}

impl AuditTrail for DynamoAudit {
    async fn append(&self, record: &AuditRecord) -> Result<(), Unavailable> {
        let put = || put(PUT, &self.table, &AuditItem::from(record), Requires::Absence(AT_AND_ID));
        // An existing record with this random id is this record.
        send_put(&self.client, PUT, put).await.map(|_| ())
    }

    async fn of_day(&self, day: Date) -> Result<Vec<AuditRecord>, Unavailable> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#day = :day")
            .expression_attribute_names("#day", DAY)
            .expression_attribute_values(":day", text(day))
            .consistent_read(true);
        let items: Vec<AuditItem> = read::query(QUERY, query).await?;
        Ok(items.into_iter().map(AuditRecord::from).collect())
    }
}
