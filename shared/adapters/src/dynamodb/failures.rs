//! The deliveries that ended and were not delivered, found by their sparse index; and the attempts beside a delivery.

use app::ports::{PageToken, Unavailable};
use aws_sdk_dynamodb::{Client, operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use domain::{
    ids::{DeliveryId, Provider},
    moment::Moment,
};
use futures_util::future::try_join_all;

use super::{
    Item, from_item,
    get_all::get_all,
    item::media_buying::{
        AttemptItem, DELIVERY_ID, DeliveryItem, FAILED_AT, FAILED_INDEX, FAILED_SHARD, FAILED_SHARDS, failed_shard,
    },
};
use crate::aws::unavailable;

const QUERY: &str = "DynamoDB Query deliveries failed";
const GET: &str = "DynamoDB BatchGetItem deliveries";
const QUERY_ATTEMPTS: &str = "DynamoDB Query attempts";

/// How many keys one page of a shard has.
const PAGE: i32 = 100;

/// When something ended: from the first instant on, before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The first instant that counts.
    pub from: Moment,
    /// The first that no longer does.
    pub before: Moment,
}

/// The deliveries that failed, and every delivery's older attempts.
#[derive(Debug, Clone)]
pub struct DynamoFailures {
    client: Client,
    deliveries: String,
    attempts: String,
}

impl DynamoFailures {
    /// How many parts a partner's failures have, numbered from 0.
    pub const SHARDS: u32 = FAILED_SHARDS;

    /// The failures of these two tables.
    pub fn new(client: Client, deliveries: String, attempts: String) -> Self {
        Self { client, deliveries, attempts }
    }

    /// The newest of a partner's failures, so many at most, the newest first.
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

    /// One page of one part of a partner's failures, the oldest first, and where the next begins.
    pub async fn page(
        &self,
        provider: &Provider,
        shard: u32,
        ended: Ended,
        from: Option<PageToken>,
    ) -> Result<(Vec<DeliveryItem>, Option<PageToken>), Unavailable> {
        let from = from.map(|token| start_key(&token, provider, shard)).transpose()?;
        let query = self.query(provider, shard, ended).limit(PAGE).set_exclusive_start_key(from);
        let found = query.send().await.map_err(unavailable(QUERY))?;
        let next = found.last_evaluated_key.filter(|key| !key.is_empty()).as_ref().and_then(token);
        Ok((self.read(found.items.unwrap_or_default()).await?, next))
    }

    /// A delivery's attempts of older rounds, and those that were recorded too late, as they were made.
    pub async fn older_attempts(&self, id: &DeliveryId) -> Result<Vec<AttemptItem>, Unavailable> {
        let (mut attempts, mut from) = (Vec::new(), None);
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.attempts)
                .key_condition_expression("#id = :id")
                .expression_attribute_names("#id", DELIVERY_ID)
                .expression_attribute_values(":id", AttributeValue::S(id.to_string()))
                .consistent_read(true)
                .set_exclusive_start_key(from);
            let found = query.send().await.map_err(unavailable(QUERY_ATTEMPTS))?;
            for item in found.items.unwrap_or_default() {
                attempts.push(from_item(QUERY_ATTEMPTS, item)?);
            }
            from = found.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(attempts);
            }
        }
    }

    fn query(&self, provider: &Provider, shard: u32, ended: Ended) -> QueryFluentBuilder {
        // Both ends of BETWEEN count.
        let last = ended.before.as_millisecond().saturating_sub(1);
        self.client
            .query()
            .table_name(&self.deliveries)
            .index_name(FAILED_INDEX)
            .key_condition_expression("#shard = :shard AND #at BETWEEN :from AND :last")
            .expression_attribute_names("#shard", FAILED_SHARD)
            .expression_attribute_names("#at", FAILED_AT)
            .expression_attribute_values(":shard", AttributeValue::S(failed_shard(provider, shard)))
            .expression_attribute_values(":from", AttributeValue::N(ended.from.as_millisecond().to_string()))
            .expression_attribute_values(":last", AttributeValue::N(last.to_string()))
    }

    async fn read(&self, found: Vec<Item>) -> Result<Vec<DeliveryItem>, Unavailable> {
        let keys = found.into_iter().filter_map(|mut item| item.remove_entry(DELIVERY_ID));
        get_all(&self.client, GET, &self.deliveries, keys.map(|entry| Item::from([entry])).collect()).await
    }
}

fn failed_at(key: &Item) -> i64 {
    key.get(FAILED_AT).and_then(|at| at.as_n().ok()).and_then(|at| at.parse().ok()).unwrap_or_default()
}

/// `at id`: what a key of the index says beside its shard.
fn token(key: &Item) -> Option<PageToken> {
    Some(PageToken(format!("{} {}", key.get(FAILED_AT)?.as_n().ok()?, key.get(DELIVERY_ID)?.as_s().ok()?)))
}

fn start_key(token: &PageToken, provider: &Provider, shard: u32) -> Result<Item, Unavailable> {
    let unreadable = || Unavailable { service: QUERY, reason: "the page's beginning cannot be read".to_owned() };
    let (at, id) = token.0.split_once(' ').ok_or_else(unreadable)?;
    Ok(Item::from([
        (FAILED_SHARD.to_owned(), AttributeValue::S(failed_shard(provider, shard))),
        (FAILED_AT.to_owned(), AttributeValue::N(at.to_owned())),
        (DELIVERY_ID.to_owned(), AttributeValue::S(id.to_owned())),
    ]))
}
