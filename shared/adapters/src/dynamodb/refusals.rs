//! Refusals and conflicts, one item a content.

use app::ports::{Refusals, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValue},
};
use domain::{
    conversion::Receipt,
    jiff::Timestamp,
    refusal::{Conflict, ContentKey, KeptConflict, Refusal},
};

use super::{
    Item, from_item,
    item::{
        ACCEPTED, ACCEPTED_AT, EXPIRES_AT, FIRST_RECEIVED_AT, ORIGINAL_KEPT_AT, PROVIDER_CONTENT, RefusalItem,
        RefusalKind, TIMES,
    },
    to_item,
};
use crate::aws::unavailable;

const UPDATE: &str = "DynamoDB UpdateItem refusals";
const GET: &str = "DynamoDB GetItem refusals";

/// [`Refusals`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoRefusals {
    client: Client,
    table: String,
}

impl DynamoRefusals {
    /// The refusals in this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Writes what was seen, once a content: the first sighting stays, the last one and the count move on.
    async fn see(&self, seen: RefusalItem) -> Result<RefusalItem, Unavailable> {
        let mut attributes = to_item(UPDATE, &seen)?;
        let key = attributes.remove(PROVIDER_CONTENT);
        // DynamoDB refuses an expression that names one path twice.
        attributes.remove(TIMES);
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(key.map(|key| Item::from([(PROVIDER_CONTENT.to_owned(), key)])))
            .expression_attribute_names("#times", TIMES)
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .return_values(ReturnValue::AllNew);
        let mut sets = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            sets.push(match name.as_str() {
                FIRST_RECEIVED_AT => format!("#{name} = if_not_exists(#{name}, :{name})"),
                _ => format!("#{name} = :{name}"),
            });
            update = update
                .expression_attribute_names(format!("#{name}"), &name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        sets.sort();
        // A conflict whose original was kept, and that comes all the same, is open again; an accepted one never expires.
        let removed = match seen.kind {
            RefusalKind::Refusal => String::new(),
            RefusalKind::Conflict => format!(" REMOVE #{EXPIRES_AT}, #{ORIGINAL_KEPT_AT}"),
        };
        if !removed.is_empty() {
            for name in [EXPIRES_AT, ORIGINAL_KEPT_AT] {
                update = update.expression_attribute_names(format!("#{name}"), name);
            }
        }
        let update = update.update_expression(format!("SET {} ADD #times :one{removed}", sets.join(", ")));
        let written = Box::pin(update.send()).await.map_err(unavailable(UPDATE))?;
        from_item(UPDATE, written.attributes.unwrap_or_default())
    }
}

/// What is set when a refusal is recorded, by the names of the expression.
#[derive(serde::Serialize)]
struct Recorded<'a> {
    receipt: &'a Receipt,
    at: Timestamp,
}

impl Refusals for DynamoRefusals {
    async fn keep_refusal(&self, refusal: &Refusal) -> Result<(), Unavailable> {
        self.see(refusal.into()).await.map(|_| ())
    }

    async fn keep_conflict(&self, conflict: &Conflict) -> Result<KeptConflict, Unavailable> {
        let kept = self.see(conflict.into()).await?;
        Ok(kept.accepted.map_or(KeptConflict::Standing, KeptConflict::AcceptedAs))
    }

    async fn mark_recorded(&self, key: &ContentKey, receipt: &Receipt, now: Timestamp) -> Result<(), Unavailable> {
        let mut values = to_item(UPDATE, &Recorded { receipt, at: now })?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PROVIDER_CONTENT, AttributeValue::S(key.as_str().to_owned()))
            .update_expression("SET #accepted = :receipt, #at = :at")
            .condition_expression("attribute_exists(#key) AND attribute_not_exists(#accepted)")
            .expression_attribute_names("#key", PROVIDER_CONTENT)
            .expression_attribute_names("#accepted", ACCEPTED)
            .expression_attribute_names("#at", ACCEPTED_AT)
            .set_expression_attribute_values(Some(
                values.drain().map(|(name, value)| (format!(":{name}"), value)).collect(),
            ));
        match update.send().await {
            Ok(_) => Ok(()),
            // Marked before, or kept no more.
            Err(SdkError::ServiceError(answer))
                if matches!(answer.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(UPDATE)(error)),
        }
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PROVIDER_CONTENT, AttributeValue::S(conflict.key().as_str().to_owned()))
            .consistent_read(true);
        let found = Box::pin(get.send()).await.map_err(unavailable(GET))?;
        let item: Option<RefusalItem> = found.item.map(|item| from_item(GET, item)).transpose()?;
        Ok(item.and_then(|item| item.accepted))
    }
}
