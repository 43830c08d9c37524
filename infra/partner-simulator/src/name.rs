//! Whose answers: the first segment of a path.

use std::fmt;

use thiserror::Error;

/// Where the control API is: no name of a partner begins with an underscore.
pub(crate) const CONTROL: &str = "_control";

const MAX_BYTES: usize = 64;

/// A name, of characters that a URL never encodes: so it can stand in a log line as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(String);

/// The segment cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a path begins with a name: 1 to {MAX_BYTES} of A-Z a-z 0-9 - . _ ~, not beginning with _")]
pub(crate) struct NameFault;

impl Name {
    pub(crate) fn new(segment: &str) -> Result<Self, NameFault> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let valid = (1..=MAX_BYTES).contains(&segment.len()) && segment.bytes().all(plain) && !segment.starts_with('_');
        if valid { Ok(Self(segment.to_owned())) } else { Err(NameFault) }
    }

    /// The name in this path.
    pub(crate) fn of_path(path: &str) -> Result<Self, NameFault> {
        Self::new(path.trim_start_matches('/').split('/').next().unwrap_or_default())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
