//! Decides about a request that its client names by a key of its own, so that the client may send it again without
//! changing anything twice.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::audit::Author;
use crate::prelude::*;
use crate::values::digest::hash_parts;

/// Sets how long the answer to a named request is kept.
pub const ANSWER_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Sets how long a request may take. Afterwards the same request may begin anew, because the first one was cut off.
pub const REQUEST_TAKES: SignedDuration = SignedDuration::from_mins(1);
/// Bounds the text by which a client names a request, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// Holds the key under which a request is stored: `request#` and a SHA-256 of its author and its name in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey(String);

impl RequestKey {
    /// Makes the key of a request. Different authors may use the same name. Returns `None` unless the name has 1 to 255
    /// visible ASCII characters.
    pub fn new(author: &Author, name: &str) -> Option<Self> {
        let is_name = (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        is_name.then(|| Self(format!("request#{}", hash_parts("named request", &[author.as_str(), name]))))
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Holds an answer that is given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body. It is absent if it had a secret, which is shown only once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// Holds a request that has begun, and its answer as soon as there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRequest {
    /// A SHA-256 of what the request asks for.
    pub asks: String,
    /// Says until when nobody else may begin the request, in Unix seconds.
    pub leased_until: i64,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<KeptAnswer>,
    /// Says when it is forgotten, in Unix seconds.
    pub expires_at: i64,
}

/// Says what a stored request means for the same request that comes again, or for another one of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The request may begin.
    Free,
    /// The request has begun and has no answer yet.
    UnderWay,
    /// The request was answered.
    Answered(KeptAnswer),
    /// The name belongs to a request that asks for something else.
    OfAnother,
}

impl NamedRequest {
    /// Begins a request that consists of these parts.
    pub fn begin(parts: &[&str], now: Timestamp) -> Self {
        let after = |time: SignedDuration| now.as_second().saturating_add(time.as_secs());
        let asks = hash_parts("request", parts);
        Self { asks, leased_until: after(REQUEST_TAKES), answer: None, expires_at: after(ANSWER_KEPT) }
    }

    /// Returns the request with its answer.
    #[must_use]
    pub fn answered(self, answer: KeptAnswer) -> Self {
        Self { answer: Some(answer), ..self }
    }

    /// Says what this stored request means for a request that would begin now.
    pub fn standing(&self, begins: &Self, now: Timestamp) -> Standing {
        let now = now.as_second();
        if self.expires_at <= now {
            return Standing::Free;
        }
        if self.asks != begins.asks {
            return Standing::OfAnother;
        }
        match &self.answer {
            Some(answer) => Standing::Answered(answer.clone()),
            None if self.leased_until <= now => Standing::Free,
            None => Standing::UnderWay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_name_belongs_to_one_author() {
        let author = |name: &str| Author::new(name).unwrap();
        let key = |author: &Author, name: &str| RequestKey::new(author, name);
        assert_eq!(key(&author("jo"), "a"), key(&author("jo"), "a"));
        assert_ne!(key(&author("jo"), "a"), key(&author("al"), "a"));
        assert_ne!(key(&author("jo"), "a"), key(&author("jo"), "b"));
        for bad in ["", "a b", "é", "a\n", &"x".repeat(MAX_NAME_BYTES + 1)] {
            assert_eq!(key(&author("jo"), bad), None, "{bad}");
        }
    }

    #[test]
    fn a_request_is_free_again_once_it_was_cut_off_or_forgotten() {
        let begins = |second| NamedRequest::begin(&["POST", "/v1/x", "{}"], at(second));
        let other = NamedRequest::begin(&["POST", "/v1/y", "{}"], at(0));
        let stored = begins(0);
        let standing = |stored: &NamedRequest, second| stored.standing(&begins(second), at(second));
        assert_eq!([59, 60].map(|second| standing(&stored, second)), [Standing::UnderWay, Standing::Free]);
        assert_eq!(stored.standing(&other, at(86_399)), Standing::OfAnother);
        assert_eq!(stored.standing(&other, at(86_400)), Standing::Free);
        let answer = KeptAnswer { status: 200, body: None };
        let answered = stored.answered(answer.clone());
        assert_eq!(standing(&answered, 86_399), Standing::Answered(answer));
        assert_eq!(standing(&answered, 86_400), Standing::Free);
    }
}
