//! Defines the script that the simulator follows for a name: the JSON body of `PUT /_control/{name}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::signature::Secret;

/// Holds the script of a name. A field that is left out keeps its earlier value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Lists the answers, which are given one after another; the last one is repeated. Without any answer, every
    /// request is answered 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Vec<Answer>>,
    /// Lists the secrets that verify signatures. A request that does not verify is answered as usual and only marked.
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

/// Describes an HTTP answer, or a misdeed in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "people write {\"hang\": true}")]
pub struct Answer {
    /// Counts the requests in a row that get this answer. The default is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Gives the pause before anything happens, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,

    /// Gives the status, 200 to 999. The default is 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Maps the names of the answer's headers to their values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Sets `Retry-After` to this number of seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// Sets `Retry-After` to the date this number of seconds after the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_date_seconds: Option<u32>,
    /// Redirects to this location, with 302 unless a status is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// Adds this number of meaningless headers, at most 20,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filler_headers: Option<u16>,

    /// Gives the body. The default is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Sends the headers at once and the body one byte at a time, with this pause between bytes, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_byte_every_ms: Option<u64>,
    /// Sends the whole answer one byte at a time, with this pause between bytes, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_every_ms: Option<u64>,
    /// Sends a body that never ends.
    #[serde(skip_serializing_if = "is_false")]
    pub endless_body: bool,
    /// Sends a body in gzip that becomes this number of mebibytes when it is decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gzip_bomb_mib: Option<u32>,

    /// Sends no answer for as long as the caller waits.
    #[serde(skip_serializing_if = "is_false")]
    pub hang: bool,
    /// Ends the connection without an answer.
    #[serde(skip_serializing_if = "is_false")]
    pub close: bool,
    /// Sends bytes that are not HTTP and ends the connection.
    #[serde(skip_serializing_if = "is_false")]
    pub garbage: bool,
}

impl Answer {
    /// Makes an answer with this status.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Makes a hang: no answer for as long as the caller waits.
    pub fn hang() -> Self {
        Self { hang: true, ..Self::default() }
    }

    /// Gives the same answer this number of times in a row.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !value
}
