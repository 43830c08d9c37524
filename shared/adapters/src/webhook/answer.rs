//! The part of a partner's answer that is kept.

use std::time::Duration;

use domain::outbound::{
    attempt::{AnswerExcerpt, MAX_ANSWER_BYTES},
    retry::RetryAfter,
};
use reqwest::{Response, header::RETRY_AFTER};
use tokio::time::timeout;

use super::limits::MAX_BODY_BYTES;

/// A partner's answer: a status, and as much of the rest as came.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) answer: AnswerExcerpt,
    pub(super) retry_after: Option<RetryAfter>,
}

impl Reply {
    /// Reads an answer, and tells whether it ended in order within its limits. If it did not, that changes nothing about it.
    pub(super) async fn read(mut response: Response, within: Duration) -> (Self, bool) {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| RetryAfter::parse(value.as_bytes()));
        let mut kept = Vec::new();
        let ended = timeout(within, take(&mut response, &mut kept)).await.unwrap_or(false);
        (Self { status, answer: AnswerExcerpt::of(&kept), retry_after }, ended)
    }
}

/// Takes a body, never decoded, up to the limit, and keeps its beginning.
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
