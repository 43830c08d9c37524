//! Erases persons from the tables.

use app::ports::{Erasures, KeptAttempt, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    types::{DeleteRequest, WriteRequest},
};
use domain::{
    archive::ArchiveKey,
    inbound::{correction::Revision, transaction::Adjustment},
    lookup::{LookupEntry, Place, Subject},
    values::ids::{ClickId, DeliveryId, TransactionKey, UserId},
};

use super::{
    Item,
    item::{
        CLICK_ID, CLICK_USE, ClickUseItem, ORIGINAL, PROVIDER_CONTENT, PROVIDER_TRANSACTION, PostbackItem, REVISION,
        USED_BY,
        lookups::{LookupItem, PLACE, SUBJECT},
        media_buying::{AttemptItem, USER_ID},
    },
    key_of,
    lookups::{BATCH, write as write_batch},
    read, text,
    write::{Requires, put, send_put, took_place},
};
use crate::aws::unavailable;

const QUERY: &str = "DynamoDB Query postbacks";
const PUT: &str = "DynamoDB PutItem postbacks";
const UPDATE: &str = "DynamoDB UpdateItem postbacks";
const PUT_ATTEMPT: &str = "DynamoDB PutItem attempts";
const DELETE: &str = "DynamoDB DeleteItem";
const DELETE_ENTRIES: &str = "DynamoDB BatchWriteItem lookups";

/// Limits the requests for one batch. DynamoDB may leave items unprocessed.
const REPEATS: u32 = 10;

/// Names the tables from which persons are erased.
#[derive(Debug, Clone)]
pub struct ErasedTables {
    /// The table of postbacks.
    pub postbacks: String,
    /// The table of refusals and conflicts.
    pub refusals: String,
    /// The table of clicks.
    pub clicks: String,
    /// The table of participants.
    pub participants: String,
    /// The table of attempts that are kept beside deliveries.
    pub attempts: String,
    /// The table of lookups.
    pub lookups: String,
}

/// Implements [`Erasures`] in these tables.
#[derive(Debug, Clone)]
pub struct DynamoErasures {
    client: Client,
    tables: ErasedTables,
}

impl DynamoErasures {
    /// Uses these tables.
    pub fn new(client: Client, tables: ErasedTables) -> Self {
        Self { client, tables }
    }

