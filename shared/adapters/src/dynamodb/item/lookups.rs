//! Holds the items of `lookups`, and names the keys by which entries lead to the items of other tables.

use app::ports::{Heartbeat, SegmentPlace};
use domain::{
    jiff::Timestamp,
    lookup::{LookupEntry, Origin, Place, Subject},
    values::{
        ids::{TransactionKey, UserId},
        time::UnixMillis,
    },
};
use serde::{Deserialize, Serialize};

use super::{
    super::{Item, text},
    CLICK_ID, ORIGINAL, PROVIDER_CONTENT, PROVIDER_TRANSACTION, PostbackItem, REVISION,
    change::read,
    media_buying::{DELIVERY_ID, USER_ID},
};

/// Names the partition key of `lookups`.
pub const SUBJECT: &str = "subject";
/// Names the sort key of `lookups`.
pub const PLACE: &str = "place";

/// Holds the partition key of heartbeats. The sort key of a heartbeat is the table's name. No entry has this partition
/// key.
pub const HEARTBEAT: &str = "heartbeat";
/// Names the attribute of a heartbeat that says from which time on the entries are complete.
pub const SINCE: &str = "since";
/// Names the attribute of a heartbeat that says up to which change of the table the entries are written.
pub const UP_TO: &str = "up_to";
/// Names the attribute of a heartbeat that says when the heartbeat was stored.
pub const BEATEN_AT: &str = "beaten_at";
/// Holds the partition key of unfinished rebuilds. The sort key is the table's name.
pub const REBUILD: &str = "rebuild";

/// Sets how long an unfinished rebuild can be continued, in seconds: a week.
const REBUILD_KEPT_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Holds the heartbeat of one table's entries in `lookups`. The times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatItem {
    /// Holds the partition key, [`HEARTBEAT`].
    pub subject: String,
    /// Holds the sort key, the table's name.
    pub place: String,
    /// Says from when the entries are complete.
    pub since: UnixMillis,
    /// Gives the time of the newest change whose entries are written.
    pub up_to: UnixMillis,
    /// Says when the heartbeat was stored.
    pub beaten_at: UnixMillis,
}

impl HeartbeatItem {
    /// Makes the item of a table's heartbeat.
    pub fn new(origin: Origin, Heartbeat { since, up_to, beaten_at }: &Heartbeat) -> Self {
        let (subject, place) = (HEARTBEAT.to_owned(), origin.to_string());
        Self { subject, place, since: (*since).into(), up_to: (*up_to).into(), beaten_at: (*beaten_at).into() }
    }
}

impl From<HeartbeatItem> for Heartbeat {
    fn from(HeartbeatItem { since, up_to, beaten_at, .. }: HeartbeatItem) -> Self {
        Self { since: since.timestamp(), up_to: up_to.timestamp(), beaten_at: beaten_at.timestamp() }
    }
}

/// Says where an unfinished rebuild of one table's entries continues. The item is stored in `lookups`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildItem {
    /// Holds the partition key, [`REBUILD`].
    pub subject: String,
    /// Holds the sort key, the table's name.
    pub place: String,
    /// Lists the place in each segment of the table.
    pub segments: Vec<SegmentPlace>,
    /// Says when the item expires, in Unix seconds.
    pub expires_at: i64,
}

impl RebuildItem {
    /// Makes the item of a rebuild that has reached these places.
    pub fn new(origin: Origin, segments: &[SegmentPlace], now: Timestamp) -> Self {
        let expires_at = now.as_second().saturating_add(REBUILD_KEPT_SECONDS);
        Self { subject: REBUILD.to_owned(), place: origin.to_string(), segments: segments.to_vec(), expires_at }
    }
}

