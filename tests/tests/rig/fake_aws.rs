//! Imitates AWS: answers every call and records its operation.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header::DATE},
    response::IntoResponse,
};
use serde_json::json;
use tokio::net::TcpListener;

/// Serves until the test ends.
#[derive(Clone, Default)]
pub(crate) struct FakeAws {
    asked: Arc<Mutex<Vec<String>>>,
    address: String,
}

impl FakeAws {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let aws = Self { address: listener.local_addr().unwrap().to_string(), ..Self::default() };
        let router = Router::new().fallback(answer).with_state(aws.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        aws
    }

    pub(crate) fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the operations of the calls so far, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(aws): State<FakeAws>, headers: HeaderMap, _body: Bytes) -> impl IntoResponse {
    let target = headers.get("x-amz-target").map_or("", |value| value.to_str().unwrap());
    aws.asked.lock().unwrap().push(target.rsplit('.').next().unwrap().to_owned());
    // The fixed date shows that the proxy leaves an answer's headers unchanged.
    ([(DATE, "Mon, 23 Nov 2026 12:00:00 GMT")], json!({"MessageId": "1"}).to_string())
}
