//! Stores the endpoints to which partners' webhooks go.

use app::ports::{EndpointKey, Endpoints, Replaced, Reservation, Reserved, StoredEndpoint, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use domain::{
    outbound::endpoint::{Endpoint, Places},
    values::ids::Provider,
};

use super::{
    Item,
    item::{EndpointItem, HEALTH, HOST, NEXT_PLACE, PROVIDER, RECOVERED_AT, VERSION},
    number, read, text, value,
    write::{replaced, took_place},
};
use crate::aws::unavailable;

const GET: &str = "DynamoDB GetItem endpoints";
const QUERY: &str = "DynamoDB Query endpoints";
const REPLACE: &str = "DynamoDB UpdateItem endpoints";
const RESERVE: &str = "DynamoDB UpdateItem endpoints";

/// Says that places are reserved already, and that the next one may be given.
const IN_LINE: &str = "#next > :now AND #next < :until";
/// Says that no place after now is reserved.
const NO_LINE: &str = "attribute_not_exists(#next) OR #next <= :now";
/// Limits how often a reservation is tried whose line begins or ends at the same instant.
const TRIES: usize = 4;

/// Implements [`Endpoints`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoEndpoints {
    client: Client,
    table: String,
}

impl DynamoEndpoints {
    /// Uses this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    fn update(&self, key: &EndpointKey) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(of(key)))
    }

    /// Reserves places if the condition holds. Otherwise returns the next place that is stored.
    async fn try_reserve(
        &self,
        key: &EndpointKey,
        wanted: Reservation,
        has_line: bool,
    ) -> Result<Result<Places, Option<i64>>, Unavailable> {
        let Reservation { now, count, step, until } = wanted;
        let width = step.saturating_mul(count.into());
        let update = self.update(key).expression_attribute_names("#next", NEXT_PLACE);
        let update = update.expression_attribute_values(":now", number(now));
        let update = if has_line {
            let update = update.update_expression("SET #next = #next + :width").condition_expression(IN_LINE);
            let update = update.expression_attribute_values(":until", number(until));
            update.expression_attribute_values(":width", number(width))
        } else {
            let update = update.update_expression("SET #next = :end").condition_expression(NO_LINE);
            update.expression_attribute_values(":end", number(now.saturating_add(width)))
        };
        let update = update.return_values(ReturnValue::UpdatedNew);
        let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(answer) => {
                let next = next_place(answer.attributes)?.unwrap_or(now.saturating_add(width));
                Ok(Ok(Places { first: next.saturating_sub(width), step }))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                    Ok(Err(next_place(failure.item().cloned())?))
                }
                _ => Err(unavailable(RESERVE)(error)),
            },
        }
    }
}

fn of(key: &EndpointKey) -> Item {
    Item::from([(PROVIDER.to_owned(), text(&key.provider)), (HOST.to_owned(), text(&key.host))])
}

fn next_place(item: Option<Item>) -> Result<Option<i64>, Unavailable> {
    let next = item.and_then(|mut item| item.remove(NEXT_PLACE));
    let next = next.map(serde_dynamo::from_attribute_value).transpose();
    next.map_err(|_| Unavailable { service: RESERVE, reason: "holds a place that cannot be read".into() })
}

impl Endpoints for DynamoEndpoints {
    async fn find(&self, key: &EndpointKey) -> Result<StoredEndpoint, Unavailable> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(of(key)));
        let item: Option<EndpointItem> = read::get(GET, get.consistent_read(true)).await?;
        Ok(item.map(|item| item.stored).unwrap_or_default())
    }

    async fn replace(&self, key: &EndpointKey, endpoint: &Endpoint) -> Result<Replaced, Unavailable> {
        let before = endpoint.version().saturating_sub(1);
        let (mut set, condition) = (
            "SET #version = :version, #health = :health".to_owned(),
            if before == 0 { "attribute_not_exists(#version)" } else { "#version = :before" },
        );
        let update = self.update(key).expression_attribute_names("#version", VERSION);
        let update = update.expression_attribute_names("#health", HEALTH);
        let update = update.expression_attribute_values(":version", number(endpoint.version()));
        let mut update = update.expression_attribute_values(":health", value(REPLACE, endpoint.health())?);
        if before > 0 {
            update = update.expression_attribute_values(":before", number(before));
        }
        if let Some(at) = endpoint.recovered_at() {
            set.push_str(", #recovered = :recovered");
            update = update.expression_attribute_names("#recovered", RECOVERED_AT);
            update = update.expression_attribute_values(":recovered", number(at.as_millisecond()));
        }
        let written = update.update_expression(set).condition_expression(condition).send().await;
        took_place(REPLACE, written).map(replaced)
    }

    /// Makes one write, or two if the line began or ended since it was last seen.
    async fn reserve(&self, key: &EndpointKey, wanted: Reservation) -> Result<Reserved, Unavailable> {
        let mut has_line = true;
        for _ in 0..TRIES {
            match self.try_reserve(key, wanted, has_line).await? {
                Ok(places) => return Ok(Reserved::Done(places)),
                Err(Some(next)) if next >= wanted.until => return Ok(Reserved::Full(next)),
                Err(next) => has_line = next.is_some_and(|next| next > wanted.now),
            }
        }
        Err(Unavailable { service: RESERVE, reason: "others reserve at the same time".into() })
    }

    async fn of_partner(&self, provider: &Provider) -> Result<Vec<(EndpointKey, StoredEndpoint)>, Unavailable> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("#provider = :provider");
        let query = query.expression_attribute_names("#provider", PROVIDER);
        let query = query.expression_attribute_values(":provider", text(provider));
        let items: Vec<EndpointItem> = read::query(QUERY, query).await?;
        Ok(items.into_iter().map(|item| (item.key(), item.stored)).collect())
    }
}
