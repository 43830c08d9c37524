//! Holds the items of `lookups`, and turns items of other tables into the entries that lead to them.

use domain::{
    inbound::{correction::Revision, refusal::REFUSAL_KEPT_SECONDS},
    jiff::Timestamp,
    lookup::{Kind, LookupEntry, Place, Subject},
    outbound::participant::Participant,
    values::ids::{ClickId, TransactionId, UserId},
};
use serde::{Deserialize, Serialize};

use super::{
    ClickItem, ORIGINAL, PostbackItem, RefusalItem, RefusalKind,
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

    /// Returns the revision and the partition key that an entry names.
    pub fn of_lookup_key(key: &str) -> Option<(&str, &str)> {
        key.split_once('#')
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

/// Gives a repeated refusal one entry an hour, not one for each sighting. However often a partner repeats a request,
/// one partition of the lookups can take the entries.
const SIGHTINGS_SECONDS: i64 = 60 * 60;

impl RefusalItem {
    /// Returns the entries for the change from `before`, or none if the change does not affect them.
    ///
    /// A refusal's place is the first sighting in the hour in which it was last seen. A conflict's place is its first
    /// sighting. Its entry lasts while it is open and 30 days longer.
    pub fn lookups(&self, before: Option<&Self>) -> Vec<LookupEntry> {
        let (subject, at, expires_at) = match self.kind {
            RefusalKind::Refusal => {
                let hour = |item: &Self| item.last_received_at.as_second().div_euclid(SIGHTINGS_SECONDS);
                if before.is_some_and(|before| hour(before) == hour(self)) {
                    return Vec::new();
                }
                let at = self.last_received_at;
                // The refusal may be seen again until the hour ends, and is kept for its full time from then.
                let expires_at = at.as_second().saturating_add(SIGHTINGS_SECONDS + REFUSAL_KEPT_SECONDS);
                (Subject::Refusals(self.provider.clone()), at, Some(expires_at))
            }
            RefusalKind::Conflict => {
                if before.is_some_and(|before| before.resolved_at() == self.resolved_at()) {
                    return Vec::new();
                }
                let expires_at = self.resolved_at().map(|at| at.as_second().saturating_add(REFUSAL_KEPT_SECONDS));
                (Subject::Conflicts(self.provider.clone()), self.first_received_at, expires_at)
            }
        };
        let (user_id, click_id) = self.ids();
        let subjects = [Some(subject), user_id.map(Subject::User), click_id.map(Subject::Click)];
        let place = Place::new(at, Kind::Refusal, self.provider_content.as_str());
        LookupEntry::under(subjects.into_iter().flatten(), &place, expires_at)
    }

    /// Returns the named user and click, as far as they could be read.
    pub fn ids(&self) -> (Option<UserId>, Option<ClickId>) {
        match &self.content {
            Some(content) => (Some(content.user_id.clone()), Some(content.click_id.clone())),
            None => (self.user_id.clone(), self.click_id.clone()),
        }
    }

    fn resolved_at(&self) -> Option<Timestamp> {
        self.accepted_at.or(self.original_kept_at)
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        inbound::{
            fault::Fault,
            refusal::{Conflict, Refusal},
        },
        values::ids::Provider,
    };

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn refusal(seen: i64) -> RefusalItem {
        RefusalItem::from(&Refusal {
            provider: Provider::new("acme").unwrap(),
            request: "user_id=u".into(),
            source: [127, 0, 0, 1].into(),
            user_id: Some(UserId::new("u").unwrap()),
            click_id: None,
            faults: Vec::<Fault>::new(),
            received_at: at(seen),
        })
    }

    #[test]
    fn a_repeated_refusal_gets_hourly_entries() {
        let first = refusal(7_200);
        let subjects: Vec<String> = first.lookups(None).iter().map(|entry| entry.subject.to_string()).collect();
        assert_eq!(subjects, ["refusals/acme", "user/u"]);
        assert_eq!(refusal(10_799).lookups(Some(&first)), []);
        let next = refusal(10_800).lookups(Some(&first));
        assert_eq!((next.len(), next[0].place.at()), (2, at(10_800)));
        // The entry lasts as long as the refusal can be kept for any sighting in that hour.
        assert!(next[0].expires_at.unwrap() > 14_399 + REFUSAL_KEPT_SECONDS);
    }

    #[test]
    fn a_conflict_keeps_its_place_and_expires_after_resolution() {
        let json = serde_json::json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": "1"});
        let item = RefusalItem::from(&Conflict {
            provider: Provider::new("acme").unwrap(),
            transaction_id: TransactionId::new("t").unwrap(),
            content: serde_json::from_value(json).unwrap(),
            state: None,
            differences: Vec::new(),
            received_at: at(5),
        });
        let open = item.lookups(None);
        assert_eq!((open.len(), open[0].expires_at, open[0].place.at()), (3, None, at(5)));
        let again = RefusalItem { last_received_at: at(99_999), times: 2, ..item.clone() };
        assert_eq!(again.lookups(Some(&item)), []);
        let resolved = RefusalItem { original_kept_at: Some(at(100)), ..again.clone() };
        let entries = resolved.lookups(Some(&again));
        assert_eq!((&entries[0].place, entries[0].expires_at), (&open[0].place, Some(100 + REFUSAL_KEPT_SECONDS)));
        assert_eq!(again.lookups(Some(&resolved))[0], open[0]);
    }
}
