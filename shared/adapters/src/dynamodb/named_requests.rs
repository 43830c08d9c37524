//! Stores the requests that clients of the management API name, beside the sessions.

use app::ports::{NamedRequests, Unavailable};
use aws_sdk_dynamodb::{Client, types::Put};
use domain::{
    jiff::Timestamp,
    named_request::{NamedRequest, RequestKey},
};

use super::{
    from_item,
    item::{NamedRequestItem, SESSION},
    key_of, number, text, to_item,
    write::{Requires, put, send_put, unmade},
};
use crate::aws::unavailable;

const PUT: &str = "DynamoDB PutItem sessions";
const DELETE: &str = "DynamoDB DeleteItem sessions";

/// Describes a stored request that another one may replace: `Standing::Free` as a condition.
const IS_FREE: &str = "attribute_not_exists(#key) OR expires_at <= :now \
    OR (asks = :asks AND attribute_not_exists(answer) AND leased_until <= :now)";

/// Implements [`NamedRequests`] in the table of the sessions.
#[derive(Debug, Clone)]
pub struct DynamoNamedRequests {
    client: Client,
    table: String,
}

impl DynamoNamedRequests {
    /// Uses this table of sessions.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl NamedRequests for DynamoNamedRequests {
    async fn begin(
        &self,
        key: &RequestKey,
        request: &NamedRequest,
        now: Timestamp,
    ) -> Result<Option<NamedRequest>, Unavailable> {
        let put = || {
            let item = to_item(PUT, &NamedRequestItem::new(key, request))?;
            let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression(IS_FREE);
            let put = put.expression_attribute_names("#key", SESSION);
            let put = put.expression_attribute_values(":now", number(now.as_second()));
            let put = put.expression_attribute_values(":asks", text(&request.asks)).build();
            put.map_err(unmade(PUT))
        };
        let stored = send_put(&self.client, PUT, put).await?;
        let item = stored.map(|item| from_item::<NamedRequestItem>(PUT, item)).transpose()?;
        Ok(item.map(|item| item.request))
    }

    async fn answer(&self, key: &RequestKey, request: &NamedRequest) -> Result<(), Unavailable> {
        let put = || put(PUT, &self.table, &NamedRequestItem::new(key, request), Requires::Nothing);
        send_put(&self.client, PUT, put).await.map(|_| ())
    }

    async fn forget(&self, key: &RequestKey) -> Result<(), Unavailable> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key_of(SESSION, key.as_str())));
        delete.send().await.map(|_| ()).map_err(unavailable(DELETE))
    }
}
