//! Stores the endpoints to which partners' webhooks go.

use std::collections::HashMap;

use app::ports::{EndpointKey, Endpoints, Replaced, Reservation, Reserved, StoredEndpoint, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};
use domain::{
    outbound::{
        delivery::Delivery,
        endpoint::{Endpoint, Places},
    },
    values::ids::Provider,
};

use super::{
    Item,
    item::{
        EndpointItem, HEALTH, HOST, NEXT_PLACE, PROVIDER, RECOVERED_AT, VERSION,
        media_buying::{DELIVERY_ID, DeliveryItem},
    },
    number, read, text, value,
    write::{CONDITION, OTHER_TRANSACTION, Requires, in_transaction, put, replaced, took_place, transact, unmade},
};
use crate::aws::unavailable;

const GET: &str = "DynamoDB GetItem endpoints";
const QUERY: &str = "DynamoDB Query endpoints";
const REPLACE: &str = "DynamoDB UpdateItem endpoints";
const REPLACE_AND_TELL: &str = "DynamoDB TransactWriteItems endpoints, deliveries";
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
    /// Names the table of deliveries, if notices may be made owed.
    deliveries: Option<String>,
}

impl DynamoEndpoints {
    /// Uses this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, deliveries: None }
    }

    /// Puts the deliveries of notices into this table.
    #[must_use]
    pub fn with_notices(self, deliveries: String) -> Self {
        Self { deliveries: Some(deliveries), ..self }
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

/// Holds the parts of an update, which is sent alone or in a transaction.
struct EndpointUpdate {
    expression: String,
    condition: &'static str,
    names: HashMap<String, String>,
    values: Item,
}

/// Makes the update that replaces the preceding version of an endpoint.
fn update_of(endpoint: &Endpoint) -> Result<EndpointUpdate, Unavailable> {
    let before = endpoint.version().saturating_sub(1);
    let mut expression = "SET #version = :version, #health = :health".to_owned();
    let mut names = HashMap::from([("#version", VERSION), ("#health", HEALTH)]);
    let mut values =
        HashMap::from([(":version", number(endpoint.version())), (":health", value(REPLACE, endpoint.health())?)]);
    let condition = if before == 0 { "attribute_not_exists(#version)" } else { "#version = :before" };
    if before > 0 {
        values.insert(":before", number(before));
    }
    if let Some(at) = endpoint.recovered_at() {
        expression.push_str(", #recovered = :recovered");
        names.insert("#recovered", RECOVERED_AT);
        values.insert(":recovered", number(at.as_millisecond()));
    }
    let names = names.into_iter().map(|(name, attribute)| (name.to_owned(), attribute.to_owned())).collect();
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(EndpointUpdate { expression, condition, names, values })
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

    /// Makes one write, or a transaction of two if there is a notice.
    async fn replace(
        &self,
        key: &EndpointKey,
        endpoint: &Endpoint,
        notice: Option<&Delivery>,
    ) -> Result<Replaced, Unavailable> {
        let update = update_of(endpoint)?;
        let Some((notice, deliveries)) = notice.zip(self.deliveries.as_ref()) else {
            let written = self
                .update(key)
                .update_expression(update.expression)
                .condition_expression(update.condition)
                .set_expression_attribute_names(Some(update.names))
                .set_expression_attribute_values(Some(update.values));
            return took_place(REPLACE, written.send().await).map(replaced);
        };
        let endpoint = Update::builder()
            .table_name(&self.table)
            .set_key(Some(of(key)))
            .update_expression(update.expression)
            .condition_expression(update.condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values));
        let endpoint = endpoint.build().map_err(unmade(REPLACE_AND_TELL))?;
        let notice = put(REPLACE_AND_TELL, deliveries, &DeliveryItem::from(notice), Requires::Absence(DELIVERY_ID))?;
        let writes = vec![TransactWriteItem::builder().update(endpoint).build(), in_transaction(notice)];
        // Another worker may have made the same change, with the same notice.
        transact(&self.client, REPLACE_AND_TELL, writes, &[CONDITION, OTHER_TRANSACTION]).await.map(replaced)
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
