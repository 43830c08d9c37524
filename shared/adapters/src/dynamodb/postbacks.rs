//! The postbacks, one item a transaction.

use app::ports::{Postbacks, Recorded, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use domain::{
    conversion::RecordedPostback,
    ids::{Provider, TransactionId},
};

use super::{
    Item, from_item,
    item::{ORIGINAL, PROVIDER_TRANSACTION, PostbackItem, REVISION},
    standing, to_item,
};
use crate::aws::unavailable;

const PUT: &str = "DynamoDB PutItem postbacks";
const GET: &str = "DynamoDB GetItem postbacks";

/// [`Postbacks`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoPostbacks {
    client: Client,
    table: String,
}

impl DynamoPostbacks {
    /// The postbacks in this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Postbacks for DynamoPostbacks {
    /// One conditional write and no read, new or not: when the condition fails, DynamoDB gives back the item that stands
    /// in the way.
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(PUT, &PostbackItem::from(postback))?))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", PROVIDER_TRANSACTION)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match Box::pin(put.send()).await {
            Ok(_) => Ok(Recorded::Fresh),
            Err(error) => recorded(PUT, standing(PUT, error)?).map(|original| Recorded::Existing(Box::new(original))),
        }
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PROVIDER_TRANSACTION, AttributeValue::S(PostbackItem::key(provider, transaction_id)))
            .key(REVISION, AttributeValue::S(ORIGINAL.to_owned()))
            .consistent_read(true);
        let found = Box::pin(get.send()).await.map_err(unavailable(GET))?;
        found.item.map(|item| recorded(GET, item)).transpose()
    }
}

fn recorded(service: &'static str, item: Item) -> Result<RecordedPostback, Unavailable> {
    let item: PostbackItem = from_item(service, item)?;
    item.try_into().map_err(|reason| Unavailable { service, reason })
}