    async fn items(&self, transaction: &TransactionKey) -> Result<Vec<PostbackItem>, Unavailable> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.postbacks)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", PROVIDER_TRANSACTION)
            .expression_attribute_values(":key", text(transaction.as_str()))
            .consistent_read(true);
        read::query(QUERY, query).await
    }

    /// Replaces an item by its erased form. Nobody else changes these items, so there is no condition.
    async fn erase(&self, item: PostbackItem, key: &ArchiveKey) -> Result<(), Unavailable> {
        let unreadable = |reason| Unavailable { service: QUERY, reason };
        let (at, revision) = (item.provider_transaction.clone(), item.revision.clone());
        let mut erased = if item.is_adjustment() {
            let note = Adjustment::try_from(item).map_err(unreadable)?.erase(key);
            PostbackItem::note(&note)
        } else {
            PostbackItem::from(&Revision::try_from(item).map_err(unreadable)?.erase(key))
        };
        // A note is stored beside the transaction from which it takes.
        (erased.provider_transaction, erased.revision) = (at, revision);
        let put = || put(PUT, &self.tables.postbacks, &erased, Requires::Nothing);
        send_put(&self.client, PUT, put).await.map(|_| ())
    }

    /// Replaces the transaction id in the use of the original's click, if the original made that use.
    async fn erase_use(&self, original: &PostbackItem, transaction: &TransactionKey) -> Result<(), Unavailable> {
        let Revision::Original(recorded) =
            Revision::try_from(original.clone()).map_err(|reason| Unavailable { service: QUERY, reason })?
        else {
            return Ok(());
        };
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.postbacks)
            .key(PROVIDER_TRANSACTION, text(ClickUseItem::key(&recorded.postback)))
            .key(REVISION, text(CLICK_USE))
            .update_expression("SET #used_by = :key")
            .condition_expression("#used_by = :id")
            .expression_attribute_names("#used_by", USED_BY)
            .expression_attribute_values(":key", text(transaction.as_str()))
            .expression_attribute_values(":id", text(&recorded.postback.transaction_id));
        took_place(UPDATE, update.send().await).map(|_| ())
    }

    async fn delete(&self, table: &str, key: Item) -> Result<(), Unavailable> {
        let delete = self.client.delete_item().table_name(table).set_key(Some(key));
        delete.send().await.map_err(unavailable(DELETE)).map(|_| ())
    }

    async fn delete_batch(&self, batch: &[(Subject, Place)]) -> Result<(), Unavailable> {
        let request = |(subject, place): &(Subject, Place)| {
            let entry = LookupEntry { subject: subject.clone(), place: place.clone(), expires_at: None };
            let LookupItem { subject, place, .. } = LookupItem::from(&entry);
            let key = [(SUBJECT, subject), (PLACE, place)].map(|(name, value)| (name.to_owned(), text(value)));
            let delete = DeleteRequest::builder().set_key(Some(key.into())).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        };
        let requests: Result<Vec<WriteRequest>, _> = batch.iter().map(request).collect();
        let requests = requests.map_err(|fault| Unavailable { service: DELETE_ENTRIES, reason: fault.to_string() })?;
        let written = write_batch(&self.client, (&self.tables.lookups, DELETE_ENTRIES), requests, REPEATS).await;
        written.map_err(|unwritten| unwritten.why)
    }
}

impl Erasures for DynamoErasures {
    async fn erase_transaction(&self, transaction: &TransactionKey, key: &ArchiveKey) -> Result<(), Unavailable> {
        let items = self.items(transaction).await?;
        let (originals, later): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.revision == ORIGINAL);
        for item in later {
            self.erase(item, key).await?;
        }
        for original in originals {
            self.erase_use(&original, transaction).await?;
            self.erase(original, key).await?;
        }
        Ok(())
    }

    async fn erase_notes(&self, of: &TransactionKey, by: &TransactionKey, key: &ArchiveKey) -> Result<(), Unavailable> {
        for item in self.items(of).await?.into_iter().filter(PostbackItem::is_adjustment) {
            let note = Adjustment::try_from(item.clone()).map_err(|reason| Unavailable { service: QUERY, reason })?;
            if note.by.postback.key() == *by {
                self.erase(item, key).await?;
            }
        }
        Ok(())
    }

    async fn replace_attempt(&self, delivery: &DeliveryId, attempt: &KeptAttempt) -> Result<(), Unavailable> {
        let item = AttemptItem::of_kept(delivery, attempt);
        let put = || put(PUT_ATTEMPT, &self.tables.attempts, &item, Requires::Nothing);
        send_put(&self.client, PUT_ATTEMPT, put).await.map(|_| ())
    }

    async fn delete_refusal(&self, content_key: &str) -> Result<(), Unavailable> {
        self.delete(&self.tables.refusals, key_of(PROVIDER_CONTENT, content_key)).await
    }

    async fn delete_click(&self, id: &ClickId) -> Result<(), Unavailable> {
        self.delete(&self.tables.clicks, key_of(CLICK_ID, id)).await
    }

    async fn delete_participant(&self, id: &UserId) -> Result<(), Unavailable> {
        self.delete(&self.tables.participants, key_of(USER_ID, id)).await
    }

    async fn delete_entries(&self, entries: &[(Subject, Place)]) -> Result<(), Unavailable> {
        for batch in entries.chunks(BATCH) {
            self.delete_batch(batch).await?;
        }
        Ok(())
    }
}
