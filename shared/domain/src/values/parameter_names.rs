//! Names the parameters of postbacks, landing links and POST bodies. Each has our name and a partner's name.

use alloc::collections::BTreeMap;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::config_fault::Faults;
use crate::prelude::*;

/// Bounds a parameter's decoded name, in bytes. The names of unknown parameters are stored for ever and must not fill
/// the item.
pub const MAX_NAME_BYTES: usize = 64;

/// Names a parameter of a postback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The parameter `user_id`.
    UserId,
    /// The parameter `click_id`.
    ClickId,
    /// The parameter `transaction_id`.
    TransactionId,
    /// The parameter `currency`.
    Currency,
    /// The parameter `amount_decimal`.
    AmountDecimal,
    /// The parameter `event_id`.
    EventId,
    /// The parameter `event_name`.
    EventName,
    /// The parameter with the status, if the partner agreed on statuses.
    Status,
    /// The parameter with the transaction that a negative amount reverses, if the partner agreed on one.
    Reference,
}

impl Field {
    /// Lists the parameters that every partner has, in the order of the document for partners.
    pub const ALL: [Self; 7] = [
        Self::UserId,
        Self::ClickId,
        Self::TransactionId,
        Self::Currency,
        Self::AmountDecimal,
        Self::EventId,
        Self::EventName,
    ];

    /// Returns our name of the parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserId => "user_id",
            Self::ClickId => "click_id",
            Self::TransactionId => "transaction_id",
            Self::Currency => "currency",
            Self::AmountDecimal => "amount_decimal",
            Self::EventId => "event_id",
            Self::EventName => "event_name",
            Self::Status => "status",
            Self::Reference => "reference",
        }
    }

    pub(crate) fn list() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }

    /// Returns the example value in the document for partners.
    pub fn example(self) -> &'static str {
        match self {
            Self::UserId => "12345",
            Self::ClickId => "67890",
            Self::TransactionId => "123123123",
            Self::Currency => "USD",
            Self::AmountDecimal => "100.00",
            Self::EventId => "001",
            Self::EventName => "purchase",
            Self::Status => "approved",
            Self::Reference => "123123122",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const RESERVED_NAMES: [&str; 3] = ["signature", "dry_run", "provider"];

/// Maps our parameter names to the partner's names. If no name was agreed for a parameter, our name is used.
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

    /// Returns true if the partner has this parameter.
    pub fn has(&self, field: Field) -> bool {
        self.0.contains_key(&field)
    }

    /// Returns all names of the partner.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// Reads the agreed names, which are a map from our names to the partner's names.
    pub(crate) fn parse(agreed: &BTreeMap<String, String>, faults: &mut Faults) -> Self {
        let mut names = Self::default();
        for (ours, theirs) in agreed {
            let path = format!("parameters.{ours}");
            check_name(theirs, &path, faults);
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
                faults.add(&format!("parameters.{twin}"), format!("is called {name}, like {field}; rename one"));
            }
        }
        names
    }

    /// Adds the partner's name for a parameter that only some partners have.
    pub(crate) fn agree(&mut self, field: Field, theirs: &str, path: &str, faults: &mut Faults) {
        self.check_further(theirs, path, faults);
        self.0.insert(field, theirs.to_owned());
    }

    /// Checks the name of a further parameter, which must not collide with these names.
    pub(crate) fn check_further(&self, name: &str, path: &str, faults: &mut Faults) {
        check_name(name, path, faults);
        if let Some((twin, _)) = self.0.iter().find(|(_, other)| *other == name) {
            faults.add(path, format!("is called {name}, like {twin}; rename one"));
        }
    }
}

fn check_name(theirs: &str, path: &str, faults: &mut Faults) {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let good = (1..=64).contains(&theirs.len()) && theirs.bytes().all(legal);
    faults.require(good, path, "must be 1 to 64 characters of A-Z, a-z, 0-9, _, . and -");
    faults.require(!RESERVED_NAMES.contains(&theirs), path, "is a reserved name; choose another");
}
