//! Writes items under conditions.

use app::ports::{Replaced, Unavailable};
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use serde::Serialize;

use super::{Item, number, to_item};
use crate::aws::unavailable;

/// Names the code that DynamoDB gives for a cancelled transaction if the condition of a write does not hold.
pub(crate) const CONDITION: &str = "ConditionalCheckFailed";
/// Names the code that DynamoDB gives for a cancelled transaction if another transaction uses the same item.
pub(crate) const OTHER_TRANSACTION: &str = "TransactionConflict";

/// Describes the condition that the stored item must meet before a put replaces it.
#[derive(Clone, Copy)]
pub(crate) enum Requires {
    /// There is no condition.
    Nothing,
    /// No such item exists. The text names its key.
    Absence(&'static str),
    /// The attribute of this name has this number.
    Number(&'static str, u64),
}

impl Requires {
    /// Requires that the item still has the version `read`, or is still absent if `read` is `None`.
    pub(crate) fn still(key: &'static str, version: &'static str, read: Option<u64>) -> Self {
        read.map_or(Self::Absence(key), |read| Self::Number(version, read))
    }
}

pub(crate) fn put(
    service: &'static str,
    table: &str,
    item: &impl Serialize,
    requires: Requires,
) -> Result<Put, Unavailable> {
    let put = Put::builder().table_name(table).set_item(Some(to_item(service, item)?));
    let put = match requires {
        Requires::Nothing => put,
        Requires::Absence(key) => {
            put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", key)
        }
        Requires::Number(name, wanted) => put
            .condition_expression("#number = :wanted")
            .expression_attribute_names("#number", name)
            .expression_attribute_values(":wanted", number(wanted)),
    };
    put.build().map_err(unmade(service))
}

/// Makes a put one write of a transaction.
pub(crate) fn in_transaction(put: Put) -> TransactWriteItem {
    TransactWriteItem::builder().put(put).build()
}

/// Bounds the times that a single put is made while transactions use its item.
const MAX_CONFLICTS: u32 = 5;

/// Sends a single put. Returns `None` if the put took place, and otherwise the stored item for which the condition does
/// not hold. DynamoDB's error contains this item, so no read is needed.
///
/// While a transaction uses the item, DynamoDB refuses the put without making it, so it is made again at once. `make`
/// makes it anew each time, so that a put that is not refused is never copied.
pub(crate) async fn send_put(
    client: &Client,
    service: &'static str,
    make: impl Fn() -> Result<Put, Unavailable>,
) -> Result<Option<Item>, Unavailable> {
    for _ in 1..MAX_CONFLICTS {
        match send_once(client, make()?).await {
            Err(error) if is_conflict(&error) => {}
            sent => return sent.map_err(unavailable(service)),
        }
    }
    send_once(client, make()?).await.map_err(unavailable(service))
}

/// Sends a single put once. An item that DynamoDB returns is moved out of the error, because a copy would cost as much as
/// a read.
async fn send_once(client: &Client, put: Put) -> Result<Option<Item>, SdkError<PutItemError>> {
    // Returning an existing item may need the permission to read it, so it is asked for only with a condition.
    let returns = put.condition_expression().is_some().then_some(ReturnValuesOnConditionCheckFailure::AllOld);
    let request = client
        .put_item()
        .table_name(put.table_name)
        .set_item(Some(put.item))
        .set_condition_expression(put.condition_expression)
        .set_expression_attribute_names(put.expression_attribute_names)
        .set_expression_attribute_values(put.expression_attribute_values)
        .set_return_values_on_condition_check_failure(returns);
    match Box::pin(request.send()).await {
        Ok(_) => Ok(None),
        Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
            match answer.into_err() {
                PutItemError::ConditionalCheckFailedException(failure) => Ok(Some(failure.item.unwrap_or_default())),
                _ => Ok(Some(Item::new())),
            }
        }
        Err(error) => Err(error),
    }
}

fn is_conflict(error: &SdkError<PutItemError>) -> bool {
    error.as_service_error().is_some_and(PutItemError::is_transaction_conflict_exception)
}

/// Sends writes, of which DynamoDB makes all or none. Returns true if the writes were made, and false if DynamoDB names
/// a code of `lost_by` for at least one cancelled write. Any other cancellation is an error.
pub(crate) async fn transact(
    client: &Client,
    service: &'static str,
    writes: Vec<TransactWriteItem>,
    lost_by: &[&str],
) -> Result<bool, Unavailable> {
    match client.transact_write_items().set_transact_items(Some(writes)).send().await {
        Ok(_) => Ok(true),
        Err(error) if is_cancelled(&error, lost_by) => Ok(false),
        Err(error) => Err(unavailable(service)(error)),
    }
}

/// Returns true if a transaction was cancelled, and DynamoDB names one of these codes for at least one of its writes.
pub(crate) fn is_cancelled(error: &SdkError<TransactWriteItemsError>, by: &[&str]) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    cancelled.cancellation_reasons().iter().any(|reason| reason.code().is_some_and(|code| by.contains(&code)))
}

/// Returns the reason for each write of a cancelled transaction, in the order of the writes.
pub(crate) fn cancellation_reasons(error: SdkError<TransactWriteItemsError>) -> Vec<CancellationReason> {
    match error.into_service_error() {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            cancelled.cancellation_reasons.unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Returns true if a conditional write took place.
pub(crate) fn took_place<T, E: ProvideErrorMetadata + std::error::Error + 'static>(
    service: &'static str,
    written: Result<T, SdkError<E>>,
) -> Result<bool, Unavailable> {
    match written {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(unavailable(service)(error)),
    }
}

pub(crate) fn replaced(took_place: bool) -> Replaced {
    if took_place { Replaced::Done } else { Replaced::Changed }
}

pub(crate) fn unmade<F>(service: &'static str) -> impl Fn(F) -> Unavailable {
    move |_| Unavailable { service, reason: "the request could not be made".into() }
}
