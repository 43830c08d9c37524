//! Lists one subject's entries in order of time. Merges the entries of all shards, and reads only as many as are
//! needed.

use std::collections::VecDeque;

use app::ports::{Listings, Range, Unavailable};
use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::Select};
use domain::{
    jiff::Timestamp,
    lookup::{Place, SHARDS, Subject},
};
use futures_util::{Stream, future::join_all, stream};

use super::{DynamoListings, DynamoLookups};
use crate::{
    aws::unavailable,
    dynamodb::{
        Item, from_item,
        item::lookups::{LookupItem, PLACE, SUBJECT, partition},
        text,
    },
};

const QUERY: &str = "DynamoDB Query lookups";

/// Holds a list that is being read.
#[derive(Debug)]
struct Listing {
    lookups: DynamoLookups,
    subject: Subject,
    range: Range,
    now: Timestamp,
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    found: VecDeque<Place>,
    /// Holds the key after which the next page begins. It is `None` before the first page and after the last one.
    from: Option<Item>,
    at_end: bool,
}

impl DynamoLookups {
    fn query(&self, subject: &Subject, shard: u8, range: &Range) -> QueryFluentBuilder {
        let (least, greatest) = range.bounds();
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#subject = :subject AND #place BETWEEN :least AND :greatest")
            .expression_attribute_names("#subject", SUBJECT)
            .expression_attribute_names("#place", PLACE)
            .expression_attribute_values(":subject", text(partition(subject, shard)))
            .expression_attribute_values(":least", text(least))
            .expression_attribute_values(":greatest", text(greatest))
            .scan_index_forward(!range.newest_first)
    }
}

impl Listings for DynamoListings {
    fn list(
        &self,
        subject: Subject,
        range: Range,
        now: Timestamp,
    ) -> impl Stream<Item = Result<Place, Unavailable>> + Send {
        let (least, greatest) = range.bounds();
        // DynamoDB refuses a range that ends before it begins. Such a range is empty.
        let shard = || Shard { at_end: least > greatest, ..Shard::default() };
        let shards = (0..SHARDS).map(|_| shard()).collect();
        let listing = Listing { lookups: self.lookups.clone(), subject, range, now, shards };
        stream::try_unfold(listing, async |mut listing| Ok(listing.next().await?.map(|place| (place, listing))))
    }

    /// The count includes entries that have expired and are not deleted yet.
    async fn count(&self, subject: Subject, range: Range) -> Result<usize, Unavailable> {
        let (least, greatest) = range.bounds();
        if least > greatest {
            return Ok(0);
        }
        let counts = (0..SHARDS).map(|shard| {
            let query = self.lookups.query(&subject, shard, &range).select(Select::Count);
            async move {
                let (mut pages, mut count) = (query.into_paginator().send(), 0);
                while let Some(page) = pages.next().await {
                    count += usize::try_from(page.map_err(unavailable(QUERY))?.count).unwrap_or_default();
                }
                Ok(count)
            }
        });
        join_all(counts).await.into_iter().sum()
    }
}

impl Listing {
    /// Returns the next entry's place, or `None` at the end.
    async fn next(&mut self) -> Result<Option<Place>, Unavailable> {
        loop {
            self.fill().await?;
            let firsts = self.shards.iter().enumerate().filter_map(|(at, shard)| Some((shard.found.front()?, at)));
            let next = if self.range.newest_first { firsts.max() } else { firsts.min() };
            let Some((_, at)) = next else { return Ok(None) };
            let place = self.shards.get_mut(at).and_then(|shard| shard.found.pop_front());
            if place.is_none() || place != self.range.after {
                return Ok(place);
            }
        }
    }

    /// Reads the next page of each shard that has no entry left to compare, all pages at the same time.
    async fn fill(&mut self) -> Result<(), Unavailable> {
        loop {
            let empty = |shard: &Shard| shard.found.is_empty() && !shard.at_end;
            let hungry: Vec<u8> =
                (0..SHARDS).zip(&self.shards).filter(|(_, shard)| empty(shard)).map(|(at, _)| at).collect();
            if hungry.is_empty() {
                return Ok(());
            }
            let pages = join_all(hungry.iter().map(|at| self.page(*at))).await;
            for (at, page) in hungry.into_iter().zip(pages) {
                let page = page?;
                if let Some(shard) = self.shards.get_mut(usize::from(at)) {
                    *shard = page;
                }
            }
        }
    }

    async fn page(&self, shard: u8) -> Result<Shard, Unavailable> {
        // Each shard holds about the same share of the entries. The query asks for half as many more, so that a second
        // request to a shard is rare.
        let limit = (self.range.wanted * 3 / 2 / usize::from(SHARDS)).clamp(8, 500);
        let from = self.shards.get(usize::from(shard)).and_then(|shard| shard.from.clone());
        let query = self.lookups.query(&self.subject, shard, &self.range);
        let query = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).set_exclusive_start_key(from);
        let page = query.send().await.map_err(unavailable(QUERY))?;
        let mut found = VecDeque::new();
        for item in page.items.unwrap_or_default() {
            let item: LookupItem = from_item(QUERY, item)?;
            if !item.has_expired(self.now) {
                found.push_back(item.place().ok_or_else(unreadable)?);
            }
        }
        let from = page.last_evaluated_key.filter(|key| !key.is_empty());
        Ok(Shard { found, at_end: from.is_none(), from })
    }
}

fn unreadable() -> Unavailable {
    Unavailable { service: QUERY, reason: "holds an entry that cannot be read".into() }
}
