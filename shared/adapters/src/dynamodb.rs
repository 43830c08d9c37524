//! The ports on DynamoDB. [`item`] is the only place that names tables' keys and attributes.

pub mod catalogue;
pub mod clicks;
pub mod configuration;
pub mod deliveries;
pub mod failures;
mod get_all;
pub mod history;
pub mod item;
pub mod lookups;
pub mod participants;
pub mod partners;
pub mod postbacks;
pub mod refusals;
pub mod resolutions;
pub mod under_way;

use std::collections::HashMap;

use app::ports::Unavailable;
use aws_sdk_dynamodb::{error::SdkError, operation::put_item::PutItemError, types::AttributeValue};
use serde::{Serialize, de::DeserializeOwned};

use crate::aws::unavailable;

/// An item as the client takes and gives it.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn to_item(service: &'static str, value: &impl Serialize) -> Result<Item, Unavailable> {
    serde_dynamo::to_item(value).map_err(|_| Unavailable { service, reason: "cannot be written as an item".into() })
}

pub(crate) fn from_item<T: DeserializeOwned>(service: &'static str, item: Item) -> Result<T, Unavailable> {
    // The error may quote values: it is not passed on.
    serde_dynamo::from_item(item)
        .map_err(|_| Unavailable { service, reason: "holds an item that cannot be read".into() })
}

/// The item that stands in the way of a put whose condition failed: moved out of the failure, since to copy one costs as
/// much as to read it.
pub(crate) fn standing(service: &'static str, error: SdkError<PutItemError>) -> Result<Item, Unavailable> {
    if !error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) {
        return Err(unavailable(service)(error));
    }
    match error.into_service_error() {
        PutItemError::ConditionalCheckFailedException(failure) => Ok(failure.item.unwrap_or_default()),
        _ => Ok(Item::new()),
    }
}
