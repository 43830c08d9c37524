//! What happened to one click, one postback or one content, read back from what was stored.

use app::ports::Unavailable;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::{
    ids::{ClickId, DeliveryId, Provider, TransactionId},
    refusal::ContentKey,
};
use serde::de::DeserializeOwned;

use super::{
    Item, from_item,
    item::{
        CLICK_ID, ClickItem, PROVIDER_CONTENT, PROVIDER_TRANSACTION, PostbackItem, RefusalItem,
        media_buying::{DELIVERY_ID, DeliveryItem},
    },
};
use crate::aws::unavailable;

const GET: &str = "DynamoDB GetItem history";
const QUERY: &str = "DynamoDB Query postbacks";

/// The tables of what happened, to read.
#[derive(Debug, Clone)]
pub struct History {
    client: Client,
    postbacks: String,
    refusals: String,
    clicks: String,
    deliveries: String,
}

impl History {
    /// The history in these four tables.
    pub fn new(client: Client, postbacks: String, refusals: String, clicks: String, deliveries: String) -> Self {
        Self { client, postbacks, refusals, clicks, deliveries }
    }

    /// Everything recorded under one transaction.
    pub async fn transaction(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Vec<PostbackItem>, Unavailable> {
        let query = self
            .client
            .query()
            .table_name(&self.postbacks)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", PROVIDER_TRANSACTION)
            .expression_attribute_values(":key", AttributeValue::S(PostbackItem::key(provider, transaction_id)))
            .consistent_read(true);
        let found = query.send().await.map_err(unavailable(QUERY))?;
        found.items.unwrap_or_default().into_iter().map(|item| from_item(QUERY, item)).collect()
    }

    /// What is kept of a refused or conflicting content.
    pub async fn refusal(&self, key: &ContentKey) -> Result<Option<RefusalItem>, Unavailable> {
        self.get(&self.refusals, PROVIDER_CONTENT, key.as_str()).await
    }

    /// A click.
    pub async fn click(&self, click_id: &ClickId) -> Result<Option<ClickItem>, Unavailable> {
        self.get(&self.clicks, CLICK_ID, click_id.as_str()).await
    }

    /// A delivery, with its current round.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<DeliveryItem>, Unavailable> {
        self.get(&self.deliveries, DELIVERY_ID, id.as_str()).await
    }

    async fn get<T: DeserializeOwned>(&self, table: &str, name: &str, key: &str) -> Result<Option<T>, Unavailable> {
        let key = Item::from([(name.to_owned(), AttributeValue::S(key.to_owned()))]);
        let get = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
        let found = get.send().await.map_err(unavailable(GET))?;
        found.item.map(|item| from_item(GET, item)).transpose()
    }
}
