//! Implements the ports on DynamoDB. Only [`item`] names tables' keys and attributes.

pub mod audit;
pub mod catalogue;
pub mod clicks;
pub mod configuration;
pub mod deliveries;
pub mod delivery_records;
pub mod deployment;
pub mod endpoints;
pub mod erasures;
pub mod history;
pub mod item;
pub mod lookups;
pub mod named_requests;
pub mod participants;
pub mod partners;
pub mod postbacks;
mod read;
pub mod refusals;
pub mod resolutions;
pub mod resubmissions;
pub mod sessions;
pub mod test_permits;
pub mod under_way;
mod write;

use std::collections::HashMap;

use app::ports::Unavailable;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};

/// Holds an item as the client takes and returns it.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn to_item(service: &'static str, value: &impl Serialize) -> Result<Item, Unavailable> {
    serde_dynamo::to_item(value).map_err(|_| Unavailable { service, reason: "cannot be written as an item".into() })
}

pub(crate) fn from_item<T: DeserializeOwned>(service: &'static str, item: Item) -> Result<T, Unavailable> {
    // The error may quote values, so it is not passed on.
    serde_dynamo::from_item(item)
        .map_err(|_| Unavailable { service, reason: "holds an item that cannot be read".into() })
}

/// Returns the value of an attribute or of an expression that is neither a text nor a number.
pub(crate) fn value(service: &'static str, value: &impl Serialize) -> Result<AttributeValue, Unavailable> {
    serde_dynamo::to_attribute_value(value)
        .map_err(|_| Unavailable { service, reason: "cannot be written as an attribute".into() })
}

#[expect(clippy::needless_pass_by_value, reason = "callers give texts, numbers and references alike")]
pub(crate) fn text(text: impl ToString) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "callers give texts, numbers and references alike")]
pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Returns a key with one text attribute.
pub(crate) fn key_of(name: &str, value: impl ToString) -> Item {
    Item::from([(name.to_owned(), text(value))])
}
