//! Describes the received requests, as the control API lists them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Lists the requests of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Counts the requests since they were last forgotten.
    pub received: u64,
    /// Holds the remembered requests, the oldest first. A request is forgotten only if the memory for requests is full.
    pub requests: Vec<Request>,
}

/// Describes a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Numbers the requests of a name, from 1.
    pub number: u64,
    /// Says when the whole request had arrived, in Unix milliseconds.
    pub at_ms: i64,
    /// Holds the HTTP method.
    pub method: String,
    /// Holds path and query, exactly as they came.
    pub target: String,
    /// Maps the headers' names in lower case to their values. The values of a repeated header are joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// Holds the body. Bytes that are not UTF-8 are replaced.
    pub body: String,
    /// Names the answer in a word or two, such as `500` or `hang`.
    pub answered: String,
    /// Says if the signature verified.
    pub signature: Signature,
}

impl Request {
    /// Returns the value of this header, whose name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Says if a request's signature verified, by the rules of Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// The signature was made with a known secret over exactly this payload, within five minutes of now.
    Verified,
    /// The signature was not verified, for this reason.
    Refused(String),
    /// No secret is known to verify the signature with.
    Unchecked,
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Verified => f.write_str("signature verified"),
            Self::Refused(fault) => write!(f, "signature refused: {fault}"),
            Self::Unchecked => f.write_str("signature unchecked"),
        }
    }
}
