//! Stores postbacks: one item for the original of each transaction, and one item for each later revision.

use std::collections::{BTreeSet, HashMap};

use app::ports::{Added, Postbacks, Recorded, RecordedRevisions, Replaced, Unavailable};
use aws_sdk_dynamodb::{
    Client, operation::get_item::builders::GetItemFluentBuilder, types::ReturnValuesOnConditionCheckFailure,
};
use domain::{
    inbound::{
        conversion::{Receipt, RecordedPostback},
        correction::{Revision, Step},
        postback::Postback,
        transaction::{Adjustment, History},
    },
    values::ids::{Provider, ReceiptId, TransactionId, TransactionKey},
};

use super::{
    Item, from_item,
    item::{CLICK_USE, ClickUseItem, ORIGINAL, PROVIDER_TRANSACTION, PostbackItem, REVISION},
    read, text,
    write::{
        CONDITION, OTHER_TRANSACTION, Requires, cancellation_reasons, in_transaction, is_cancelled, put, replaced,
        send_put, transact,
    },
};
use crate::aws::unavailable;

const PUT: &str = "DynamoDB PutItem postbacks";
const GET: &str = "DynamoDB GetItem postbacks";
const GET_ALL: &str = "DynamoDB BatchGetItem postbacks";
const QUERY: &str = "DynamoDB Query postbacks";
const TRANSACT: &str = "DynamoDB TransactWriteItems postbacks";
const ONCE: &str = "DynamoDB TransactWriteItems postbacks and uses of clicks";

/// Limits how often a postback is put when other transactions write the same items at the same time.
const MAX_RACES: u32 = 5;

/// Implements [`Postbacks`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoPostbacks {
    client: Client,
    pub(super) table: String,
}

impl DynamoPostbacks {
    /// Uses this table of postbacks.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Returns the receipt of the later revision with this number in a transaction, or `None` if there is no such
    /// revision.
    pub(super) async fn receipt_at(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
        place: u32,
    ) -> Result<Option<ReceiptId>, Unavailable> {
        let get = self.get(provider, transaction_id, &PostbackItem::revision_at(place));
        let item: Option<PostbackItem> = read::get(GET, get).await?;
        Ok(item.map(|item| item.receipt_id))
    }

    /// Puts the original and the use of its click, both or neither. Returns `None` if that was done, and otherwise the
    /// stored items that are in the way, as far as DynamoDB returns them.
    async fn put_once(&self, postback: &RecordedPostback) -> Result<Option<[Option<Item>; 2]>, Unavailable> {
        let absent = Requires::Absence(PROVIDER_TRANSACTION);
        let mut puts = [
            put(ONCE, &self.table, &PostbackItem::from(postback), absent)?,
            put(ONCE, &self.table, &ClickUseItem::from(postback), absent)?,
        ];
        for put in &mut puts {
            put.return_values_on_condition_check_failure = Some(ReturnValuesOnConditionCheckFailure::AllOld);
        }
        let request = self.client.transact_write_items().set_transact_items(Some(puts.map(in_transaction).into()));
        let Err(error) = request.send().await else { return Ok(None) };
        if !is_cancelled(&error, &[CONDITION, OTHER_TRANSACTION]) {
            return Err(unavailable(ONCE)(error));
        }
        let mut reasons = cancellation_reasons(error).into_iter();
        Ok(Some([(); 2].map(|()| reasons.next().and_then(|reason| reason.item).filter(|item| !item.is_empty()))))
    }

    fn get(&self, provider: &Provider, transaction_id: &TransactionId, revision: &str) -> GetItemFluentBuilder {
        self.client
            .get_item()
            .table_name(&self.table)
            .key(PROVIDER_TRANSACTION, text(PostbackItem::key(provider, transaction_id)))
            .key(REVISION, text(revision))
            .consistent_read(true)
    }
}

