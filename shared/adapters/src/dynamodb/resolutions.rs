//! What operators make of conflicts: corrections beside the originals, and the conflicts marked.

use app::{
    ports::{Replaced, Resolutions, Unavailable},
    resolve_conflict::StoredConflict,
};
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{AttributeValue, Put, TransactWriteItem, Update},
};
use domain::{
    correction::{Correction, Revision},
    ids::{Provider, TransactionId},
    jiff::Timestamp,
    refusal::{Conflict, ContentKey, REFUSAL_KEPT_SECONDS},
};

use super::{
    Item, from_item,
    item::{
        ACCEPTED, ACCEPTED_AT, EXPIRES_AT, ORIGINAL_KEPT_AT, PROVIDER_CONTENT, PROVIDER_TRANSACTION, PostbackItem,
        RefusalItem, RefusalKind,
    },
    to_item,
};
use crate::aws::unavailable;

const GET: &str = "DynamoDB GetItem refusals";
const QUERY: &str = "DynamoDB Query postbacks";
const ACCEPT: &str = "DynamoDB TransactWriteItems postbacks, refusals";
const UPDATE: &str = "DynamoDB UpdateItem refusals";

/// [`Resolutions`] in the tables of postbacks and of refusals.
#[derive(Debug, Clone)]
pub struct DynamoResolutions {
    client: Client,
    postbacks: String,
    refusals: String,
}

impl DynamoResolutions {
    /// The postbacks and refusals in these two tables.
    pub fn new(client: Client, postbacks: String, refusals: String) -> Self {
        Self { client, postbacks, refusals }
    }

    /// The correction, under a number that nobody has taken.
    fn put(&self, correction: &Correction) -> Result<TransactWriteItem, Unavailable> {
        let put = Put::builder()
            .table_name(&self.postbacks)
            .set_item(Some(to_item(ACCEPT, &PostbackItem::from(correction))?))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", PROVIDER_TRANSACTION)
            .build()
            .map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// The conflict, accepted for ever, unless it is already.
    fn mark(&self, key: &ContentKey, correction: &Correction) -> Result<TransactWriteItem, Unavailable> {
        let mut values = to_item(ACCEPT, &Accepted { accepted: &correction.receipt, at: correction.corrected_at })?;
        let update = Update::builder()
            .table_name(&self.refusals)
            .key(PROVIDER_CONTENT, AttributeValue::S(key.as_str().to_owned()))
            .update_expression("SET #accepted = :accepted, #at = :at REMOVE #expires, #kept")
            .condition_expression("attribute_exists(#key) AND attribute_not_exists(#accepted)")
            .expression_attribute_names("#key", PROVIDER_CONTENT)
            .expression_attribute_names("#accepted", ACCEPTED)
            .expression_attribute_names("#at", ACCEPTED_AT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_names("#kept", ORIGINAL_KEPT_AT)
            .set_expression_attribute_values(Some(
                values.drain().map(|(name, value)| (format!(":{name}"), value)).collect(),
            ))
            .build()
            .map_err(unbuildable)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// What is set when a conflict is accepted, by the names of the expression.
#[derive(serde::Serialize)]
struct Accepted<'a> {
    accepted: &'a domain::conversion::Receipt,
    at: Timestamp,
}

fn unbuildable(fault: impl std::fmt::Display) -> Unavailable {
    Unavailable { service: ACCEPT, reason: fault.to_string() }
}

impl Resolutions for DynamoResolutions {
    async fn find_conflict(&self, key: &ContentKey, now: Timestamp) -> Result<Option<StoredConflict>, Unavailable> {
        let key = Item::from([(PROVIDER_CONTENT.to_owned(), AttributeValue::S(key.as_str().to_owned()))]);
        let get = self.client.get_item().table_name(&self.refusals).set_key(Some(key)).consistent_read(true);
        let Some(item) = get.send().await.map_err(unavailable(GET))?.item else { return Ok(None) };
        let item: RefusalItem = from_item(GET, item)?;
        if item.kind != RefusalKind::Conflict || item.has_expired(now) {
            return Ok(None);
        }
        let accepted = item.accepted.clone();
        let conflict = Conflict::try_from(item).map_err(|reason| Unavailable { service: GET, reason })?;
        Ok(Some(StoredConflict { conflict, accepted }))
    }

    async fn revisions(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Vec<Revision>, Unavailable> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.postbacks)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", PROVIDER_TRANSACTION)
            .expression_attribute_values(":key", AttributeValue::S(PostbackItem::key(provider, transaction_id)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut revisions = Vec::new();
        while let Some(item) = pages.next().await {
            let item: PostbackItem = from_item(QUERY, item.map_err(unavailable(QUERY))?)?;
            revisions.push(Revision::try_from(item).map_err(|reason| Unavailable { service: QUERY, reason })?);
        }
        revisions.sort_by_key(Revision::number);
        Ok(revisions)
    }

    async fn accept(&self, key: &ContentKey, correction: &Correction) -> Result<Replaced, Unavailable> {
        let writes = [self.put(correction)?, self.mark(key, correction)?];
        match self.client.transact_write_items().set_transact_items(Some(writes.into())).send().await {
            Ok(_) => Ok(Replaced::Done),
            Err(error) if was_called_off(&error) => Ok(Replaced::Changed),
            Err(error) => Err(unavailable(ACCEPT)(error)),
        }
    }

    async fn keep_original(&self, key: &ContentKey, now: Timestamp) -> Result<Replaced, Unavailable> {
        let expires_at = now.as_second().saturating_add(REFUSAL_KEPT_SECONDS);
        let update = self
            .client
            .update_item()
            .table_name(&self.refusals)
            .key(PROVIDER_CONTENT, AttributeValue::S(key.as_str().to_owned()))
            .update_expression("SET #kept = :kept, #expires = :expires")
            .condition_expression("attribute_exists(#key) AND attribute_not_exists(#accepted)")
            .expression_attribute_names("#key", PROVIDER_CONTENT)
            .expression_attribute_names("#accepted", ACCEPTED)
            .expression_attribute_names("#kept", ORIGINAL_KEPT_AT)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_values(":kept", AttributeValue::S(now.to_string()))
            .expression_attribute_values(":expires", AttributeValue::N(expires_at.to_string()));
        match update.send().await {
            Ok(_) => Ok(Replaced::Done),
            Err(SdkError::ServiceError(answer))
                if matches!(answer.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                Ok(Replaced::Changed)
            }
            Err(error) => Err(unavailable(UPDATE)(error)),
        }
    }
}

/// Whether a transaction was called off because a condition does not hold, or because somebody else was writing: either
/// way nothing is changed, and looking again shows what is.
fn was_called_off(error: &SdkError<TransactWriteItemsError>) -> bool {
    let SdkError::ServiceError(answer) = error else { return false };
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = answer.err() else { return false };
    let code = |code: Option<&str>| matches!(code, Some("ConditionalCheckFailed" | "TransactionConflict"));
    cancelled.cancellation_reasons().iter().any(|reason| code(reason.code()))
}
