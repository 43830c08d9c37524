//! Serves the Runtime API, which a function polls and posts to.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use crate::loopback::{Cut, WholeResponse};

/// Describes one event on its way to a function.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) request_id: String,
    /// Holds the deadline in Unix milliseconds.
    pub(super) deadline_ms: u128,
    pub(super) function_arn: String,
    pub(super) payload: Bytes,
}

/// Represents a function that waits for an event.
pub(super) type Poll = oneshot::Sender<Event>;

/// Holds what a function posted about an event, and when.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) body: Bytes,
    pub(super) is_error: bool,
    pub(super) at: Instant,
}

/// Holds the state that the connections of the Runtime API share with the function's owner.
#[derive(Debug)]
pub(super) struct Api {
    polls: mpsc::UnboundedSender<Poll>,
    first_poll: OnceLock<Instant>,
    under_way: Mutex<Option<(String, oneshot::Sender<Posted>)>>,
    init_error: watch::Sender<Option<Value>>,
}

impl Api {
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Poll>) {
        let (polls, polled) = mpsc::unbounded_channel();
        let api = Self {
            polls,
            first_poll: OnceLock::new(),
            under_way: Mutex::new(None),
            init_error: watch::Sender::new(None),
        };
        (Arc::new(api), polled)
    }

    /// Returns the time at which the function asked for its first event.
    pub(super) fn first_poll(&self) -> Option<Instant> {
        self.first_poll.get().copied()
    }

    /// Waits until the function reports an init error, and returns it.
    pub(super) async fn init_error(&self) -> Value {
        let mut reported = self.init_error.subscribe();
        let error = reported.wait_for(Option::is_some).await.expect("the sender lives as long as self").clone();
        error.expect("the wait above ends with a value")
    }

    /// Returns a receiver for the function's answer or error to this request.
    pub(super) fn expect(&self, request_id: &str) -> oneshot::Receiver<Posted> {
        let (posted, answer) = oneshot::channel();
        *self.under_way.lock().unwrap() = Some((request_id.to_owned(), posted));
        answer
    }

    pub(super) async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<WholeResponse, Cut> {
        let (parts, body) = request.into_parts();
        let route = parts.uri.path().strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
        let segments: Vec<_> = route.split('/').collect();
        match (&parts.method, segments.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.posted(id, body, false).await,
            (&Method::POST, ["invocation", id, "error"]) => self.posted(id, body, true).await,
            (&Method::POST, ["init", "error"]) => {
                let error = parse(&whole(body).await?);
                self.init_error.send_replace(Some(error));
                Ok(accepted())
            }
            _ => Ok(refusal(StatusCode::NOT_FOUND, "InvalidPath")),
        }
    }

    async fn next(&self) -> Result<WholeResponse, Cut> {
        let (poll, event) = oneshot::channel();
        self.first_poll.get_or_init(Instant::now);
        self.polls.send(poll).map_err(|_| Cut)?;
        let event = event.await.map_err(|_| Cut)?;
        let answer = Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", event.request_id)
            .header("Lambda-Runtime-Deadline-Ms", event.deadline_ms.to_string())
            .header("Lambda-Runtime-Invoked-Function-Arn", event.function_arn)
            .header(
                "Lambda-Runtime-Trace-Id",
                "Root=1-692301a0-000000000000000000000001;Parent=0000000000000001;Sampled=0",
            )
            .body(Full::new(event.payload));
        Ok(answer.expect("the headers are valid"))
    }

    async fn posted(&self, request_id: &str, body: Incoming, is_error: bool) -> Result<WholeResponse, Cut> {
        let body = whole(body).await?;
        let waiting = self.under_way.lock().unwrap().take_if(|(id, _)| id == request_id);
        let Some((_, waiting)) = waiting else {
            return Ok(refusal(StatusCode::BAD_REQUEST, "InvalidRequestID"));
        };
        // If the test has given up the invocation, the receiver is gone. The function gets the same reply.
        let _ = waiting.send(Posted { body, is_error, at: Instant::now() });
        Ok(accepted())
    }
}

/// Parses the body as JSON. A body that is not JSON becomes a string.
pub(super) fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

async fn whole(body: Incoming) -> Result<Bytes, Cut> {
    Ok(body.collect().await.map_err(|_| Cut)?.to_bytes())
}

fn accepted() -> WholeResponse {
    answer(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

fn refusal(status: StatusCode, error_type: &str) -> WholeResponse {
    answer(status, &json!({"errorMessage": "not in the Runtime API's contract", "errorType": error_type}))
}

fn answer(status: StatusCode, body: &Value) -> WholeResponse {
    let answer = Response::builder().status(status).header("Content-Type", "application/json");
    answer.body(Full::new(body.to_string().into())).expect("the headers are valid")
}
