//! Finds the deliveries under way by their sparse index.

use app::ports::{PageToken, Unavailable, UnderWay, UnderWayPage};
use aws_sdk_dynamodb::Client;
use domain::{outbound::delivery::Delivery, values::time::UnixMillis};

use super::{
    Item,
    item::media_buying::{
        DELIVERY_ID, DELIVERY_REVISION, DeliveryItem, SWEPT_AT, UNDER_WAY_INDEX, UNDER_WAY_SHARD, UNDER_WAY_SHARDS,
        UNDER_WAY_SINCE,
    },
    key_of, number,
    read::{get_readable, start_key, token},
    write::took_place,
};
use crate::aws::unavailable;

const QUERY: &str = "DynamoDB Query deliveries under_way";
const GET: &str = "DynamoDB BatchGetItem deliveries";
const MARK: &str = "DynamoDB UpdateItem deliveries";

/// Limits a page to the number of items that one `BatchGetItem` accepts.
const PAGE: i32 = 100;

/// Implements [`UnderWay`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoUnderWay {
    client: Client,
    deliveries: String,
}

impl DynamoUnderWay {
    /// Uses this table of deliveries.
    pub fn new(client: Client, deliveries: String) -> Self {
        Self { client, deliveries }
    }
}

impl UnderWay for DynamoUnderWay {
    fn shards(&self) -> u32 {
        UNDER_WAY_SHARDS
    }

    async fn page(
        &self,
        shard: u32,
        opened_before: UnixMillis,
        from: Option<PageToken>,
    ) -> Result<UnderWayPage, Unavailable> {
        let query = self
            .client
            .query()
            .table_name(&self.deliveries)
            .index_name(UNDER_WAY_INDEX)
            .key_condition_expression("#shard = :shard AND #since < :before")
            .expression_attribute_names("#shard", UNDER_WAY_SHARD)
            .expression_attribute_names("#since", UNDER_WAY_SINCE)
            .expression_attribute_values(":shard", number(shard))
            .expression_attribute_values(":before", number(opened_before.as_millisecond()))
            .limit(PAGE)
            .set_exclusive_start_key(start_key(QUERY, from)?);
        let found = query.send().await.map_err(unavailable(QUERY))?;
        let keys = found.items.unwrap_or_default().into_iter();
        let keys = keys.filter_map(|mut item| item.remove_entry(DELIVERY_ID)).map(|entry| Item::from([entry]));
        let keys: Vec<Item> = keys.collect();
        let asked = keys.len();
        let items: Vec<DeliveryItem> = get_readable(&self.client, GET, &self.deliveries, keys).await?;
        // Deliveries are never deleted. A delivery that is missing from the items read therefore exists and cannot be
        // read.
        let unreadable = u64::try_from(asked.saturating_sub(items.len())).unwrap_or(u64::MAX);
        let deliveries = items.into_iter().map(|item| (item.delivery, item.swept_at)).collect();
        Ok(UnderWayPage { deliveries, unreadable, next: token(QUERY, found.last_evaluated_key)? })
    }

    async fn mark_swept(&self, delivery: &Delivery, at: UnixMillis) -> Result<(), Unavailable> {
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(key_of(DELIVERY_ID, delivery.id())))
            .update_expression("SET #swept_at = :at")
            .condition_expression("#revision = :read")
            .expression_attribute_names("#swept_at", SWEPT_AT)
            .expression_attribute_names("#revision", DELIVERY_REVISION)
            .expression_attribute_values(":at", number(at.as_millisecond()))
            .expression_attribute_values(":read", number(delivery.revision()));
        took_place(MARK, update.send().await).map(|_| ())
    }
}
