//! The script that the simulator follows for a name, as the JSON of `PUT /_control/{name}` gives it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::signature::Secret;

/// The script of a name. A part that is left out stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The answers, one after another; the last is repeated. With none at all, everything is answered 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Vec<Answer>>,
    /// What signatures are verified with; none of them is enough to refuse a request, which is only remarked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<Secret>>,
}

impl Script {
    /// Makes a script of these answers.
    pub fn answers(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Some(answers.into_iter().collect()), secrets: None }
    }

    /// Makes a script of these secrets.
    pub fn secrets(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self { answers: None, secrets: Some(secrets.into_iter().collect()) }
    }
}

/// One answer: an HTTP answer, or one of the misdeeds in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "it is what people write: {\"hang\": true}")]
pub struct Answer {
    /// How many requests in a row get it: one, where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How long nothing happens, before whatever happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,

    /// 200 to 999; 200 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers of the answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// `Retry-After` in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// `Retry-After` as a date, so many seconds from the answer on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_date_seconds: Option<u32>,
    /// 302, unless a status is given, to this location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// So many headers of no meaning besides, at most 20,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filler_headers: Option<u16>,

    /// The body; empty where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body comes a byte at a time, with so long between them; the headers come at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_byte_every_ms: Option<u64>,
    /// All of the answer comes a byte at a time, the status line first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_every_ms: Option<u64>,
    /// The body never ends.
    #[serde(skip_serializing_if = "is_false")]
    pub endless_body: bool,
    /// The body is gzip, and so large when it is decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gzip_bomb_mib: Option<u32>,

    /// Instead: nothing, for as long as the caller waits.
    #[serde(skip_serializing_if = "is_false")]
    pub hang: bool,
    /// Instead: the connection ends.
    #[serde(skip_serializing_if = "is_false")]
    pub close: bool,
    /// Instead: what is not HTTP, and the connection ends.
    #[serde(skip_serializing_if = "is_false")]
    pub garbage: bool,
}

impl Answer {
    /// An answer with this status.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// No answer, for as long as the caller waits.
    pub fn hang() -> Self {
        Self { hang: true, ..Self::default() }
    }

    /// The same answer so many times in a row.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !value
}
