//! Holds the items of `lookups`, and turns items of other tables into the entries that lead to them.

use domain::{
    inbound::correction::Revision,
    jiff::Timestamp,
    lookup::{LookupEntry, Place, Subject},
    outbound::participant::Participant,
    values::ids::{Provider, TransactionId},
};
use serde::{Deserialize, Serialize};

use super::{
    super::{Item, text},
    ClickItem, ORIGINAL, PROVIDER_TRANSACTION, PostbackItem, REVISION,
    media_buying::{DeliveryItem, ParticipantItem},
};

/// Names the partition key of `lookups`.
pub const SUBJECT: &str = "subject";
/// Names the sort key of `lookups`.
pub const PLACE: &str = "place";

/// Holds one entry of `lookups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupItem {
    /// Holds the partition key: the subject, `#`, and the shard in two digits.
    pub subject: String,
    /// Holds the sort key: Unix milliseconds in 14 digits, the kind of thing, and the thing's key.
    pub place: String,
    /// Says when the entry expires, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// Returns the partition key of one shard of a subject. The shard always has two digits, so that all keys differ.
pub fn partition(subject: &Subject, shard: u8) -> String {
    format!("{subject}#{shard:02}")
}

impl From<&LookupEntry> for LookupItem {
    fn from(entry: &LookupEntry) -> Self {
        let subject = partition(&entry.subject, entry.shard());
        Self { subject, place: entry.place.to_string(), expires_at: entry.expires_at }
    }
}

impl LookupItem {
    /// Returns the entry's place, or `None` if it cannot be read.
    pub fn place(&self) -> Option<Place> {
        Place::parse(&self.place)
    }

    /// Returns true if the entry has expired. It may still be stored.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now.as_second())
    }
}

impl PostbackItem {
    /// Returns the key in the item's entries: the revision, which has no `#`, then `#` and the partition key.
    pub fn lookup_key(&self) -> String {
        format!("{}#{}", self.revision, self.provider_transaction)
    }

    /// Returns the key of the item that an entry names.
    pub(crate) fn key_of_lookup_key(key: &str) -> Option<Item> {
        let (revision, transaction) = key.split_once('#')?;
        let names = [(REVISION, revision), (PROVIDER_TRANSACTION, transaction)];
        Some(names.map(|(name, value)| (name.to_owned(), text(value))).into())
    }

    /// Returns the key in the entries of this item, which may be unreadable otherwise, or of this key alone.
    pub(crate) fn lookup_key_of(item: &Item) -> Option<String> {
        let part = |name: &str| item.get(name)?.as_s().ok();
        Some(format!("{}#{}", part(REVISION)?, part(PROVIDER_TRANSACTION)?))
    }

    /// Returns the key in the entries of the item that this key of a change names, in DynamoDB's JSON. It is checked, because
    /// DynamoDB refuses a whole request for one key that no item can have.
    pub fn lookup_key_of_change(keys: &str) -> Result<String, String> {
        let unnamed = || "the record names no postback".to_owned();
        let keys: serde_dynamo::Item = serde_json::from_str(keys).map_err(|_| unnamed())?;
        let key = Self::lookup_key_of(&keys.into()).ok_or_else(unnamed)?;
        let mut parts = key.splitn(3, '#');
        let [revision, provider, transaction] = [(); 3].map(|()| parts.next().unwrap_or_default());
        let is_revision = revision == ORIGINAL || Self::place_of(revision).is_some();
        let is_transaction = Provider::new(provider).is_ok() && TransactionId::new(transaction).is_ok();
        if is_revision && is_transaction { Ok(key) } else { Err(unnamed()) }
    }

    /// Returns the transaction of an original that an entry names, or `None` for a correction.
    pub fn original_of_lookup_key(key: &str) -> Option<TransactionId> {
        let transaction = key.strip_prefix(ORIGINAL)?.strip_prefix('#')?;
        let (_, transaction_id) = transaction.split_once('#')?;
        TransactionId::new(transaction_id).ok()
    }

    /// Returns the item's entries, or the reason why it cannot be read. An adjustment has none: the transaction that made it
    /// has its own.
    pub fn lookups(self) -> Result<Vec<LookupEntry>, String> {
        if self.is_adjustment() {
            return Ok(Vec::new());
        }
        let key = self.lookup_key();
        Ok(LookupEntry::of_revision(&Revision::try_from(self)?, key))
    }
}

impl ClickItem {
    /// Returns the item's entries.
    pub fn lookups(self) -> Vec<LookupEntry> {
        let expires_at = self.expires_at;
        LookupEntry::of_click(&self.into(), expires_at)
    }
}

impl DeliveryItem {
    /// Returns the item's entries.
    pub fn lookups(&self) -> Vec<LookupEntry> {
        LookupEntry::of_delivery(&self.delivery)
    }
}

impl ParticipantItem {
    /// Returns the entries for the openings since `before`, or the reason why the item cannot be read.
    pub fn lookups(&self, before: Option<&Self>) -> Result<Vec<LookupEntry>, String> {
        let before = before.map(Self::participant).transpose()?;
        Ok(LookupEntry::of_openings(&self.user_id, before.as_ref(), &self.participant()?))
    }

    fn participant(&self) -> Result<Participant, String> {
        // The fault may quote values.
        serde_json::from_str(&self.participant).map_err(|_| "the participant cannot be read".to_owned())
    }
}
