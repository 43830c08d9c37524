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
use super::{item::lookups::LookupItem, to_item};
use crate::aws::unavailable;

const WRITE: &str = "DynamoDB BatchWriteItem lookups";

/// Limits the items that one request writes.
pub(super) const BATCH: usize = 25;
/// Limits the concurrent requests.
const AT_ONCE: usize = 8;
/// Limits the requests for one batch of items. DynamoDB may leave items unprocessed, and these are sent again after a
/// wait. Each wait is twice the previous one, up to [`LONGEST_WAIT`].
const REPEATS: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

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
        let request = |entry: &LookupEntry| {
            let put = PutRequest::builder().set_item(Some(to_item(WRITE, &LookupItem::from(entry))?)).build();
            let put = put.map_err(|fault| Unavailable { service: WRITE, reason: fault.to_string() })?;
            Ok(WriteRequest::builder().put_request(put).build())
        };
        let requests: Result<Vec<WriteRequest>, Unavailable> = entries.iter().map(request).collect();
        let requests = match requests {
            Ok(requests) => requests,
            Err(unavailable) => return entries.iter().map(|_| Err(unavailable.clone())).collect(),
        };
        match write(&self.client, (&self.table, WRITE), requests.clone(), REPEATS).await {
            Ok(()) => requests.iter().map(|_| Ok(())).collect(),
            Err(Unwritten { left, why }) => {
                requests.iter().map(|one| if left.contains(one) { Err(why.clone()) } else { Ok(()) }).collect()
            }
        }
    }
}

/// Lists requests that did not take place, and says why.
pub(super) struct Unwritten {
    left: Vec<WriteRequest>,
    pub(super) why: Unavailable,
}

/// Writes to a table at most [`BATCH`] items. If DynamoDB does not process some of them, sends these again after a wait,
/// in at most `repeats` requests in all.
pub(super) async fn write(
    client: &Client,
    (table, service): (&str, &'static str),
    mut left: Vec<WriteRequest>,
    repeats: u32,
) -> Result<(), Unwritten> {
    for repeat in 0..repeats {
        if repeat > 0 {
            tokio::time::sleep((FIRST_WAIT * 2u32.pow(repeat)).min(LONGEST_WAIT)).await;
        }
        let sent = client.batch_write_item().request_items(table, left.clone()).send().await;
        match sent.map_err(unavailable(service)) {
            Ok(written) => left = written.unprocessed_items.unwrap_or_default().into_values().flatten().collect(),
            Err(why) => return Err(Unwritten { left, why }),
        }
        if left.is_empty() {
            return Ok(());
        }
    }
    Err(Unwritten { left, why: Unavailable { service, reason: "throttled".into() } })
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
