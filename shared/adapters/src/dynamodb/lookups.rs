//! Writes lookups in batches. Reads the lookups of a subject from all shards at once.

mod coverage;
mod listing;

use std::time::Duration;

use app::ports::{Lookups, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    types::{PutRequest, WriteRequest},
};
use domain::{
    jiff::Timestamp,
    lookup::{LookupEntry, Origin},
};
use futures_util::future::join_all;

pub use self::coverage::DynamoListings;
use super::{Item, item::lookups::LookupItem, to_item};
use crate::aws::unavailable;

const WRITE: &str = "DynamoDB BatchWriteItem lookups";

/// Limits the items that one request writes.
const BATCH: usize = 25;
/// Limits the concurrent requests.
const AT_ONCE: usize = 8;
/// Limits the requests for one batch of items. DynamoDB may leave items unprocessed, and these are sent again after a
/// wait. Each wait is twice the previous one.
const REPEATS: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Implements [`Lookups`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoLookups {
    client: Client,
    table: String,
}

impl DynamoLookups {
    /// Returns the greatest number of consecutive requests that writing this many entries takes.
    pub const fn requests_in_a_row(entries: usize) -> u32 {
        #[allow(clippy::cast_possible_truncation, reason = "a batch has some hundreds of entries")]
        let rounds = entries.div_ceil(BATCH * AT_ONCE) as u32;
        rounds * REPEATS
    }

    /// Uses this table of lookups.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn put_batch(&self, entries: &[LookupEntry]) -> Vec<Result<(), Unavailable>> {
        let items: Result<Vec<Item>, Unavailable> =
            entries.iter().map(|entry| to_item(WRITE, &LookupItem::from(entry))).collect();
        match items {
            Ok(items) => self.write(items).await,
            Err(unavailable) => entries.iter().map(|_| Err(unavailable.clone())).collect(),
        }
    }

    /// Writes items. If DynamoDB does not process some items, sends these items again after a wait.
    async fn write(&self, items: Vec<Item>) -> Vec<Result<(), Unavailable>> {
        let mut left = items.clone();
        let mut why = Unavailable { service: WRITE, reason: "throttled".into() };
        for repeat in 0..REPEATS {
            if repeat > 0 {
                tokio::time::sleep(FIRST_WAIT * 2u32.pow(repeat)).await;
            }
            match self.write_once(left.clone()).await {
                Ok(unprocessed) if unprocessed.is_empty() => return items.iter().map(|_| Ok(())).collect(),
                Ok(unprocessed) => left = unprocessed,
                Err(unavailable) => {
                    why = unavailable;
                    break;
                }
            }
        }
        items.iter().map(|item| if left.contains(item) { Err(why.clone()) } else { Ok(()) }).collect()
    }

    async fn write_once(&self, items: Vec<Item>) -> Result<Vec<Item>, Unavailable> {
        let request = |item: Item| {
            let put = PutRequest::builder().set_item(Some(item)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
        };
        let requests: Result<Vec<WriteRequest>, _> = items.into_iter().map(request).collect();
        let requests = requests.map_err(|fault| Unavailable { service: WRITE, reason: fault.to_string() })?;
        let write = self.client.batch_write_item().request_items(&self.table, requests).send().await;
        let left = write.map_err(unavailable(WRITE))?.unprocessed_items.unwrap_or_default();
        Ok(left.into_values().flatten().filter_map(|request| request.put_request).map(|put| put.item).collect())
    }
}

impl Lookups for DynamoLookups {
    async fn put(&self, entries: &[LookupEntry]) -> Vec<Result<(), Unavailable>> {
        let mut results = Vec::with_capacity(entries.len());
        for round in entries.chunks(BATCH * AT_ONCE) {
            let batches = join_all(round.chunks(BATCH).map(|batch| self.put_batch(batch))).await;
            results.extend(batches.into_iter().flatten());
        }
        results
    }

    async fn beat(&self, origin: Origin, up_to: Timestamp, now: Timestamp) -> Result<(), Unavailable> {
        self.store_beat(origin, up_to, now).await
    }
}