/// Returns the names of the table's keys.
fn key_names(origin: Origin) -> &'static [&'static str] {
    match origin {
        Origin::Postbacks => &[PROVIDER_TRANSACTION, REVISION],
        Origin::Refusals => &[PROVIDER_CONTENT],
        Origin::Clicks => &[CLICK_ID],
        Origin::Deliveries => &[DELIVERY_ID],
        Origin::Participants => &[USER_ID],
    }
}

/// Finds the table whose items have a key of this name.
pub fn origin_with_key(name: &str) -> Option<Origin> {
    Origin::ALL.into_iter().find(|origin| key_names(*origin).first() == Some(&name))
}

/// Returns an item's key for people. Leaves out a part of the key that cannot be read.
pub(crate) fn key(origin: Origin, item: &Item) -> String {
    let values = key_names(origin).iter().filter_map(|name| item.get(*name)?.as_s().ok());
    values.map(String::as_str).collect::<Vec<_>>().join(" ")
}

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

/// Returns the entry of a stored item of `lookups` if it is under a GG3 user. The error says why it cannot be read.
pub fn of_user(item: serde_dynamo::Item) -> Result<Vec<LookupEntry>, String> {
    Ok(read::<LookupItem>(item)?.of_user()?.into_iter().collect())
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

    /// Returns the entry if it is under a GG3 user. The error is why it cannot be read.
    fn of_user(&self) -> Result<Option<LookupEntry>, String> {
        let Some((user, _)) = self.subject.strip_prefix("user/").and_then(|subject| subject.rsplit_once('#')) else {
            return Ok(None);
        };
        let subject = Subject::User(UserId::try_from(user.to_owned()).map_err(|fault| fault.to_string())?);
        let place = self.place().ok_or("the place cannot be read")?;
        Ok(Some(LookupEntry { subject, place, expires_at: self.expires_at }))
    }

    /// Returns true if the entry has expired. It may still be stored.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now.as_second())
    }
}

impl PostbackItem {
    /// Returns the key that the item's entries hold: the revision, `#` and the partition key. A revision contains no
    /// `#`.
    pub fn lookup_key(&self) -> String {
        format!("{}#{}", self.revision, self.provider_transaction)
    }

    /// Returns the key of the item that an entry names.
    pub(crate) fn key_of_lookup_key(key: &str) -> Option<Item> {
        let (revision, transaction) = key.split_once('#')?;
        let names = [(REVISION, revision), (PROVIDER_TRANSACTION, transaction)];
        Some(names.map(|(name, value)| (name.to_owned(), text(value))).into())
    }

    /// Returns the key that the entries of this item hold. The item may consist of its key alone, and its other
    /// attributes may be unreadable.
    pub(crate) fn lookup_key_of(item: &Item) -> Option<String> {
        let part = |name: &str| item.get(name)?.as_s().ok();
        Some(format!("{}#{}", part(REVISION)?, part(PROVIDER_TRANSACTION)?))
    }

    /// Returns the key that an item's entries hold. `keys` is the item's key in DynamoDB's JSON, as a change names it.
    /// The key is checked, because DynamoDB refuses a whole request if one key in it is impossible.
    pub fn lookup_key_of_change(keys: &str) -> Result<String, String> {
        let unnamed = || "the record names no postback".to_owned();
        let keys: serde_dynamo::Item = serde_json::from_str(keys).map_err(|_| unnamed())?;
        let key = Self::lookup_key_of(&keys.into()).ok_or_else(unnamed)?;
        let (revision, transaction) = key.split_once('#').unwrap_or_default();
        let is_revision = revision == ORIGINAL || Self::place_of(revision).is_some();
        let is_transaction = TransactionKey::parse(transaction).is_some();
        if is_revision && is_transaction { Ok(key) } else { Err(unnamed()) }
    }

    /// Returns the transaction if the entry's key names an original, or `None` if it names a later revision.
    pub fn original_of_lookup_key(key: &str) -> Option<TransactionKey> {
        TransactionKey::parse(key.strip_prefix(ORIGINAL)?.strip_prefix('#')?)
    }
}
