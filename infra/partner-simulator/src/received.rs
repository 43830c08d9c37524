//! What the simulator says of the requests it received.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// How many came, since they were last forgotten.
    pub received: u64,
    /// Those that are remembered, oldest first: all, as long as they fit.
    pub requests: Vec<Request>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which one of its name's it was, from 1.
    pub number: u64,
    /// When all of it was there, in milliseconds since 1970.
    pub at_ms: i64,
    /// GET, POST …
    pub method: String,
    /// Path and query, exactly as they came.
    pub target: String,
    /// Headers by their names in lower case. One that stands more often has its values joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// What it was answered, in a word or two: `500`, `hang` …
    pub answered: String,
    /// What its signature was worth.
    pub signature: Signature,
}

impl Request {
    /// This header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What a request's signature was worth, for Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// Made with a secret of the script, over exactly what came, within five minutes of now.
    Verified,
    /// It was not, and why.
    Refused(String),
    /// The script has no secret to verify it with.
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
