//! Stores refusals and conflicts, one item for each content.

use std::collections::HashMap;

use app::ports::{Refusals, Unavailable};
use aws_sdk_dynamodb::{Client, types::ReturnValue};
use domain::inbound::{
    conversion::Receipt,
    refusal::{Conflict, KeptConflict, Refusal},
};

use super::{
    Item, from_item,
    item::{EXPIRES_AT, FIRST_RECEIVED_AT, ORIGINAL_KEPT_AT, PROVIDER_CONTENT, RefusalItem, RefusalKind, TIMES},
    key_of, number, read, to_item,
};
use crate::aws::unavailable;

const UPDATE: &str = "DynamoDB UpdateItem refusals";
const GET: &str = "DynamoDB GetItem refusals";

/// Implements [`Refusals`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoRefusals {
    client: Client,
    pub(super) table: String,
}

impl DynamoRefusals {
    /// Uses this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Counts one sighting of a content, and returns the updated item.
    async fn see(&self, seen: RefusalItem) -> Result<RefusalItem, Unavailable> {
        let Sighting { key, expression, names, values } = Sighting::of(&seen)?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .update_expression(expression)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew);
        let written = Box::pin(update.send()).await.map_err(unavailable(UPDATE))?;
        from_item(UPDATE, written.attributes.unwrap_or_default())
    }
}

/// Holds the update that counts one sighting of a content. The update keeps the time of the first sighting, and
/// replaces all other attributes.
pub(super) struct Sighting {
    pub(super) key: Item,
    pub(super) expression: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: Item,
}

impl Sighting {
    pub(super) fn of(seen: &RefusalItem) -> Result<Self, Unavailable> {
        let mut attributes = to_item(UPDATE, seen)?;
        attributes.remove(PROVIDER_CONTENT);
        // DynamoDB refuses an expression that names a path twice.
        attributes.remove(TIMES);
        let mut names = HashMap::from([("#times".to_owned(), TIMES.to_owned())]);
        let mut values = Item::from([(":one".to_owned(), number(1))]);
        let mut sets = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            sets.push(match name.as_str() {
                FIRST_RECEIVED_AT => format!("#{name} = if_not_exists(#{name}, :{name})"),
                _ => format!("#{name} = :{name}"),
            });
            values.insert(format!(":{name}"), value);
            names.insert(format!("#{name}"), name);
        }
        sets.sort();
        let mut expression = format!("SET {} ADD #times :one", sets.join(", "));
        // If the original was kept and the conflicting content is sent again, the conflict is open again. An accepted
        // conflict never expires.
        if seen.kind == RefusalKind::Conflict {
            expression = format!("{expression} REMOVE #{EXPIRES_AT}, #{ORIGINAL_KEPT_AT}");
            names.extend([EXPIRES_AT, ORIGINAL_KEPT_AT].map(|name| (format!("#{name}"), name.to_owned())));
        }
        Ok(Self { key: key_of(PROVIDER_CONTENT, &seen.provider_content), expression, names, values })
    }
}

impl Refusals for DynamoRefusals {
    async fn keep_refusal(&self, refusal: &Refusal) -> Result<(), Unavailable> {
        self.see(refusal.into()).await.map(|_| ())
    }

    async fn keep_conflict(&self, conflict: &Conflict) -> Result<KeptConflict, Unavailable> {
        let kept = self.see(conflict.into()).await?;
        Ok(kept.accepted.map_or(KeptConflict::Unresolved, KeptConflict::AcceptedAs))
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        let key = key_of(PROVIDER_CONTENT, conflict.key().as_str());
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        let item: Option<RefusalItem> = read::get(GET, get).await?;
        Ok(item.and_then(|item| item.accepted))
    }
}
