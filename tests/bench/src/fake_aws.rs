//! Serves the parts of DynamoDB and SQS that the functions use, from memory, over TLS or plain HTTP. The server is
//! fast, and it counts calls.
//!
//! It cannot show how long AWS itself takes, throttling, or anything that depends on a network.

mod expression;
mod store;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Incoming};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::store::{Refused, Store};
use crate::{authority::Authority, server::Server};

/// Holds an item in DynamoDB's JSON.
pub type Item = Map<String, Value>;

/// Counts the operations, and the units that AWS would charge.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Counts calls by operation and table or queue.
    pub calls: BTreeMap<String, u64>,
    /// Counts write units as on-demand tables charge them.
    pub write_units: u64,
    /// Counts halves of read units. An eventually consistent read of 4 KB costs one half.
    pub half_read_units: u64,
    /// Counts SQS's requests, one for each 64 KB.
    pub sqs_requests: u64,
    /// Gives the time that making the answers took.
    pub busy: Duration,
}

impl Usage {
    /// Returns the number of all calls.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Adds another usage to this one.
    pub fn add(&mut self, more: Self) {
        self.write_units += more.write_units;
        self.half_read_units += more.half_read_units;
        self.sqs_requests += more.sqs_requests;
        self.busy += more.busy;
        for (name, count) in more.calls {
            *self.calls.entry(name).or_default() += count;
        }
    }
}

/// Holds the server, which stops when this is dropped.
#[derive(Debug)]
pub struct FakeAws {
    store: Arc<Mutex<Store>>,
    latency_ms: Arc<AtomicU64>,
    server: Server,
}

impl FakeAws {
    /// Starts the server, with TLS if there is an authority.
    pub fn start(authority: Option<&Authority>) -> Result<Self> {
        let (store, latency_ms) = (Arc::<Mutex<Store>>::default(), Arc::<AtomicU64>::default());
        let (shared, latency) = (Arc::clone(&store), Arc::clone(&latency_ms));
        let acceptor = authority.map(Authority::acceptor).transpose()?;
        let server = Server::start(acceptor, move |request| {
            let latency = Duration::from_millis(latency.load(Ordering::Relaxed));
            answer(Arc::clone(&shared), latency, request)
        })?;
        Ok(Self { store, latency_ms, server })
    }

    /// Returns the server's URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Delays every later answer by this time. Concurrent answers are delayed at the same time.
    pub fn set_latency(&self, milliseconds: u64) {
        self.latency_ms.store(milliseconds, Ordering::Relaxed);
    }

    /// Creates an empty table with these key attributes.
    pub fn create(&self, table: &str, key: &[&str]) {
        self.store().create(table, key);
    }

    /// Puts an item into a table without counting it.
    pub fn put(&self, table: &str, item: Item) {
        self.store().put_unasked(table, item);
    }

    /// Returns all items of a table.
    pub fn items(&self, table: &str) -> Vec<Item> {
        self.store().items(table)
    }

    /// Returns how many messages all queues have taken.
    pub fn messages(&self) -> u64 {
        self.store().messages
    }

    /// Returns the usage since the last call.
    pub fn take_usage(&self) -> Usage {
        std::mem::take(&mut self.store().usage)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    store: Arc<Mutex<Store>>,
    latency: Duration,
    request: Request<Incoming>,
) -> Response<crate::server::Body> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let target = target.to_owned();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let (status, body) = answered(&store, &target, &body);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut response = Response::new(Full::new(body).boxed_unsync());
    *response.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}

fn answered(store: &Mutex<Store>, target: &str, body: &[u8]) -> (StatusCode, Bytes) {
    let begun = Instant::now();
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, body) = match store.call(target, body) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(Refused(refusal)) => (StatusCode::BAD_REQUEST, refusal),
    };
    let body = Bytes::from(body.to_string());
    store.usage.busy += begun.elapsed();
    (status, body)
}
