//! The partner's server, which on a local stack is the partner simulator.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The simulator, told what to answer.
pub(super) struct Partner<'a> {
    pub(super) client: &'a reqwest::Client,
    pub(super) url: &'a str,
}

impl Partner<'_> {
    /// From now on this partner's server answers so, one after another, the last one again and again.
    pub(super) async fn answers(&self, name: &str, answers: &Value) -> Result<()> {
        let told = serde_json::json!({"answers": answers}).to_string();
        let put = self.client.put(format!("{}/_control/{name}", self.url));
        let reply = put.header("content-type", "application/json").body(told).send().await;
        let reply = reply.with_context(|| format!("the partner simulator is not there: {}", self.url))?;
        if !reply.status().is_success() {
            bail!("the partner simulator did not take what it was told: {}", reply.text().await.unwrap_or_default());
        }
        Ok(())
    }
}
