//! Reads the first segment of a path, which is a name. The name chooses the script.

use std::fmt;

use thiserror::Error;

/// Begins the control API's paths. It cannot be a name, because no name begins with an underscore.
pub(crate) const CONTROL: &str = "_control";

const MAX_BYTES: usize = 64;

/// Holds a name. Its characters are never encoded in a URL, so log lines can hold the name as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(String);

/// Reports a segment that cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a path must begin with a name: 1 to {MAX_BYTES} characters of A-Z a-z 0-9 - . _ ~, of which the first is not _"
)]
pub(crate) struct NameFault;

impl Name {
    pub(crate) fn new(segment: &str) -> Result<Self, NameFault> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let valid = (1..=MAX_BYTES).contains(&segment.len()) && segment.bytes().all(plain) && !segment.starts_with('_');
        if valid { Ok(Self(segment.to_owned())) } else { Err(NameFault) }
    }

    /// Returns the name in this path.
    pub(crate) fn of_path(path: &str) -> Result<Self, NameFault> {
        Self::new(path.trim_start_matches('/').split('/').next().unwrap_or_default())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
