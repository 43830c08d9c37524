//! Finds failed deliveries by their sparse index, and the attempts stored beside a delivery.

use app::ports::{PageToken, Unavailable};
use aws_sdk_dynamodb::{Client, operation::query::builders::QueryFluentBuilder};
use domain::values::{
    ids::{DeliveryId, Provider},
    time::UnixMillis,
};
use futures_util::future::try_join_all;

use super::{
    Item,
    item::media_buying::{
        AttemptItem, DELIVERY_ID, DeliveryItem, FAILED_AT, FAILED_INDEX, FAILED_SHARD, FAILED_SHARDS, failed_shard,
    },
    number,
    read::{self, get_all, start_key, token},
    text,
};
use crate::aws::unavailable;

const QUERY: &str = "DynamoDB Query deliveries failed";
const GET: &str = "DynamoDB BatchGetItem deliveries";
const QUERY_ATTEMPTS: &str = "DynamoDB Query attempts";

/// Limits the keys of one page of a shard.
const PAGE: i32 = 100;

/// Selects the deliveries that ended in this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Holds the first instant of the range.
    pub from: UnixMillis,
    /// Holds the first instant after the range.
    pub before: UnixMillis,
}

/// Reads failed deliveries, and the older attempts of all deliveries.
#[derive(Debug, Clone)]
pub struct DynamoFailures {
    client: Client,
    deliveries: String,
    attempts: String,
}

impl DynamoFailures {
    /// Counts the shards of a partner's failures, which are numbered from 0.
    pub const SHARDS: u32 = FAILED_SHARDS;

    /// Uses these two tables.
    pub fn new(client: Client, deliveries: String, attempts: String) -> Self {
        Self { client, deliveries, attempts }
    }

    /// Returns the newest failures of a partner, up to a limit, the newest first.
    pub async fn newest(
        &self,
        provider: &Provider,
        ended: Ended,
        limit: usize,
    ) -> Result<Vec<DeliveryItem>, Unavailable> {
        let page = i32::try_from(limit).unwrap_or(PAGE);
        let shards = (0..Self::SHARDS).map(async |shard| {
            let found = self.query(provider, shard, ended).scan_index_forward(false).limit(page).send().await;
            found.map_err(unavailable(QUERY)).map(|found| found.items.unwrap_or_default())
        });
        let mut keys: Vec<Item> = try_join_all(shards).await?.into_iter().flatten().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(failed_at(key)));
        keys.truncate(limit);
        let mut items = self.read(keys).await?;
        items.sort_by_key(|item| std::cmp::Reverse(item.failed_at));
        Ok(items)
    }

    /// Returns one page of one shard of a partner's failures, the oldest first, and the start of the next page.
    pub async fn page(
        &self,
        provider: &Provider,
        shard: u32,
        ended: Ended,
        from: Option<PageToken>,
    ) -> Result<(Vec<DeliveryItem>, Option<PageToken>), Unavailable> {
        let query = self.query(provider, shard, ended).limit(PAGE);
        let found = query.set_exclusive_start_key(start_key(QUERY, from)?).send().await.map_err(unavailable(QUERY))?;
        Ok((self.read(found.items.unwrap_or_default()).await?, token(QUERY, found.last_evaluated_key)?))
    }

    /// Returns a delivery's late attempts and those of older rounds, in the order they were made.
    pub async fn older_attempts(&self, id: &DeliveryId) -> Result<Vec<AttemptItem>, Unavailable> {
        let query = self
            .client
            .query()
            .table_name(&self.attempts)
            .key_condition_expression("#id = :id")
            .expression_attribute_names("#id", DELIVERY_ID)
            .expression_attribute_values(":id", text(id))
            .consistent_read(true);
        read::query(QUERY_ATTEMPTS, query).await
    }

    fn query(&self, provider: &Provider, shard: u32, ended: Ended) -> QueryFluentBuilder {
        // BETWEEN includes both ends.
        let last = ended.before.as_millisecond().saturating_sub(1);
        self.client
            .query()
            .table_name(&self.deliveries)
            .index_name(FAILED_INDEX)
            .key_condition_expression("#shard = :shard AND #at BETWEEN :from AND :last")
            .expression_attribute_names("#shard", FAILED_SHARD)
            .expression_attribute_names("#at", FAILED_AT)
            .expression_attribute_values(":shard", text(failed_shard(provider, shard)))
            .expression_attribute_values(":from", number(ended.from.as_millisecond()))
            .expression_attribute_values(":last", number(last))
    }

    async fn read(&self, found: Vec<Item>) -> Result<Vec<DeliveryItem>, Unavailable> {
        let keys = found.into_iter().filter_map(|mut item| item.remove_entry(DELIVERY_ID));
        get_all(&self.client, GET, &self.deliveries, keys.map(|entry| Item::from([entry])).collect()).await
    }
}

fn failed_at(key: &Item) -> i64 {
    key.get(FAILED_AT).and_then(|at| at.as_n().ok()).and_then(|at| at.parse().ok()).unwrap_or_default()
}
