//! Defines the archive, which keeps what happened as rows beside the tables, so that people can ask questions about
//! long times.
//!
//! A row arrives at least once. It has an identity, so that a query takes it once, and rows of one thing have an order,
//! so that a query takes the newest. Persons and everything that could lead to a person appear only as keyed hashes
//! ([`ArchiveKey`]). Partners, campaigns, landing pages, currencies, amounts and event ids appear in the clear.
//!
//! Each row is one line of JSON with every key of its table. A value that does not exist is null. Instants are text in
//! UTC to the millisecond, and amounts are exact decimal text.

mod rows;

use hmac::Mac;
use serde::Serialize;

pub use self::rows::{
    AttemptRow, ClickRow, DeliveryRow, Instant, OpeningRow, RefusalKind, RefusalRow, Resolution, TransactionRow,
};
use crate::prelude::*;
use crate::values::ids::{ClickId, DeliveryId, PartnerUserId, Provider, ReportId, TransactionId, UserId, erased_hash};
use crate::values::signature::Secret;

/// Names the tables of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArchiveTable {
    /// Holds the revisions of transactions. The current one has the highest correction, then the highest state.
    Transactions,
    /// Holds the sightings of refusals and conflicts, and their resolutions.
    Refusals,
    /// Holds the uses of tracking links.
    Clicks,
    /// Holds the openings of partners' links at GG3.
    Openings,
    /// Holds deliveries when they were put and when they changed. The current row has the highest revision.
    Deliveries,
    /// Holds the recorded attempts.
    Attempts,
}

impl ArchiveTable {
    /// Lists all tables.
    pub const ALL: [Self; 6] =
        [Self::Transactions, Self::Refusals, Self::Clicks, Self::Openings, Self::Deliveries, Self::Attempts];

    /// Returns the table's name, which also begins the keys of its objects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Refusals => "refusals",
            Self::Clicks => "clicks",
            Self::Openings => "openings",
            Self::Deliveries => "deliveries",
            Self::Attempts => "attempts",
        }
    }
}

/// Holds one row. Its serialized form is the JSON of the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ArchiveRow {
    /// A row of [`ArchiveTable::Transactions`].
    Transaction(TransactionRow),
    /// A row of [`ArchiveTable::Refusals`].
    Refusal(RefusalRow),
    /// A row of [`ArchiveTable::Clicks`].
    Click(ClickRow),
    /// A row of [`ArchiveTable::Openings`].
    Opening(OpeningRow),
    /// A row of [`ArchiveTable::Deliveries`].
    Delivery(DeliveryRow),
    /// A row of [`ArchiveTable::Attempts`].
    Attempt(AttemptRow),
}

impl ArchiveRow {
    /// Returns the table of the row.
    pub fn table(&self) -> ArchiveTable {
        match self {
            Self::Transaction(_) => ArchiveTable::Transactions,
            Self::Refusal(_) => ArchiveTable::Refusals,
            Self::Click(_) => ArchiveTable::Clicks,
            Self::Opening(_) => ArchiveTable::Openings,
            Self::Delivery(_) => ArchiveTable::Deliveries,
            Self::Attempt(_) => ArchiveTable::Attempts,
        }
    }
}

/// Counts the bytes of a hash. 16 bytes keep the ids of any number of persons apart.
const HASH_BYTES: usize = 16;

/// Holds the hash of an id: 32 hexadecimal digits. Only [`ArchiveKey`] makes hashes, so that no clear id can stand in
/// the place of a hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct IdHash(String);

impl IdHash {
    /// Returns the hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hashes ids for the archive with HMAC-SHA256. The key is never replaced, because the rows of one person would then
/// have two hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveKey(Secret);

impl ArchiveKey {
    /// Takes this secret as the key.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Hashes a GG3 user.
    pub fn user(&self, id: &UserId) -> IdHash {
        self.hash("user", &[id.as_str()])
    }

    /// Hashes a click id, be it ours or a partner's.
    pub fn click(&self, id: &ClickId) -> IdHash {
        self.hash("click", &[id.as_str()])
    }

    /// Hashes a partner's own id of a user. The same id at two partners has two hashes.
    pub fn partner_user(&self, provider: &Provider, id: &PartnerUserId) -> IdHash {
        self.hash("partner_user", &[provider.as_str(), id.as_str()])
    }

    /// Hashes a partner's transaction. The same id at two partners has two hashes.
    pub fn transaction(&self, provider: &Provider, id: &TransactionId) -> IdHash {
        self.hash("transaction", &[provider.as_str(), id.as_str()])
    }

    /// Hashes the id of a delivery. The id itself could be computed from the partner, the campaign and the user.
    pub fn delivery(&self, id: &DeliveryId) -> IdHash {
        self.hash("delivery", &[id.as_str()])
    }

    /// Hashes the id of the event that reported an opening.
    pub fn opening(&self, id: &ReportId) -> IdHash {
        self.hash("opening", &[id.as_str()])
    }

    /// Hashes the key of a refusal or a conflict. The key itself could be computed from the content of a call.
    pub fn content(&self, key: &str) -> IdHash {
        self.hash("content", &[key])
    }

    /// Hashes the kind of an id and the parts of the id. No part has a 0 byte, because ids have no control characters,
    /// so different ids hash different texts.
    ///
    /// An id that takes the place of an erased one has the hash of the erased id.
    fn hash(&self, kind: &str, parts: &[&str]) -> IdHash {
        if let Some(hash) = parts.last().and_then(|id| erased_hash(id)) {
            return IdHash(hash.to_owned());
        }
        let mut mac = self.0.mac(kind.as_bytes());
        for part in parts {
            mac.update(b"\0");
            mac.update(part.as_bytes());
        }
        let whole = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
        IdHash(whole.chars().take(2 * HASH_BYTES).collect())
    }
}

#[cfg(test)]
mod tests;
