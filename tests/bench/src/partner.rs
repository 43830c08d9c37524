//! Serves a partner's webhooks. The path decides if the partner is quick, slow, broken or talkative.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming, SizeHint},
    header::{CONTENT_LENGTH, HeaderValue},
};

use crate::{
    authority::Authority,
    server::{Body, Server},
};

/// Gives the time that the slow partner takes to answer.
pub const SLOW: Duration = Duration::from_millis(200);
/// Gives the size of the talkative partner's answers, in bytes.
pub const LARGE: u64 = 300_000_000;

/// Names the ways in which partners behave. Each is a campaign's name and the first segment of its webhook's path.
pub const WAYS: [&str; 4] = ["instant", "slow", "failing", "large"];

/// Starts the server with TLS. The server speaks HTTP/1.1 and keeps connections open.
pub fn start(authority: &Authority) -> Result<Server> {
    Server::start(Some(authority.acceptor()?), answer)
}

static LAST_INSTANT: Mutex<Option<Instant>> = Mutex::new(None);

/// Returns when the partner last answered at once.
pub fn last_instant() -> Option<Instant> {
    *LAST_INSTANT.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    let way = request.uri().path().split('/').nth(1).unwrap_or_default().to_owned();
    let _ = request.into_body().collect().await;
    let whole = |text: &'static str| Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync();
    match way.as_str() {
        "slow" => {
            tokio::time::sleep(SLOW).await;
            Response::new(whole("ok"))
        }
        "failing" => {
            let mut response = Response::new(whole("no"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
        "large" => {
            let mut response = Response::new(Endless(LARGE).boxed_unsync());
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(LARGE));
            response
        }
        _ => {
            *LAST_INSTANT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            Response::new(whole("ok"))
        }
    }
}

/// Streams a body of this number of bytes.
struct Endless(u64);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static CHUNK: [u8; 65536] = [b'x'; 65536];
        let length = usize::try_from(self.0).unwrap_or(usize::MAX).min(CHUNK.len());
        self.0 -= u64::try_from(length).unwrap_or_default();
        let (chunk, _) = CHUNK.split_at(length);
        std::task::Poll::Ready((length > 0).then(|| Ok(Frame::data(Bytes::from_static(chunk)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }

    fn is_end_stream(&self) -> bool {
        self.0 == 0
    }
}
