//! Stores clicks, one item each.

use app::ports::{Clicks, Unavailable};
use aws_sdk_dynamodb::Client;
use domain::inbound::click::Click;

use super::{
    item::ClickItem,
    write::{Requires, put, send_put},
};

const PUT: &str = "DynamoDB PutItem clicks";

/// Implements [`Clicks`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoClicks {
    client: Client,
    table: String,
}

impl DynamoClicks {
    /// Uses this table of clicks.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Clicks for DynamoClicks {
    async fn record(&self, click: &Click) -> Result<(), Unavailable> {
        let put = || put(PUT, &self.table, &ClickItem::from(click), Requires::Nothing);
        send_put(&self.client, PUT, put).await.map(|_| ())
    }
}
