//! Collects the faults of a partner's file, so that an operator sees all of them at once.

use alloc::collections::BTreeSet;
use core::fmt;

use crate::prelude::*;

/// Reports a fault of a partner's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// Gives the place of the fault, as in `postback.allow_from[2]`.
    pub path: String,
    /// Says what is wrong and how to correct it.
    pub message: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A fault of the whole file has no place.
        if !matches!(self.path.as_str(), "" | ".") {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Collects faults, so that reading continues after each one.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<ConfigFault>);

impl Faults {
    pub(crate) fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(ConfigFault { path: path.to_owned(), message: message.into() });
    }

    pub(crate) fn require(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            self.add(path, message);
        }
    }

    pub(crate) fn keep<T, E: fmt::Display>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|fault| self.add(path, fault.to_string())).ok()
    }
}

/// Parses each text of a list. Reports each text that cannot be parsed or is repeated.
pub(crate) fn collect<T: Ord, E: fmt::Display>(
    texts: Vec<String>,
    path: &str,
    faults: &mut Faults,
    parse: impl Fn(String) -> Result<T, E>,
) -> BTreeSet<T> {
    let mut parsed = BTreeSet::new();
    for (at, text) in texts.into_iter().enumerate() {
        let path = format!("{path}[{at}]");
        if let Some(value) = faults.keep(&path, parse(text)) {
            faults.require(parsed.insert(value), &path, "is repeated; remove one");
        }
    }
    parsed
}
