// cargo add axum standardwebhooks
use axum::http::{HeaderMap, Method};
use standardwebhooks::{Webhook, WebhookError};

/// Fails if the request is not ours. `target` is path and query, exactly as received.
pub fn verify(
    secret: &str,
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), WebhookError> {
    let quoted = format!("\"{target}\"");
    Webhook::new(secret)?.verify(if method == Method::GET { quoted.as_bytes() } else { body }, headers)
}
