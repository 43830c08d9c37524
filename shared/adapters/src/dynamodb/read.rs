//! Reads single items, many items by their keys, and all results of a query.

use std::{collections::HashMap, time::Duration};

use app::ports::{PageToken, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    operation::{get_item::builders::GetItemFluentBuilder, query::builders::QueryFluentBuilder},
    types::KeysAndAttributes,
};
use serde::de::DeserializeOwned;

use super::{Item, from_item};
use crate::aws::unavailable;

/// Limits the items that one request reads.
pub(crate) const GET_AT_ONCE: usize = 100;
/// Sets the first and the longest wait before unprocessed keys are requested again. Each wait is twice the last one.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Reads one item, or `None` if it does not exist.
pub(crate) async fn get<T: DeserializeOwned>(
    service: &'static str,
    get: GetItemFluentBuilder,
) -> Result<Option<T>, Unavailable> {
    let found = Box::pin(get.send()).await.map_err(unavailable(service))?;
    found.item.map(|item| from_item(service, item)).transpose()
}

/// Reads all results of a query, page after page.
pub(crate) async fn query<T: DeserializeOwned>(
    service: &'static str,
    query: QueryFluentBuilder,
) -> Result<Vec<T>, Unavailable> {
    let found = query.into_paginator().items().send().try_collect().await.map_err(unavailable(service))?;
    found.into_iter().map(|item| from_item(service, item)).collect()
}

/// Returns the token of the next page, which is the last key in DynamoDB's JSON. Returns `None` after the last page.
pub(crate) fn token(service: &'static str, last: Option<Item>) -> Result<Option<PageToken>, Unavailable> {
    let last = last.filter(|key| !key.is_empty()).map(serde_dynamo::Item::from);
    let token = last.map(|key| serde_json::to_string(&key).map(PageToken)).transpose();
    token.map_err(|_| Unavailable { service, reason: "the page's end cannot be written".into() })
}

/// Returns the key in a page token.
pub(crate) fn start_key(service: &'static str, token: Option<PageToken>) -> Result<Option<Item>, Unavailable> {
    let key = token.map(|token| serde_json::from_str::<serde_dynamo::Item>(&token.0)).transpose();
    let key = key.map_err(|_| Unavailable { service, reason: "the page's beginning cannot be read".into() })?;
    Ok(key.map(Item::from))
}

/// Reads items consistently and in any order. Fails if any item cannot be read. The keys must be distinct.
pub(crate) async fn get_all<T: DeserializeOwned>(
    client: &Client,
    service: &'static str,
    table: &str,
    keys: Vec<Item>,
) -> Result<Vec<T>, Unavailable> {
    let found = get_items(client, service, table, keys).await?;
    found.into_iter().map(|item| from_item(service, item)).collect()
}

/// Reads items like [`get_all`], but leaves out items that cannot be read.
pub(crate) async fn get_readable<T: DeserializeOwned>(
    client: &Client,
    service: &'static str,
    table: &str,
    keys: Vec<Item>,
) -> Result<Vec<T>, Unavailable> {
    let found = get_items(client, service, table, keys).await?;
    Ok(found.into_iter().filter_map(|item| from_item(service, item).ok()).collect())
}

/// Reads items like [`get_all`], but returns them unparsed.
pub(crate) async fn get_items(
    client: &Client,
    service: &'static str,
    table: &str,
    keys: Vec<Item>,
) -> Result<Vec<Item>, Unavailable> {
    let mut found = Vec::with_capacity(keys.len());
    for batch in keys.chunks(GET_AT_ONCE) {
        let mut left = batch.to_vec();
        let mut wait = FIRST_WAIT;
        while !left.is_empty() {
            let got = get_once(client, service, table, left).await?;
            found.extend(got.found);
            left = got.left;
            if !left.is_empty() {
                if wait > LAST_WAIT {
                    return Err(Unavailable { service, reason: "throttled".into() });
                }
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        }
    }
    Ok(found)
}

/// Holds the result of one request.
pub(crate) struct Got {
    pub(crate) found: Vec<Item>,
    /// Holds the keys that DynamoDB did not process.
    pub(crate) left: Vec<Item>,
}

/// Reads at most [`GET_AT_ONCE`] items in one request with consistent reads. The keys must be distinct.
pub(crate) async fn get_once(
    client: &Client,
    service: &'static str,
    table: &str,
    keys: Vec<Item>,
) -> Result<Got, Unavailable> {
    let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
    let keys = keys.map_err(|fault| Unavailable { service, reason: fault.to_string() })?;
    let get = client.batch_get_item().request_items(table, keys);
    let got = Box::pin(get.send()).await.map_err(unavailable(service))?;
    let found = got.responses.into_iter().flat_map(HashMap::into_values).flatten().collect();
    let left = got.unprocessed_keys.into_iter().flat_map(HashMap::into_values).flat_map(|keys| keys.keys).collect();
    Ok(Got { found, left })
}
