//! Stores refusals and conflicts, one item for each content.

use std::collections::HashMap;

use app::ports::{Refusals, Unavailable};
use aws_sdk_dynamodb::{Client, error::ProvideErrorMetadata, types::ReturnValue};
use domain::{
    audit::day,
    inbound::{
        conversion::Receipt,
        refusal::{Conflict, KeptConflict, KeptRefusal, Refusal},
    },
    retention::Retention,
};

use super::{
    Item, from_item,
    item::{EXPIRES_AT, FIRST_RECEIVED_AT, KEPT, ORIGINAL_KEPT_AT, PROVIDER_CONTENT, RefusalItem, RefusalKind, TIMES},
    key_of, number, read, to_item,
    write::took_place,
};
use crate::aws::unavailable;

const UPDATE: &str = "DynamoDB UpdateItem refusals";
const GET: &str = "DynamoDB GetItem refusals";

/// Sets how long the count of a day is kept: two days, so that it outlasts its day.
const COUNT_KEPT_SECONDS: i64 = 2 * 24 * 60 * 60;

/// Implements [`Refusals`] in a table.
#[derive(Debug, Clone)]
pub struct DynamoRefusals {
    client: Client,
    pub(super) table: String,
    retention: Retention,
}

impl DynamoRefusals {
    /// Uses this table. Refusals are kept for the time of `retention` after they were last seen.
    pub fn new(client: Client, table: String, retention: Retention) -> Self {
        Self { client, table, retention }
    }

    /// Counts one sighting of a content, and returns the updated item. Returns `None` if the content is new and its
    /// partner already has `most` new items of that day.
    ///
    /// A content that was seen before costs one write. A new content costs three: a write that finds no item, a write
    /// that counts the item for the day, and a write that stores it. The item is counted before it is stored. After a
    /// crash in between, an item may be counted without being stored, but none is stored without being counted. See
    /// docs/adr/0028-a-bound-of-what-is-kept.md.
    async fn see(&self, seen: RefusalItem, most: u32) -> Result<Option<RefusalItem>, Unavailable> {
        if let Some(item) = self.sight(&seen, true).await? {
            return Ok(Some(item));
        }
        if !self.count(&seen, most).await? {
            return Ok(None);
        }
        self.sight(&seen, false).await
    }

    /// Counts one new item of its partner and day. If there are `most` items already, counts nothing and returns false.
    async fn count(&self, seen: &RefusalItem, most: u32) -> Result<bool, Unavailable> {
        let (key, expires_at) = kept_of_day(seen);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key_of(PROVIDER_CONTENT, key)))
            .update_expression("SET #expires = :expires ADD #kept :one")
            .condition_expression("attribute_not_exists(#kept) OR #kept < :most")
            .expression_attribute_names("#kept", KEPT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":expires", number(expires_at));
        took_place(UPDATE, Box::pin(update.send()).await)
    }

    /// Writes one sighting. Returns `None` if `must_exist` is true and the content is not kept.
    async fn sight(&self, seen: &RefusalItem, must_exist: bool) -> Result<Option<RefusalItem>, Unavailable> {
        let Sighting { key, expression, mut names, values } = Sighting::of(seen)?;
        if must_exist {
            names.insert("#key".to_owned(), PROVIDER_CONTENT.to_owned());
        }
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .update_expression(expression)
            .set_condition_expression(must_exist.then(|| "attribute_exists(#key)".to_owned()))
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew);
        match Box::pin(update.send()).await {
            Ok(written) => from_item(UPDATE, written.attributes.unwrap_or_default()).map(Some),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
            Err(error) => Err(unavailable(UPDATE)(error)),
        }
    }
}

/// Returns the key of the count of a partner's day, and when the count expires, in Unix seconds.
fn kept_of_day(seen: &RefusalItem) -> (String, i64) {
    let at = seen.last_received_at;
    (format!("{}#kept-{}", seen.provider, day(at)), at.as_second().saturating_add(COUNT_KEPT_SECONDS))
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
        // If an operator kept the original and the partner sends the conflicting content again, the conflict is open
        // again. An accepted conflict never expires.
        if seen.kind == RefusalKind::Conflict {
            expression = format!("{expression} REMOVE #{EXPIRES_AT}, #{ORIGINAL_KEPT_AT}");
            names.extend([EXPIRES_AT, ORIGINAL_KEPT_AT].map(|name| (format!("#{name}"), name.to_owned())));
        }
        Ok(Self { key: key_of(PROVIDER_CONTENT, &seen.provider_content), expression, names, values })
    }
}

impl Refusals for DynamoRefusals {
    async fn keep_refusal(&self, refusal: &Refusal, most: u32) -> Result<KeptRefusal, Unavailable> {
        let kept = self.see(RefusalItem::of_refusal(refusal, self.retention), most).await?;
        Ok(kept.map_or(KeptRefusal::BoundReached, |_| KeptRefusal::Kept))
    }

    async fn keep_conflict(&self, conflict: &Conflict, most: u32) -> Result<KeptConflict, Unavailable> {
        let Some(kept) = self.see(conflict.into(), most).await? else { return Ok(KeptConflict::BoundReached) };
        Ok(kept.accepted.map_or(KeptConflict::Unresolved, KeptConflict::AcceptedAs))
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        let key = key_of(PROVIDER_CONTENT, conflict.key().as_str());
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        let item: Option<RefusalItem> = read::get(GET, get).await?;
        Ok(item.and_then(|item| item.accepted))
    }
}
