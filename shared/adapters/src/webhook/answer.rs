//! Reads and keeps part of a partner's answer.

use std::time::Duration;

use domain::outbound::{
    attempt::{AnswerExcerpt, MAX_ANSWER_BYTES},
    retry::RetryAfter,
};
use reqwest::{
    Response,
    header::{HeaderValue, RETRY_AFTER},
};
use tokio::time::timeout;

use super::limits::MAX_BODY_BYTES;

/// Holds a partner's answer: the status, the beginning of the body and the header `Retry-After`.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) answer: AnswerExcerpt,
    pub(super) retry_after: Option<RetryAfter>,
}

impl Reply {
    /// Reads an answer. The flag is true if the answer ended properly within its limits. The answer counts even if the
    /// flag is false.
    pub(super) async fn read(mut response: Response, within: Duration) -> (Self, bool) {
        let status = response.status().as_u16();
        // A header that is repeated is one list of values.
        let values: Vec<&[u8]> = response.headers().get_all(RETRY_AFTER).iter().map(HeaderValue::as_bytes).collect();
        let retry_after = RetryAfter::parse(&values.join(&b", "[..]));
        let mut kept = Vec::new();
        let ended = timeout(within, take(&mut response, &mut kept)).await.unwrap_or(false);
        (Self { status, answer: AnswerExcerpt::of(&kept), retry_after }, ended)
    }
}

/// Reads a body up to [`MAX_BODY_BYTES`] without decoding it, and keeps the beginning. Returns true if the body ended.
async fn take(response: &mut Response, kept: &mut Vec<u8>) -> bool {
    let mut taken = 0;
    while taken < MAX_BODY_BYTES {
        let data = match response.chunk().await {
            Ok(Some(data)) => data,
            Ok(None) => return true,
            Err(_) => return false,
        };
        taken += data.len();
        let room = MAX_ANSWER_BYTES - kept.len();
        kept.extend(data.iter().take(room));
    }
    false
}
