//! Stores the time up to which the lookups are complete, and reads the tables from which lookups are made.

use std::collections::BTreeMap;

use app::ports::{
    Coverage, Heartbeat, OriginItem, OriginPage, PageToken, Rebuilds, Segment, SegmentPlace, Unavailable,
};
use aws_sdk_dynamodb::Client;
use domain::{jiff::Timestamp, lookup::Origin};

use super::DynamoLookups;
use crate::{
    aws::unavailable,
    dynamodb::{
        Item,
        item::{
            change::ChangedItem,
            lookups::{
                BEATEN_AT, HEARTBEAT, HeartbeatItem, PLACE, REBUILD, RebuildItem, SINCE, SUBJECT, UP_TO, key, of_user,
            },
        },
        number,
        read::{self, start_key, token},
        text, to_item,
    },
};

const BEAT: &str = "DynamoDB UpdateItem lookups";
const QUERY: &str = "DynamoDB Query lookups";
const GET: &str = "DynamoDB GetItem lookups";
const PUT: &str = "DynamoDB PutItem lookups";
const DELETE: &str = "DynamoDB DeleteItem lookups";
const SCAN: &str = "DynamoDB Scan";

/// Implements the ports that read the lookups, and the tables from which lookups are made.
#[derive(Debug, Clone)]
pub struct DynamoListings {
    pub(super) lookups: DynamoLookups,
    origins: BTreeMap<Origin, String>,
}

impl DynamoListings {
    /// Uses this table of lookups. `origin` gives the name of each table from which lookups are made.
    pub fn new(client: Client, lookups: String, origin: impl Fn(Origin) -> String) -> Self {
        let origins = Origin::ALL.into_iter().map(|each| (each, origin(each))).collect();
        Self { lookups: DynamoLookups::new(client, lookups), origins }
    }

    fn table(&self, origin: Origin) -> &str {
        self.origins.get(&origin).map_or("", String::as_str)
    }
}

impl DynamoLookups {
    pub(super) async fn store_heartbeat(&self, item: HeartbeatItem, expression: &str) -> Result<(), Unavailable> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(SUBJECT, text(&item.subject))
            .key(PLACE, text(&item.place))
            .update_expression(expression)
            .expression_attribute_names("#since", SINCE)
            .expression_attribute_names("#up_to", UP_TO)
            .expression_attribute_names("#at", BEATEN_AT)
            .expression_attribute_values(":since", number(item.since.as_millisecond()))
            .expression_attribute_values(":up_to", number(item.up_to.as_millisecond()))
            .expression_attribute_values(":at", number(item.beaten_at.as_millisecond()));
        Box::pin(update.send()).await.map_err(unavailable(BEAT)).map(|_| ())
    }

    pub(super) async fn store_beat(&self, origin: Origin, up_to: Timestamp, now: Timestamp) -> Result<(), Unavailable> {
        let item = HeartbeatItem::new(origin, &Heartbeat { since: now, up_to, beaten_at: now });
        self.store_heartbeat(item, "SET #since = if_not_exists(#since, :since), #up_to = :up_to, #at = :at").await
    }
}

impl Coverage for DynamoListings {
    async fn heartbeats(&self) -> Result<BTreeMap<Origin, Heartbeat>, Unavailable> {
        let query = self
            .lookups
            .client
            .query()
            .table_name(&self.lookups.table)
            .key_condition_expression("#subject = :subject")
            .expression_attribute_names("#subject", SUBJECT)
            .expression_attribute_values(":subject", text(HEARTBEAT));
        let items: Vec<HeartbeatItem> = read::query(QUERY, query).await?;
        let heartbeat = |item: HeartbeatItem| Some((Origin::parse(&item.place)?, item.into()));
        Ok(items.into_iter().filter_map(heartbeat).collect())
    }

    async fn has_items(&self, origin: Origin) -> Result<bool, Unavailable> {
        let scan = self.lookups.client.scan().table_name(self.table(origin)).limit(1);
        Ok(scan.send().await.map_err(unavailable(SCAN))?.count > 0)
    }

    async fn mark_complete(&self, origin: Origin, now: Timestamp) -> Result<(), Unavailable> {
        let since = Timestamp::UNIX_EPOCH;
        let item = HeartbeatItem::new(origin, &Heartbeat { since, up_to: now, beaten_at: now });
        let expression = "SET #since = :since, #up_to = if_not_exists(#up_to, :up_to), #at = if_not_exists(#at, :at)";
        self.lookups.store_heartbeat(item, expression).await
    }
}

impl DynamoListings {
    /// Reads a page of a table, and makes each item by `item`.
    async fn scan(
        &self,
        table: &str,
        segment: Segment,
        (from, most): (Option<PageToken>, usize),
        item: impl Fn(Item) -> OriginItem,
    ) -> Result<OriginPage, Unavailable> {
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let scan = self
            .lookups
            .client
            .scan()
            .table_name(table)
            .segment(count(segment.number))
            .total_segments(count(segment.of))
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start_key(SCAN, from)?);
        let page = scan.send().await.map_err(unavailable(SCAN))?;
        let items = page.items.unwrap_or_default().into_iter().map(item).collect();
        Ok(OriginPage { items, next: token(SCAN, page.last_evaluated_key)? })
    }
}

impl Rebuilds for DynamoListings {
    async fn page(
        &self,
        origin: Origin,
        segment: Segment,
        from: Option<PageToken>,
        most: usize,
    ) -> Result<OriginPage, Unavailable> {
        let item = |item: Item| {
            let key = key(origin, &item);
            OriginItem { key, entries: ChangedItem::read(origin, item.into(), None).map(|item| item.entries()) }
        };
        self.scan(self.table(origin), segment, (from, most), item).await
    }

    async fn written(&self, segment: Segment, from: Option<PageToken>, most: usize) -> Result<OriginPage, Unavailable> {
        let item = |item: Item| {
            let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
            let key = format!("{} {}", part(SUBJECT), part(PLACE));
            OriginItem { key, entries: of_user(item.into()) }
        };
        self.scan(&self.lookups.table, segment, (from, most), item).await
    }

    async fn places(&self, origin: Origin, now: Timestamp) -> Result<Option<Vec<SegmentPlace>>, Unavailable> {
        let get = self.lookups.client.get_item().table_name(&self.lookups.table).consistent_read(true);
        let get = get.key(SUBJECT, text(REBUILD)).key(PLACE, text(origin));
        let item: Option<RebuildItem> = read::get(GET, get).await?;
        Ok(item.filter(|item| item.expires_at > now.as_second()).map(|item| item.segments))
    }

    async fn keep_places(&self, origin: Origin, places: &[SegmentPlace], now: Timestamp) -> Result<(), Unavailable> {
        let item = to_item(PUT, &RebuildItem::new(origin, places, now))?;
        let put = self.lookups.client.put_item().table_name(&self.lookups.table).set_item(Some(item));
        put.send().await.map_err(unavailable(PUT)).map(|_| ())
    }

    async fn forget_places(&self, origin: Origin) -> Result<(), Unavailable> {
        let delete = self.lookups.client.delete_item().table_name(&self.lookups.table);
        let delete = delete.key(SUBJECT, text(REBUILD)).key(PLACE, text(origin));
        delete.send().await.map_err(unavailable(DELETE)).map(|_| ())
    }
}
