//! Builds HTTP answers, from the status line to the body.

use hyper::{
    Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};

use super::content::{Body, Content};

#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) retry_after: Option<RetryAfter>,
    pub(super) filler: u16,
    pub(super) content: Content,
}

/// Says in how many seconds from the answer the caller should call again. `Seconds` sends the number, and `Date` sends
/// the instant.
#[derive(Debug, Clone, Copy)]
pub(super) enum RetryAfter {
    Seconds(u32),
    Date(u32),
}

impl Plan {
    /// Returns the answer for hyper to send.
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(self.content.body());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.head();
        response
    }

    /// Returns the answer as the bytes on the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in &self.head() {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend(b"connection: close\r\n\r\n");
        bytes.extend(self.content.text());
        bytes
    }

    fn head(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        if let Some(retry_after) = self.retry_after.and_then(RetryAfter::value) {
            headers.insert(RETRY_AFTER, retry_after);
        }
        for number in 0..self.filler {
            if let Ok(name) = HeaderName::try_from(format!("x-filler-{number}")) {
                headers.insert(name, HeaderValue::from_static("nothing"));
            }
        }
        match self.content {
            // A slow body has a known length too, as most bodies have.
            Content::Text(ref text) | Content::Slowly(ref text, _) => {
                headers.insert(CONTENT_LENGTH, text.len().into());
            }
            Content::Endless => {}
            Content::GzipBomb(_) => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
        }
        headers
    }
}

impl RetryAfter {
    fn value(self) -> Option<HeaderValue> {
        match self {
            Self::Seconds(seconds) => Some(seconds.into()),
            Self::Date(seconds) => {
                let then = Timestamp::now().checked_add(SignedDuration::from_secs(seconds.into())).ok()?;
                let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&then).ok()?;
                HeaderValue::try_from(text).ok()
            }
        }
    }
}
