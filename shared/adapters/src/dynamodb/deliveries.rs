//! The deliveries, one item each, as they are put.

use app::ports::{Deliveries, Put, Unavailable};
use aws_sdk_dynamodb::{
    Client, error::SdkError, operation::put_item::PutItemError, types::ReturnValuesOnConditionCheckFailure,
};
use domain::owed_delivery::NewDelivery;

use super::{
    from_item,
    item::media_buying::{DELIVERY_ID, DeliveryBeginning, DeliveryStatus, NewDeliveryItem},
    to_item,
};
use crate::aws::unavailable;

const PUT: &str = "DynamoDB PutItem deliveries";

/// [`Deliveries`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoDeliveries {
    client: Client,
    table: String,
}

impl DynamoDeliveries {
    /// The deliveries in this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Deliveries for DynamoDeliveries {
    /// One conditional write and no read: when there is one already, DynamoDB gives it back.
    async fn put_if_absent(&self, delivery: &NewDelivery) -> Result<Put, Unavailable> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(PUT, &NewDeliveryItem::from(delivery))?))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", DELIVERY_ID)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else {
            return Ok(Put::Fresh);
        };
        let standing = match &error {
            SdkError::ServiceError(answer) => match answer.err() {
                PutItemError::ConditionalCheckFailedException(failure) => failure.item().cloned(),
                _ => None,
            },
            _ => None,
        };
        let standing: DeliveryBeginning = from_item(PUT, standing.ok_or_else(|| unavailable(PUT)(error))?)?;
        Ok(Put::Existing { begun: standing.status == DeliveryStatus::Begun })
    }
}
