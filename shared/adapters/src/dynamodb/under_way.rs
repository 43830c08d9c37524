//! The deliveries under way, found by their sparse index.

use app::ports::{PageToken, Unavailable, UnderWay, UnderWayPage};
use aws_sdk_dynamodb::{Client, operation::update_item::UpdateItemError, types::AttributeValue};
use domain::{delivery::Delivery, moment::Moment};

use super::{
    Item,
    get_all::get_readable,
    item::media_buying::{
        DELIVERY_ID, DELIVERY_REVISION, DeliveryItem, SWEPT_AT, UNDER_WAY_INDEX, UNDER_WAY_SHARD, UNDER_WAY_SHARDS,
        UNDER_WAY_SINCE,
    },
};
use crate::aws::unavailable;

const QUERY: &str = "DynamoDB Query deliveries under_way";
const GET: &str = "DynamoDB BatchGetItem deliveries";
const MARK: &str = "DynamoDB UpdateItem deliveries";

/// As many as one `BatchGetItem` takes.
const PAGE: i32 = 100;

/// [`UnderWay`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoUnderWay {
    client: Client,
    deliveries: String,
}

impl DynamoUnderWay {
    /// What is under way of this table.
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
        opened_before: Moment,
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
            .expression_attribute_values(":shard", AttributeValue::N(shard.to_string()))
            .expression_attribute_values(":before", AttributeValue::N(opened_before.as_millisecond().to_string()))
            .limit(PAGE)
            .set_exclusive_start_key(from.map(|token| start_key(&token, shard)).transpose()?);
        let found = query.send().await.map_err(unavailable(QUERY))?;
        let keys = found.items.unwrap_or_default().into_iter();
        let keys = keys.filter_map(|mut item| item.remove_entry(DELIVERY_ID)).map(|entry| Item::from([entry]));
        let keys: Vec<Item> = keys.collect();
        let asked = keys.len();
        let items: Vec<DeliveryItem> = get_readable(&self.client, GET, &self.deliveries, keys).await?;
        // A delivery is never deleted: what is missing is there.
        let unreadable = u64::try_from(asked.saturating_sub(items.len())).unwrap_or(u64::MAX);
        let deliveries = items.into_iter().map(|item| (item.delivery, item.swept_at)).collect();
        let next = found.last_evaluated_key.filter(|key| !key.is_empty()).as_ref().and_then(token);
        Ok(UnderWayPage { deliveries, unreadable, next })
    }

    async fn mark_swept(&self, delivery: &Delivery, at: Moment) -> Result<(), Unavailable> {
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .key(DELIVERY_ID, AttributeValue::S(delivery.id().to_string()))
            .update_expression("SET #swept_at = :at")
            .condition_expression("#revision = :read")
            .expression_attribute_names("#swept_at", SWEPT_AT)
            .expression_attribute_names("#revision", DELIVERY_REVISION)
            .expression_attribute_values(":at", AttributeValue::N(at.as_millisecond().to_string()))
            .expression_attribute_values(":read", AttributeValue::N(delivery.revision().to_string()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(MARK)(error)),
        }
    }
}

/// `since id`: what a key of the index says beside its shard.
fn token(key: &Item) -> Option<PageToken> {
    let since = key.get(UNDER_WAY_SINCE)?.as_n().ok()?;
    let id = key.get(DELIVERY_ID)?.as_s().ok()?;
    Some(PageToken(format!("{since} {id}")))
}

fn start_key(token: &PageToken, shard: u32) -> Result<Item, Unavailable> {
    let unreadable = || Unavailable { service: QUERY, reason: "the page's beginning cannot be read".to_owned() };
    let (since, id) = token.0.split_once(' ').ok_or_else(unreadable)?;
    Ok(Item::from([
        (UNDER_WAY_SHARD.to_owned(), AttributeValue::N(shard.to_string())),
        (UNDER_WAY_SINCE.to_owned(), AttributeValue::N(since.to_owned())),
        (DELIVERY_ID.to_owned(), AttributeValue::S(id.to_owned())),
    ]))
}
