//! Reads deliveries for operators: by id, by the time of their failure, and with the attempts stored beside them.

use std::{collections::BTreeSet, time::Duration};

use app::ports::{DeliveryRecords, Ended, FailuresPage, KeptAttempt, PageToken, StoredDelivery, Unavailable};
use aws_sdk_dynamodb::{Client, operation::query::builders::QueryFluentBuilder};
use domain::{
    jiff::Timestamp,
    lookup::{Kind, Place},
    values::{
        ids::{DeliveryId, Provider},
        time::UnixMillis,
    },
};
use futures_util::future::try_join_all;

use super::{
    Item,
    item::media_buying::{
        AttemptItem, DELIVERY_ID, DeliveryItem, FAILED_AT, FAILED_INDEX, FAILED_SHARD, FAILED_SHARDS, failed_shard,
    },
    key_of, number,
    read::{self, get_all, start_key, token},
    text,
};
use crate::aws::unavailable;

const QUERY: &str = "DynamoDB Query deliveries failed";
const GET: &str = "DynamoDB BatchGetItem deliveries";
const QUERY_ATTEMPTS: &str = "DynamoDB Query attempts";

/// Limits the keys of one page of a shard.
const PAGE: i32 = 100;

/// Implements [`DeliveryRecords`] in two tables.
#[derive(Debug, Clone)]
pub struct DynamoDeliveryRecords {
    client: Client,
    deliveries: String,
    attempts: String,
}

impl DynamoDeliveryRecords {
    /// Uses the tables of deliveries and of the attempts stored beside them.
    pub fn new(client: Client, deliveries: String, attempts: String) -> Self {
        Self { client, deliveries, attempts }
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

    async fn read(&self, keys: Vec<Item>) -> Result<Vec<StoredDelivery>, Unavailable> {
        let items: Vec<DeliveryItem> = get_all(&self.client, GET, &self.deliveries, keys).await?;
        let stored = |DeliveryItem { delivery, swept_at, .. }| StoredDelivery { delivery, swept_at };
        Ok(items.into_iter().map(stored).collect())
    }

    /// Reads the places of the newest failures of one shard. May return more than `most`.
    async fn newest_of_shard(
        &self,
        provider: &Provider,
        shard: u32,
        ended: Ended,
        before: Option<&Place>,
        most: usize,
    ) -> Result<Vec<Place>, Unavailable> {
        let mut bounds = ended;
        if let Some(place) = before {
            bounds.before = bounds.before.min(UnixMillis::from(place.at()).plus(Duration::from_millis(1)));
        }
        // The query asks for one failure more than is wanted. If the extra failure is older than the last wanted one,
        // all failures of that last instant have been read.
        let limit = i32::try_from(most.saturating_add(1)).unwrap_or(PAGE);
        let query = self.query(provider, shard, bounds).scan_index_forward(false).limit(limit);
        let (mut pages, mut found) = (query.into_paginator().send(), Vec::new());
        while let Some(page) = pages.next().await {
            let keys = page.map_err(unavailable(QUERY))?.items.unwrap_or_default();
            let places = keys.iter().filter_map(failed_place);
            found.extend(places.filter(|place| before.is_none_or(|before| place < before)));
            // The index returns failures of the same instant in any order. Pages are therefore read until all failures
            // of the last wanted instant are there.
            let wanted = found.get(most.saturating_sub(1)).map(Place::at);
            if wanted.is_some() && found.last().map(Place::at) < wanted {
                break;
            }
        }
        Ok(found)
    }

    /// Reads the deliveries that an index names.
    async fn read_found(&self, found: Vec<Item>) -> Result<Vec<StoredDelivery>, Unavailable> {
        let keys = found.into_iter().filter_map(|mut item| item.remove_entry(DELIVERY_ID));
        self.read(keys.map(|entry| Item::from([entry])).collect()).await
    }
}

impl DeliveryRecords for DynamoDeliveryRecords {
    async fn find(&self, ids: &BTreeSet<DeliveryId>) -> Result<Vec<StoredDelivery>, Unavailable> {
        self.read(ids.iter().map(|id| key_of(DELIVERY_ID, id)).collect()).await
    }

    async fn older_attempts(&self, id: &DeliveryId) -> Result<Vec<KeptAttempt>, Unavailable> {
        let query = self
            .client
            .query()
            .table_name(&self.attempts)
            .key_condition_expression("#id = :id")
            .expression_attribute_names("#id", DELIVERY_ID)
            .expression_attribute_values(":id", text(id))
            .consistent_read(true);
        let items: Vec<AttemptItem> = read::query(QUERY_ATTEMPTS, query).await?;
        let now = Timestamp::now();
        Ok(items.into_iter().filter(|item| !item.has_expired(now)).map(KeptAttempt::from).collect())
    }

    async fn newest_failures(
        &self,
        provider: &Provider,
        ended: Ended,
        before: Option<&Place>,
        most: usize,
    ) -> Result<Vec<StoredDelivery>, Unavailable> {
        let shards = (0..FAILED_SHARDS).map(|shard| self.newest_of_shard(provider, shard, ended, before, most));
        let mut places: Vec<Place> = try_join_all(shards).await?.into_iter().flatten().collect();
        places.sort_by(|one, other| other.cmp(one));
        places.truncate(most);
        let mut found = self.read(places.iter().map(|place| key_of(DELIVERY_ID, place.key())).collect()).await?;
        found.sort_by_key(|stored| std::cmp::Reverse(ended.place_of(&stored.delivery)));
        Ok(found)
    }

    fn failure_shards(&self) -> u32 {
        FAILED_SHARDS
    }

    async fn failures_page(
        &self,
        provider: &Provider,
        shard: u32,
        ended: Ended,
        from: Option<PageToken>,
    ) -> Result<FailuresPage, Unavailable> {
        let query = self.query(provider, shard, ended).limit(PAGE);
        let found = query.set_exclusive_start_key(start_key(QUERY, from)?).send().await.map_err(unavailable(QUERY))?;
        let deliveries = self.read_found(found.items.unwrap_or_default()).await?;
        Ok(FailuresPage { deliveries, next: token(QUERY, found.last_evaluated_key)? })
    }
}

fn failed_place(key: &Item) -> Option<Place> {
    let at = key.get(FAILED_AT)?.as_n().ok()?.parse().ok()?;
    let id = key.get(DELIVERY_ID)?.as_s().ok()?;
    Some(Place::new(UnixMillis::from_millisecond(at).timestamp(), Kind::Delivery, id))
}
