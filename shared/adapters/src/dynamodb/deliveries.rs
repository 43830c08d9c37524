//! The deliveries, one item each with its current round; beside them the attempts of older rounds.

use app::ports::{Claimed, Deliveries, NewDeliveries, Put, Replaced, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{AttributeValue, Put as PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use domain::{
    delivery::{Claim, Delivery, LateAttempt, Message, Opened},
    ids::DeliveryId,
};

use super::{
    Item, from_item,
    item::media_buying::{AttemptItem, CLAIM_PATH, DELIVERY_ID, DELIVERY_REVISION, DeliveryItem},
    standing, to_item,
};
use crate::aws::unavailable;

const PUT: &str = "DynamoDB PutItem deliveries";
const CLAIM: &str = "DynamoDB UpdateItem deliveries";
const GET: &str = "DynamoDB GetItem deliveries";
const PUT_ATTEMPT: &str = "DynamoDB PutItem attempts";
const PUT_BOTH: &str = "DynamoDB TransactWriteItems deliveries, attempts";

/// [`NewDeliveries`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoNewDeliveries {
    client: Client,
    table: String,
}

impl DynamoNewDeliveries {
    /// The deliveries in this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl NewDeliveries for DynamoNewDeliveries {
    /// One conditional write and no read: when there is one already, DynamoDB gives it back.
    async fn put_if_absent(&self, delivery: &Delivery) -> Result<Put, Unavailable> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(PUT, &DeliveryItem::from(delivery))?))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", DELIVERY_ID)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Put::Fresh),
            Err(error) => {
                let standing: DeliveryItem = from_item(PUT, standing(PUT, error)?)?;
                Ok(Put::Existing(Box::new(standing.delivery)))
            }
        }
    }
}

/// [`Deliveries`] in two tables.
#[derive(Debug, Clone)]
pub struct DynamoDeliveries {
    client: Client,
    deliveries: String,
    attempts: String,
}

impl DynamoDeliveries {
    /// The deliveries in this table, and in that one the attempts that are not in their delivery's item.
    pub fn new(client: Client, deliveries: String, attempts: String) -> Self {
        Self { client, deliveries, attempts }
    }

    /// A put of this delivery in place of the revision before it.
    fn put_of(&self, delivery: &Delivery) -> Result<PutRequest, Unavailable> {
        let before = delivery.revision().saturating_sub(1);
        PutRequest::builder()
            .table_name(&self.deliveries)
            .set_item(Some(to_item(PUT, &DeliveryItem::from(delivery))?))
            .condition_expression("#revision = :before")
            .expression_attribute_names("#revision", DELIVERY_REVISION)
            .expression_attribute_values(":before", AttributeValue::N(before.to_string()))
            .build()
            .map_err(|_| unmade(PUT))
    }

    fn put_of_attempt(&self, attempt: &AttemptItem) -> Result<PutRequest, Unavailable> {
        let item = to_item(PUT_ATTEMPT, attempt)?;
        PutRequest::builder().table_name(&self.attempts).set_item(Some(item)).build().map_err(|_| unmade(PUT_ATTEMPT))
    }

    /// Writes a delivery and these attempts, all or none.
    async fn put_together(
        &self,
        delivery: &Delivery,
        attempts: impl IntoIterator<Item = AttemptItem>,
    ) -> Result<Replaced, Unavailable> {
        let mut puts = vec![self.put_of(delivery)?];
        for attempt in attempts {
            puts.push(self.put_of_attempt(&attempt)?);
        }
        let writes = puts.into_iter().map(|put| TransactWriteItem::builder().put(put).build()).collect();
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(Replaced::Done),
            Err(error) if is_condition(&error) => Ok(Replaced::Changed),
            Err(error) => Err(unavailable(PUT_BOTH)(error)),
        }
    }
}

