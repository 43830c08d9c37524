//! Calls our own API from outside, as a partner or a browser does.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use serde_json::Value;

/// A reply of the API.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Reply {
    /// Returns a text of the body by its name.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Makes a client that follows no redirect and waits at most 15 s.
pub(crate) fn client() -> Result<Client> {
    let client = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(15)).build();
    client.context("cannot make an HTTP client")
}

/// Sends a request and reads the reply, whatever its status. Errors never contain the URL, because the URL contains a
/// token.
pub(crate) async fn send(request: RequestBuilder) -> Result<Reply> {
    let response = request.send().await.map_err(reqwest::Error::without_url).context("no answer")?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (content_type, location) = (header("content-type").unwrap_or_default(), header("location"));
    let status = response.status().as_u16();
    let text = response.text().await.map_err(reqwest::Error::without_url).context("the answer broke off")?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Reply { status, content_type, location, body })
}
