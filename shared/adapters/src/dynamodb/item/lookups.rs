//! Holds the items of `lookups`, and turns items of other tables into the entries that lead to them.

use app::ports::{Heartbeat, SegmentPlace};
use domain::{
    inbound::correction::Revision,
    jiff::Timestamp,
    lookup::{LookupEntry, Origin, Place, Subject},
    outbound::participant::Participant,
    values::{
        ids::{Provider, TransactionId},
        time::UnixMillis,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    super::{Item, text},
    CLICK_ID, ClickItem, ORIGINAL, PROVIDER_CONTENT, PROVIDER_TRANSACTION, PostbackItem, REVISION, RefusalItem,
    media_buying::{DELIVERY_ID, DeliveryItem, ParticipantItem, USER_ID},
};

/// Names the partition key of `lookups`.
pub const SUBJECT: &str = "subject";
/// Names the sort key of `lookups`.
pub const PLACE: &str = "place";

/// Holds the partition key of heartbeats. Their sort key is the table's name. No subject of an entry equals it.
pub const HEARTBEAT: &str = "heartbeat";
/// Names the time in a heartbeat from which entries are complete.
pub const SINCE: &str = "since";
/// Names the time in a heartbeat of the newest change that has its entries.
pub const UP_TO: &str = "up_to";
/// Names the time at which a heartbeat was stored.
pub const BEATEN_AT: &str = "beaten_at";
/// Holds the partition key of the places of unfinished rebuilds. Their sort key is the table's name.
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
    /// Gives the time of the newest change that has its entries.
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

/// Holds in `lookups` where an unfinished rebuild of one table's entries goes on.
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
    /// Makes the item of a rebuild that is this far.
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

/// Returns an item's key for people, as far as it can be read.
pub(crate) fn key(origin: Origin, item: &Item) -> String {
    let values = key_names(origin).iter().filter_map(|name| item.get(*name)?.as_s().ok());
    values.map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Returns the entries of an item of this table for the change from `before`, or the reason why the item cannot be read.
/// Without `before` it returns the entries by which the item is found as it is now.
pub fn entries(
    origin: Origin,
    item: serde_dynamo::Item,
    before: Option<serde_dynamo::Item>,
) -> Result<Vec<LookupEntry>, String> {
    match origin {
        Origin::Postbacks => read::<PostbackItem>(item)?.lookups(),
        Origin::Refusals => {
            let before = before.map(read::<RefusalItem>).transpose()?;
            Ok(read::<RefusalItem>(item)?.lookups(before.as_ref()))
        }
        Origin::Clicks => Ok(read::<ClickItem>(item)?.lookups()),
        Origin::Deliveries => Ok(read::<DeliveryItem>(item)?.lookups()),
        Origin::Participants => {
            let before = before.map(read::<ParticipantItem>).transpose()?;
            read::<ParticipantItem>(item)?.lookups(before.as_ref())
        }
    }
}

fn read<T: DeserializeOwned>(item: serde_dynamo::Item) -> Result<T, String> {
    serde_dynamo::from_item(item).map_err(|fault| fault.to_string())
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
