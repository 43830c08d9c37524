//! Describes a call as the proxy read it from the wire.

use std::time::Instant;

use hyper::{body::Bytes, http::request::Parts};
use serde_json::Value;

/// Describes one request to AWS. Each repeat by an SDK is a call of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Numbers all calls of the proxy, from 1.
    pub number: usize,
    /// Gives the call's number among the calls of the same operation, from 1. Counting starts again when a plan is set
    /// with [`Proxy::on`].
    ///
    /// [`Proxy::on`]: super::Proxy::on
    pub nth: usize,
    /// Names the service.
    pub service: Service,
    /// Names the operation, such as `PutItem` or `SendMessageBatch`. A call that is not AWS JSON has `GET /path`.
    pub operation: String,
    /// Names the table, queue or Firehose stream. If a batch or transaction uses several tables, their names are joined with commas.
    pub table_or_queue: Option<String>,
    /// Holds the body, or null if it is not JSON.
    pub body: Value,
    /// Holds the time at which the whole call had arrived.
    pub at: Instant,
    /// Says whether the service has answered, whatever the client got.
    pub reached_service: bool,
    /// Says what the client got.
    pub outcome: CallEnding,
}

/// Names the service of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// DynamoDB receives the call. Its streams count as another service.
    DynamoDb,
    /// SQS receives the call.
    Sqs,
    /// Firehose receives the call.
    Firehose,
    /// Another service receives the call.
    Other,
}

/// Says what a client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnding {
    /// The client has got nothing yet.
    UnderWay,
    /// The client got an answer with this status, from the service or from the plan.
    Answered(u16),
    /// The client's connection was cut.
    Cut,
    /// The client gets nothing until it gives up.
    Silence,
}

/// Chooses calls by an operation's name or by a closure over the call.
pub trait CallFilter: Send + Sync + 'static {
    /// Returns true if the filter chooses this call.
    fn takes(&self, call: &Call) -> bool;
}

impl CallFilter for &'static str {
    fn takes(&self, call: &Call) -> bool {
        call.operation == *self
    }
}

impl<F: Fn(&Call) -> bool + Send + Sync + 'static> CallFilter for F {
    fn takes(&self, call: &Call) -> bool {
        self(call)
    }
}

impl Call {
    /// Reads a call that has just arrived. The journal sets its numbers.
    pub(super) fn read(parts: &Parts, body: &Bytes, at: Instant) -> Self {
        let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let (service, operation) = match target.and_then(|target| target.rsplit_once('.')) {
            Some((api, operation)) => (Service::of(api), operation.to_owned()),
            None => (Service::Other, format!("{} {}", parts.method, parts.uri.path())),
        };
        let body = serde_json::from_slice(body).unwrap_or_default();
        let table_or_queue = match service {
            Service::DynamoDb => tables(&body),
            Service::Sqs => queue(&body),
            Service::Firehose => body.get("DeliveryStreamName").and_then(Value::as_str).map(str::to_owned),
            Service::Other => None,
        };
        Self {
            number: 0,
            nth: 0,
            service,
            operation,
            table_or_queue,
            body,
            at,
            reached_service: false,
            outcome: CallEnding::UnderWay,
        }
    }
}

impl Service {
    fn of(api: &str) -> Self {
        match api {
            "DynamoDB_20120810" => Self::DynamoDb,
            "AmazonSQS" => Self::Sqs,
            "Firehose_20150804" => Self::Firehose,
            _ => Self::Other,
        }
    }
}

/// Reads `TableName` of a plain call or of each part of a transaction, or the keys of a batch's `RequestItems`.
fn tables(body: &Value) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    names.extend(body.get("TableName").and_then(Value::as_str));
    let parts = body.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
    let operations = parts.filter_map(Value::as_object).flat_map(serde_json::Map::values);
    names.extend(operations.filter_map(|operation| operation.get("TableName")?.as_str()));
    names.extend(
        body.get("RequestItems")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|items| items.keys().map(String::as_str)),
    );
    // An ARN such as `arn:aws:dynamodb:region:account:table/name` may stand for a table.
    let mut names: Vec<_> = names.into_iter().map(|name| name.rsplit('/').next().unwrap_or(name)).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { None } else { Some(names.join(",")) }
}

fn queue(body: &Value) -> Option<String> {
    let named = body.get("QueueUrl").or_else(|| body.get("QueueName"))?.as_str()?;
    named.rsplit('/').next().map(str::to_owned)
}
