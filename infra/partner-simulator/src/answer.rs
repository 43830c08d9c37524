//! Checks the answers of a script and prepares them to be carried out.

mod content;
mod plan;

use std::{sync::Arc, time::Duration};

use hyper::{
    StatusCode,
    header::{
        CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, InvalidHeaderName, InvalidHeaderValue, LOCATION,
        TRANSFER_ENCODING,
    },
};
use thiserror::Error;

pub(crate) use self::content::Body;
use self::{
    content::Content,
    plan::{Plan, RetryAfter},
};
use crate::script::Answer;

/// Limits the filler headers of an answer. hyper's header map holds at most 32,768 headers.
const MAX_FILLER_HEADERS: u16 = 20_000;
/// Limits the headers that a script names for one answer.
const MAX_HEADERS: usize = 100;

/// Holds bytes that are not HTTP: the alert that a TLS server sends to a client without TLS, and a text.
const GARBAGE: &[u8] = b"\x15\x03\x01\x00\x02\x02\x28this is not HTTP\r\n\r\n";

/// Describes how the simulator treats a request.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    /// Counts the requests in a row that are treated in this way.
    pub(crate) times: u32,
    /// Gives the pause before anything happens.
    pub(crate) delay: Duration,
    /// Says what happens after the pause.
    pub(crate) manner: Arc<Manner>,
    /// Names the act in logs and in lists of requests.
    pub(crate) label: String,
}

/// Names the ways to treat a request.
#[derive(Debug)]
pub(crate) enum Manner {
    /// Nothing is sent, and the connection stays open.
    Hang,
    /// The connection ends without an answer.
    Close,
    /// An HTTP answer is sent.
    Respond(Plan),
    /// The bytes are written directly to the connection, without an HTTP server. Then the connection ends.
    Bytes(Raw),
}

/// Names the kinds of bytes that are written without an HTTP server.
#[derive(Debug)]
pub(crate) enum Raw {
    /// The bytes are not HTTP.
    Garbage,
    /// The answer is written one byte at a time, with this pause before each byte.
    Slowly(Plan, Duration),
}

/// Says why an answer of a script is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum AnswerFault {
    #[error("times must be at least 1")]
    Times,
    #[error("hang, close and garbage can be combined only with times and delay_ms")]
    NotAlone,
    #[error("status must be 200 to 999")]
    Status,
    #[error("header {0}: {1}")]
    HeaderName(String, String),
    #[error("header {0}: its value has a character that a header cannot hold")]
    HeaderValue(String),
    #[error("header {0} is set by the server to the length of the body; leave it out")]
    Framing(HeaderName),
    #[error("headers has at most {MAX_HEADERS} entries and filler_headers is at most {MAX_FILLER_HEADERS}")]
    TooManyHeaders,
    #[error("retry_after_seconds and retry_after_date_seconds exclude each other; leave one out")]
    RetryAfter,
    #[error(
        "body, endless_body and gzip_bomb_mib exclude each other; byte_every_ms and body_byte_every_ms exclude each other \
         and are only for body"
    )]
    Body,
}

impl Act {
    /// Returns the act for a name without a script: an empty 200.
    pub(crate) fn unscripted() -> Self {
        let plan = Plan {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            retry_after: None,
            filler: 0,
            content: Content::default(),
        };
        Self { times: 1, delay: Duration::ZERO, manner: Arc::new(Manner::Respond(plan)), label: "200".to_owned() }
    }
}

impl TryFrom<&Answer> for Act {
    type Error = AnswerFault;

    fn try_from(answer: &Answer) -> Result<Self, AnswerFault> {
        let times = answer.times.unwrap_or(1);
        if times == 0 {
            return Err(AnswerFault::Times);
        }
        let (manner, label) = match misdeed(answer)? {
            Some((manner, label)) => (manner, label.to_owned()),
            None => http(answer)?,
        };
        let delay = Duration::from_millis(answer.delay_ms.unwrap_or_default());
        Ok(Self { times, delay, manner: Arc::new(manner), label })
    }
}

