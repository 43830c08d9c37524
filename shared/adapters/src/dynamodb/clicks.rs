//! Stores clicks, one item each.

use app::ports::{Clicks, Unavailable};
use aws_sdk_dynamodb::Client;
use domain::{inbound::click::Click, retention::Retention};

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
    retention: Retention,
}

impl DynamoClicks {
    /// Uses this table of clicks, which are kept for the time of `retention`.
    pub fn new(client: Client, table: String, retention: Retention) -> Self {
        Self { client, table, retention }
    }
}

impl Clicks for DynamoClicks {
    async fn record(&self, click: &Click) -> Result<(), Unavailable> {
        let put =
            || put(PUT, &self.table, &ClickItem::of(click, self.retention.end(click.clicked_at)), Requires::Nothing);
        send_put(&self.client, PUT, put).await.map(|_| ())
    }
}