impl Deliveries for DynamoDeliveries {
    /// One conditional write and no read, whatever comes of it: DynamoDB gives back the delivery as it is then.
    async fn claim(&self, message: &Message, claim: &Claim) -> Result<Claimed, Unavailable> {
        let written = serde_dynamo::to_attribute_value(claim).map_err(|_| unmade(CLAIM))?;
        let [life, under_way, place] = CLAIM_PATH;
        let update = self
            .client
            .update_item()
            .table_name(&self.deliveries)
            .set_key(Some(key_of(&message.delivery_id)))
            .update_expression("SET #life.#under_way.#claim = :claim, #revision = :next")
            .condition_expression("#revision = :made_for")
            .expression_attribute_names("#life", life)
            .expression_attribute_names("#under_way", under_way)
            .expression_attribute_names("#claim", place)
            .expression_attribute_names("#revision", DELIVERY_REVISION)
            .expression_attribute_values(":claim", written)
            .expression_attribute_values(":made_for", number(message.revision))
            .expression_attribute_values(":next", number(message.revision.saturating_add(1)))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(answer) => {
                let item: DeliveryItem = from_item(CLAIM, answer.attributes.unwrap_or_default())?;
                Ok(Claimed::Stored(Box::new(item.delivery)))
            }
            Err(error) => {
                let Some(UpdateItemError::ConditionalCheckFailedException(failure)) = error.as_service_error() else {
                    return Err(unavailable(CLAIM)(error));
                };
                let standing = failure.item().cloned().filter(|item| !item.is_empty());
                let standing: Option<DeliveryItem> = standing.map(|item| from_item(CLAIM, item)).transpose()?;
                Ok(Claimed::Otherwise(standing.map(|item| Box::new(item.delivery))))
            }
        }
    }

    async fn read(&self, id: &DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        let get = self.client.get_item().table_name(&self.deliveries).set_key(Some(key_of(id))).consistent_read(true);
        let found = get.send().await.map_err(unavailable(GET))?;
        let item: Option<DeliveryItem> = found.item.map(|item| from_item(GET, item)).transpose()?;
        Ok(item.map(|item| item.delivery))
    }

    async fn replace(&self, delivery: &Delivery) -> Result<Replaced, Unavailable> {
        let put = self.put_of(delivery)?;
        let put = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values);
        match put.send().await {
            Ok(_) => Ok(Replaced::Done),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(Replaced::Changed)
            }
            Err(error) => Err(unavailable(PUT)(error)),
        }
    }

    /// One write, or a transaction of two.
    async fn keep_late(&self, late: &LateAttempt, changed: Option<&Delivery>) -> Result<Replaced, Unavailable> {
        let attempt = AttemptItem::from(late);
        if let Some(delivery) = changed {
            return self.put_together(delivery, [attempt]).await;
        }
        let put = self.client.put_item().table_name(&self.attempts).set_item(Some(to_item(PUT_ATTEMPT, &attempt)?));
        put.send().await.map(|_| Replaced::Done).map_err(unavailable(PUT_ATTEMPT))
    }

    /// A transaction of as many writes as the old round had attempts, and one.
    async fn open_round(&self, opened: &Opened) -> Result<Replaced, Unavailable> {
        let moved = opened.moved.iter();
        let moved = moved.map(|attempt| AttemptItem::of_round(opened.delivery.id(), opened.moved_round, attempt));
        self.put_together(&opened.delivery, moved).await
    }
}

fn key_of(id: &DeliveryId) -> Item {
    Item::from([(DELIVERY_ID.to_owned(), AttributeValue::S(id.to_string()))])
}

fn number(number: u32) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn unmade(service: &'static str) -> Unavailable {
    Unavailable { service, reason: "the request could not be made".into() }
}

/// Whether a transaction was called off because a condition of it does not hold; only the delivery's write has one.
fn is_condition(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    let failed = |code: Option<&str>| code == Some("ConditionalCheckFailed");
    cancelled.cancellation_reasons().iter().any(|reason| failed(reason.code())) || failed(cancelled.code())
}
