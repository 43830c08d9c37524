//! What is taken of a partner's answer.

use std::time::Duration;

use domain::{
    attempt::{Answer, MAX_ANSWER_BYTES},
    retry::RetryAfter,
};
use http_body_util::BodyExt;
use hyper::{Response, body::Body, body::Incoming, header::RETRY_AFTER};
use tokio::time::timeout;

use super::limits::MAX_BODY_BYTES;

/// A partner's answer: a status, and as much of the rest as came.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) answer: Answer,
    pub(super) retry_after: Option<RetryAfter>,
}

impl Reply {
    /// The answer of which there is no more than this.
    pub(super) fn bare(status: u16) -> Self {
        Self { status, answer: Answer::default(), retry_after: None }
    }

    /// Reads an answer, and tells whether it ended in order within its limits. That it did not changes nothing about it.
    pub(super) async fn read(response: Response<Incoming>, within: Duration) -> (Self, bool) {
        let (head, mut body) = response.into_parts();
        let mut kept = Vec::new();
        let ended = timeout(within, take(&mut body, &mut kept)).await.unwrap_or(false);
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| RetryAfter::parse(value.as_bytes()));
        (Self { status: head.status.as_u16(), answer: Answer::of(&kept), retry_after }, ended)
    }
}

/// Takes a body, never decoded, up to the limit; keeps its beginning.
async fn take(body: &mut Incoming, kept: &mut Vec<u8>) -> bool {
    let mut taken = 0;
    while taken < MAX_BODY_BYTES && !body.is_end_stream() {
        let data = match body.frame().await {
            None => return true,
            Some(Err(_)) => return false,
            // Trailers end it.
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        taken += data.len();
        let room = MAX_ANSWER_BYTES - kept.len();
        kept.extend(data.iter().take(room));
    }
    body.is_end_stream()
}
