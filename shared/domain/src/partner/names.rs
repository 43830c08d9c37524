//! Maps our parameter names to the partner's.

use alloc::collections::BTreeMap;

use super::Faults;
use crate::{postback::Field, prelude::*};

/// Maps our parameter names to the partner's. Where nothing was agreed, our names are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterNames(BTreeMap<Field, String>);

impl Default for ParameterNames {
    fn default() -> Self {
        Self(Field::ALL.into_iter().map(|field| (field, field.as_str().to_owned())).collect())
    }
}

impl ParameterNames {
    /// Returns the partner's name for this parameter.
    pub fn of(&self, field: Field) -> &str {
        self.0.get(&field).map_or(field.as_str(), String::as_str)
    }

    /// Returns all the partner's names.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

/// Lists names that have a meaning of their own in every request.
const RESERVED_NAMES: [&str; 3] = ["signature", "dry_run", "provider"];

pub(super) fn parse(agreed: &BTreeMap<String, String>, faults: &mut Faults) -> ParameterNames {
    let mut names = ParameterNames::default();
    for (ours, theirs) in agreed {
        let path = format!("parameters.{ours}");
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let good = (1..=64).contains(&theirs.len()) && theirs.bytes().all(legal);
        faults.require(good, &path, "must be 1 to 64 characters of A-Z, a-z, 0-9, _, . and -");
        faults.require(!RESERVED_NAMES.contains(&theirs.as_str()), &path, "is a reserved name; choose another");
        match Field::ALL.into_iter().find(|field| field.as_str() == ours) {
            Some(field) => {
                names.0.insert(field, theirs.clone());
            }
            None => faults.add(&path, format!("is not a parameter; use one of {}", Field::list())),
        }
    }
    for field in Field::ALL {
        let name = names.of(field);
        let twins = Field::ALL.into_iter().filter(|twin| *twin > field && names.of(*twin) == name);
        for twin in twins {
            faults
                .add(&format!("parameters.{twin}"), format!("is called {name}, as {field} is; give each its own name"));
        }
    }
    names
}