/// Returns the act that replaces an HTTP answer, if the script asks for one.
fn misdeed(answer: &Answer) -> Result<Option<(Manner, &'static str)>, AnswerFault> {
    let found = match (answer.hang, answer.close, answer.garbage) {
        (false, false, false) => return Ok(None),
        (true, false, false) => (Manner::Hang, "hang"),
        (false, true, false) => (Manner::Close, "close"),
        (false, false, true) => (Manner::Bytes(Raw::Garbage), "garbage"),
        _ => return Err(AnswerFault::NotAlone),
    };
    let alone = Answer { hang: answer.hang, close: answer.close, garbage: answer.garbage, ..Answer::default() };
    let rest = Answer { times: None, delay_ms: None, ..answer.clone() };
    if rest == alone { Ok(Some(found)) } else { Err(AnswerFault::NotAlone) }
}

fn http(answer: &Answer) -> Result<(Manner, String), AnswerFault> {
    let usual = if answer.redirect.is_some() { 302 } else { 200 };
    let status = answer.status.unwrap_or(usual);
    let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
    let status = status.ok_or(AnswerFault::Status)?;
    let filler = answer.filler_headers.unwrap_or_default();
    if filler > MAX_FILLER_HEADERS {
        return Err(AnswerFault::TooManyHeaders);
    }
    let retry_after = match (answer.retry_after_seconds, answer.retry_after_date_seconds) {
        (None, None) => None,
        (Some(seconds), None) => Some(RetryAfter::Seconds(seconds)),
        (None, Some(seconds)) => Some(RetryAfter::Date(seconds)),
        (Some(_), Some(_)) => return Err(AnswerFault::RetryAfter),
    };
    let plan = Plan { status, headers: headers(answer)?, retry_after, filler, content: content(answer)? };
    let code = status.as_u16();
    Ok(match answer.byte_every_ms {
        None => {
            let label = format!("{code}{}", plan.content.remark());
            (Manner::Respond(plan), label)
        }
        Some(pause) => {
            let slowly = Raw::Slowly(plan, Duration::from_millis(pause));
            (Manner::Bytes(slowly), format!("{code} a byte at a time"))
        }
    })
}

fn headers(answer: &Answer) -> Result<HeaderMap, AnswerFault> {
    if answer.headers.len() > MAX_HEADERS {
        return Err(AnswerFault::TooManyHeaders);
    }
    let location = answer.redirect.iter().map(|location| (LOCATION.as_str(), location));
    let mut headers = HeaderMap::new();
    for (text, value) in answer.headers.iter().map(|(name, value)| (name.as_str(), value)).chain(location) {
        let unfit = |fault: InvalidHeaderName| AnswerFault::HeaderName(text.to_owned(), fault.to_string());
        let name = HeaderName::try_from(text).map_err(unfit)?;
        if [CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
            return Err(AnswerFault::Framing(name));
        }
        let unfit = |_: InvalidHeaderValue| AnswerFault::HeaderValue(text.to_owned());
        headers.insert(name, HeaderValue::from_str(value).map_err(unfit)?);
    }
    Ok(headers)
}

fn content(answer: &Answer) -> Result<Content, AnswerFault> {
    let text = || answer.body.clone().unwrap_or_default().into();
    match (answer.endless_body, answer.gzip_bomb_mib, answer.body_byte_every_ms, answer.byte_every_ms) {
        (false, None, None, _) => Ok(Content::Text(text())),
        (false, None, Some(pause), None) => Ok(Content::Slowly(text(), Duration::from_millis(pause))),
        (true, None, None, None) if answer.body.is_none() => Ok(Content::Endless),
        (false, Some(mib), None, None) if answer.body.is_none() => Ok(Content::GzipBomb(mib)),
        _ => Err(AnswerFault::Body),
    }
}

impl Raw {
    /// Returns the bytes and the pause before each of them.
    pub(crate) fn bytes(&self) -> (Vec<u8>, Duration) {
        match self {
            Self::Garbage => (GARBAGE.to_vec(), Duration::ZERO),
            Self::Slowly(plan, pause) => (plan.bytes(), *pause),
        }
    }
}

#[cfg(test)]
mod tests;
