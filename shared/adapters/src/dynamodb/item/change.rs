//! Reads an item of a table with lookups once, for its entries and for its rows of the archive.

use domain::{
    archive::{ArchiveKey, ArchiveRow, ClickRow, OpeningRow, TransactionRow},
    inbound::{click::Click, correction::Revision},
    lookup::{LookupEntry, Origin},
    outbound::participant::Participant,
    values::ids::UserId,
};
use serde::de::DeserializeOwned;

use super::{
    ClickItem, ClickUseItem, KEPT, PostbackItem, RefusalItem, archive,
    media_buying::{DeliveryItem, ParticipantItem},
};

/// Holds an item as it is after a change, and as far as needed as it was before.
#[derive(Debug)]
pub enum ChangedItem {
    /// An item to which no entry leads and of which nothing is archived: the use of a click, the count of a partner's
    /// refusals of a day, or an adjustment, because the transaction that caused it has entries and a row.
    Note,
    /// A revision of a transaction, and the key that its entries hold.
    Revision(Box<Revision>, String),
    /// A refusal or a conflict, and the one before.
    Refusal(Box<RefusalItem>, Option<Box<RefusalItem>>),
    /// A click, and when it expires, in Unix seconds.
    Click(Click, i64),
    /// A delivery.
    Delivery(Box<DeliveryItem>),
    /// A participant, and the participant before.
    Participant(UserId, Box<Participant>, Option<Box<Participant>>),
}

impl ChangedItem {
    /// Reads an item of this table that changed from `before`. Without `before`, the item is read as a new one. The error
    /// says why an item cannot be read.
    pub fn read(origin: Origin, item: serde_dynamo::Item, before: Option<serde_dynamo::Item>) -> Result<Self, String> {
        Ok(match origin {
            Origin::Postbacks if ClickUseItem::is(&item) => Self::Note,
            Origin::Postbacks => {
                let item: PostbackItem = read(item)?;
                if item.is_adjustment() {
                    return Ok(Self::Note);
                }
                let key = item.lookup_key();
                Self::Revision(Box::new(Revision::try_from(item)?), key)
            }
            Origin::Refusals if item.contains_key(KEPT) => Self::Note,
            Origin::Refusals => Self::Refusal(Box::new(read(item)?), before.map(read).transpose()?.map(Box::new)),
            Origin::Clicks => {
                let item: ClickItem = read(item)?;
                let expires_at = item.expires_at;
                Self::Click(item.into(), expires_at)
            }
            Origin::Deliveries => Self::Delivery(Box::new(read(item)?)),
            Origin::Participants => {
                let item: ParticipantItem = read(item)?;
                let before = before.map(read::<ParticipantItem>).transpose()?;
                let before = before.map(|before| before.participant()).transpose()?;
                let now = Box::new(item.participant()?);
                Self::Participant(item.user_id, now, before.map(Box::new))
            }
        })
    }

    /// Returns the entries to write. Without an item before, these are all entries that lead to the item.
    pub fn entries(&self) -> Vec<LookupEntry> {
        match self {
            Self::Note => Vec::new(),
            Self::Revision(revision, key) => LookupEntry::of_revision(revision, key.clone()),
            Self::Refusal(item, before) => item.lookups(before.as_deref()),
            Self::Click(click, expires_at) => LookupEntry::of_click(click, *expires_at),
            Self::Delivery(item) => LookupEntry::of_delivery(&item.delivery),
            Self::Participant(user, now, before) => LookupEntry::of_openings(user, before.as_deref(), now),
        }
    }

    /// Returns the rows of the change. An item that was stored again unchanged has the same rows, or none.
    pub fn rows(&self, key: &ArchiveKey) -> Vec<ArchiveRow> {
        match self {
            Self::Note => Vec::new(),
            // The row of an erased revision was made when the revision was recorded.
            Self::Revision(revision, _) if revision.postback().is_erased() => Vec::new(),
            Self::Revision(revision, _) => vec![ArchiveRow::Transaction(TransactionRow::of(key, revision))],
            Self::Refusal(item, _) => vec![ArchiveRow::Refusal(archive::refusal(key, item))],
            Self::Click(click, _) => vec![ArchiveRow::Click(ClickRow::of(key, click))],
            Self::Delivery(item) => archive::of_delivery(key, item),
            Self::Participant(user, now, before) => {
                let rows = OpeningRow::of(key, user, before.as_deref(), now);
                rows.into_iter().map(ArchiveRow::Opening).collect()
            }
        }
    }
}

impl ParticipantItem {
    /// Returns the participant, or the reason why it cannot be read.
    fn participant(&self) -> Result<Participant, String> {
        // The fault may quote values.
        serde_json::from_str(&self.participant).map_err(|_| "the participant cannot be read".to_owned())
    }
}

/// Reads an item. The error says why it cannot be read.
pub(super) fn read<T: DeserializeOwned>(item: serde_dynamo::Item) -> Result<T, String> {
    serde_dynamo::from_item(item).map_err(|fault| fault.to_string())
}
