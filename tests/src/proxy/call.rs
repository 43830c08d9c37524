//! What the proxy knows about a call: read from the wire, never from the client.

use std::time::Instant;

use hyper::{body::Bytes, http::request::Parts};
use serde_json::Value;

/// One request to AWS, as it arrived: the repeats of an SDK are calls of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its place among all calls of the proxy, from 1.
    pub number: usize,
    /// Its place among the calls of the same operation, from 1, since the plan was set with [`Proxy::on`].
    ///
    /// [`Proxy::on`]: super::Proxy::on
    pub nth: usize,
    /// Whom it is for.
    pub service: Service,
    /// What it asks for: `PutItem`, `SendMessageBatch`; `GET /path` for what is not an AWS JSON call.
    pub operation: String,
    /// The name of its table or queue; several, joined with commas, for a batch or transaction over several.
    pub table_or_queue: Option<String>,
    /// Its body; null when that is no JSON.
    pub body: Value,
    /// When it had arrived whole.
    pub at: Instant,
    /// Whether the service has answered it, whatever its client got.
    pub reached_service: bool,
    /// What its client got.
    pub outcome: Outcome,
}

/// Whom a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// DynamoDB; its streams are another service.
    DynamoDb,
    /// SQS.
    Sqs,
    /// Anything else.
    Other,
}

/// What a client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    UnderWay,
    /// An answer with this status, of the service or of the plan.
    Answered(u16),
    /// The end of its connection.
    Cut,
    /// Nothing, until it gives up.
    Silence,
}

/// Chooses calls: an operation's name, or a closure over the call.
pub trait CallFilter: Send + Sync + 'static {
    /// Whether this call is meant.
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
    /// A call that has just arrived; the journal numbers it.
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
            outcome: Outcome::UnderWay,
        }
    }
}

impl Service {
    fn of(api: &str) -> Self {
        match api {
            "DynamoDB_20120810" => Self::DynamoDb,
            "AmazonSQS" => Self::Sqs,
            _ => Self::Other,
        }
    }
}

/// `TableName` of a plain call, of each part of a transaction, or the keys of a batch's `RequestItems`.
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
    // A table may be named by its ARN: `arn:aws:dynamodb:region:account:table/name`.
    let mut names: Vec<_> = names.into_iter().map(|name| name.rsplit('/').next().unwrap_or(name)).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { None } else { Some(names.join(",")) }
}

fn queue(body: &Value) -> Option<String> {
    let named = body.get("QueueUrl").or_else(|| body.get("QueueName"))?.as_str()?;
    named.rsplit('/').next().map(str::to_owned)
}