impl Postbacks for DynamoPostbacks {
    /// Makes one conditional write and no read. If the condition fails, DynamoDB returns the stored item.
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        let put = || put(PUT, &self.table, &PostbackItem::from(postback), Requires::Absence(PROVIDER_TRANSACTION));
        let Some(existing) = send_put(&self.client, PUT, put).await? else { return Ok(Recorded::Fresh) };
        recorded(PUT, from_item(PUT, existing)?).map(|original| Recorded::Existing(Box::new(original)))
    }

    /// Makes one transaction of two conditional writes. If the original exists, DynamoDB returns it. If only the use of
    /// the click is in the way, or another transaction was writing at the same time, reads what is recorded.
    async fn record_once(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        let (provider, id) = (&postback.postback.provider, &postback.receipt.transaction_id);
        for _ in 0..MAX_RACES {
            let Some([original, used]) = self.put_once(postback).await? else { return Ok(Recorded::Fresh) };
            if let Some(original) = original {
                return recorded(ONCE, from_item(ONCE, original)?).map(|it| Recorded::Existing(Box::new(it)));
            }
            // DynamoDB does not promise to name every condition that does not hold.
            if let Some(original) = self.find(provider, id).await? {
                return Ok(Recorded::Existing(Box::new(original)));
            }
            let first = match used {
                Some(used) => Some(from_item::<ClickUseItem>(ONCE, used)?.into()),
                None => self.find_use(&postback.postback).await?,
            };
            // If an equal call used the click meanwhile, the next try finds its original.
            if let Some(first) = first.filter(|first| first.transaction_id != *id) {
                return Ok(Recorded::Used(Box::new(first)));
            }
        }
        Err(Unavailable { service: ONCE, reason: format!("others wrote at the same time {MAX_RACES} times in a row") })
    }

    async fn find_use(&self, postback: &Postback) -> Result<Option<Receipt>, Unavailable> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PROVIDER_TRANSACTION, text(ClickUseItem::key(postback)))
            .key(REVISION, text(CLICK_USE))
            .consistent_read(true);
        let item: Option<ClickUseItem> = read::get(GET, get).await?;
        Ok(item.map(Receipt::from))
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        let get = self.get(provider, transaction_id, ORIGINAL);
        read::get(GET, get).await?.map(|item| recorded(GET, item)).transpose()
    }

    async fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<History>, Unavailable> {
        history(&self.client, &self.table, &TransactionKey::of(provider, transaction_id)).await
    }

    /// Makes one conditional write and no read, like [`record`](Self::record).
    async fn add_step(&self, step: &Step) -> Result<Added, Unavailable> {
        let put = || put(PUT, &self.table, &PostbackItem::from(step), Requires::Absence(PROVIDER_TRANSACTION));
        let Some(taken) = send_put(&self.client, PUT, put).await? else { return Ok(Added::Done) };
        from_item(PUT, taken).map(|taken: PostbackItem| Added::Taken(taken.receipt_id))
    }

    async fn adjust(&self, reversed: &TransactionId, adjustment: &Adjustment) -> Result<Replaced, Unavailable> {
        let items = [PostbackItem::from(&adjustment.by), PostbackItem::adjustment(reversed, adjustment)];
        let absent = Requires::Absence(PROVIDER_TRANSACTION);
        let write = |item: &PostbackItem| put(TRANSACT, &self.table, item, absent).map(in_transaction);
        let writes = items.iter().map(write).collect::<Result<_, _>>()?;
        transact(&self.client, TRANSACT, writes, &[CONDITION, OTHER_TRANSACTION]).await.map(replaced)
    }
}

/// Reads all items of one transaction in one consistent query.
pub(super) async fn history(
    client: &Client,
    table: &str,
    key: &TransactionKey,
) -> Result<Option<History>, Unavailable> {
    let query = client
        .query()
        .table_name(table)
        .key_condition_expression("#key = :key")
        .expression_attribute_names("#key", PROVIDER_TRANSACTION)
        .expression_attribute_values(":key", text(key.as_str()))
        .consistent_read(true);
    let items: Vec<PostbackItem> = read::query(QUERY, query).await?;
    PostbackItem::history(items).map_err(|reason| Unavailable { service: QUERY, reason })
}

impl RecordedRevisions for DynamoPostbacks {
    async fn recorded(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, Result<Revision, String>>, Unavailable> {
        let asked = keys.iter().filter_map(|key| PostbackItem::key_of_lookup_key(key)).collect();
        let items = read::get_items(&self.client, GET_ALL, &self.table, asked).await?;
        let read = |item: super::Item| {
            let key = PostbackItem::lookup_key_of(&item)?;
            let item = from_item::<PostbackItem>(GET_ALL, item).map_err(|fault| fault.reason);
            Some((key, item.and_then(Revision::try_from)))
        };
        Ok(items.into_iter().filter_map(read).collect())
    }
}

fn recorded(service: &'static str, item: PostbackItem) -> Result<RecordedPostback, Unavailable> {
    item.try_into().map_err(|reason| Unavailable { service, reason })
}
