//! Calls the API as a partner or a browser does.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use serde_json::Value;

/// Holds an answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) body: Value,
}

impl Reply {
    /// Returns a text of the body, by its name.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Fails unless the answer has this status.
    pub(crate) fn expect(&self, status: u16) -> Result<()> {
        if self.status != status {
            bail!("expected {status}, got {}: {}", self.status, self.body);
        }
        Ok(())
    }
}

/// Makes a client that follows no redirect, and waits for 15 s at most.
pub(crate) fn client() -> Result<Client> {
    let client = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(15)).build();
    client.context("cannot make an HTTP client")
}

/// Sends a request and reads the answer, whatever its status. The error never holds the URL, because the URL has a
/// token.
pub(crate) async fn send(request: RequestBuilder) -> Result<Reply> {
    let response = request.send().await.map_err(reqwest::Error::without_url).context("no answer")?;
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    let (status, location) = (response.status().as_u16(), location.unwrap_or_default().to_owned());
    let text = response.text().await.map_err(reqwest::Error::without_url).context("the answer broke off")?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Reply { status, location, body })
}
