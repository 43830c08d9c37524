//! The clicks, one item each.

use app::ports::{Clicks, Unavailable};
use aws_sdk_dynamodb::Client;
use domain::click::Click;

use super::{item::ClickItem, to_item};
use crate::aws::unavailable;

const PUT: &str = "DynamoDB PutItem clicks";

/// [`Clicks`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoClicks {
    client: Client,
    table: String,
}

impl DynamoClicks {
    /// The clicks in this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Clicks for DynamoClicks {
    async fn record(&self, click: &Click) -> Result<(), Unavailable> {
        let item = to_item(PUT, &ClickItem::from(click))?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        Box::pin(put.send()).await.map(|_| ()).map_err(unavailable(PUT))
    }
}
