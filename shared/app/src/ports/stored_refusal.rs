//! Defines the stored form of refusals and conflicts.

use std::net::IpAddr;

use domain::{
    inbound::{
        conversion::Receipt,
        fault::Fault,
        postback::{Content, Difference, Extra},
        refusal::{Conflict, ContentKey, KeptRequest, Refusal},
        status::State,
    },
    jiff::Timestamp,
    lookup::{Kind, LookupEntry, Place, Subject},
    retention::Retention,
    values::ids::{ClickId, Provider, TransactionId, UserId},
};
use serde::{Deserialize, Serialize};

/// Sets the time in which a repeated refusal gets at most one entry: an hour. One partition of the lookups can
/// therefore take a partner's entries, however often the partner repeats a request.
const SIGHTINGS_SECONDS: i64 = 60 * 60;

/// Holds a refusal or a conflict, and counts how often a call with the same content came. The fields are the attributes
/// of the table `refusals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRefusal {
    /// Holds the key.
    pub provider_content: String,
    /// Holds `refusal` or `conflict`.
    pub kind: RefusalKind,
    /// Names the partner.
    pub provider: Provider,
    /// Says when the content was first seen.
    pub first_received_at: Timestamp,
    /// Says when the content was last seen.
    pub last_received_at: Timestamp,
    /// Counts how often the content was seen.
    pub times: u64,
    /// Holds the request of a refusal, or only the beginning if the request is too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Counts the bytes of a refusal's request if only the beginning is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u64>,
    /// Holds the address of the caller whose call was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// Names the user of a refusal, if the parameter could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Identifies the click of a refusal, if the parameter could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<ClickId>,
    /// Lists the faults of a refusal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// Identifies the transaction of a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<TransactionId>,
    /// Holds the content of a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Holds the state that was sent with a conflict, if the partner agreed on statuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Identifies the transaction that the negative amount of a conflict reverses, if the partner named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<TransactionId>,
    /// Holds the kept parameters of the latest call with this conflict.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
    /// Lists the differences of a conflict from the revision that was current.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Holds the receipt of the correction if a conflict was accepted, or the receipt of the postback if a refusal was
    /// recorded after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Receipt>,
    /// Says when the conflict was accepted or the refusal recorded. An accepted conflict never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// Says when an operator resolved a conflict in favour of the original. If the same content comes again, the
    /// conflict is open again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_kept_at: Option<Timestamp>,
    /// Says when the item expires, in Unix seconds. Present for a refusal, and for a conflict that was resolved in
    /// favour of the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// Tells refusals from conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The call was refused with its faults.
    Refusal,
    /// The transaction is recorded with different content.
    Conflict,
}

impl StoredRefusal {
    /// Returns true if the item has expired. DynamoDB deletes expired items only within days, so they must be left out.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now.as_second())
    }

    /// Returns the kept request of a refusal, or `None` for a conflict.
    pub fn kept_request(&self) -> Option<KeptRequest> {
        Some(KeptRequest { text: self.request.clone()?, sent_bytes: self.request_bytes })
    }

    /// Returns true for a conflict that nobody has resolved.
    pub fn is_open(&self) -> bool {
        self.kind == RefusalKind::Conflict && self.accepted.is_none() && self.original_kept_at.is_none()
    }

    /// Returns the time by which the item is listed: when a refusal was last seen, or when a conflict was first seen.
    pub fn listed_at(&self) -> Timestamp {
        match self.kind {
            RefusalKind::Refusal => self.last_received_at,
            RefusalKind::Conflict => self.first_received_at,
        }
    }

    /// Returns the transaction that a conflict contradicts, and the content that was sent for it.
    pub fn contradicts(&self) -> Option<((Provider, TransactionId), &Content)> {
        Some(((self.provider.clone(), self.transaction_id.clone()?), self.content.as_ref()?))
    }
}

impl TryFrom<StoredRefusal> for Conflict {
    type Error = String;

    fn try_from(item: StoredRefusal) -> Result<Self, String> {
        let transaction_id = item.transaction_id.ok_or("a conflict without transaction_id")?;
        let content = item.content.ok_or("a conflict without content")?;
        let StoredRefusal { provider, state, reference, extra, differences, first_received_at: received_at, .. } = item;
        Ok(Self { provider, transaction_id, content, state, reference, extra, differences, received_at })
    }
}

impl StoredRefusal {
    /// Makes an item with the attributes that refusals and conflicts share when they are first seen.
    fn seen(kind: RefusalKind, provider: &Provider, key: &ContentKey, at: Timestamp) -> Self {
        Self {
            provider_content: key.as_str().to_owned(),
            kind,
            provider: provider.clone(),
            first_received_at: at,
            last_received_at: at,
            times: 1,
            request: None,
            request_bytes: None,
            source: None,
            user_id: None,
            click_id: None,
            faults: Vec::new(),
            transaction_id: None,
            content: None,
            state: None,
            reference: None,
            extra: Extra::new(),
            differences: Vec::new(),
            accepted: None,
            accepted_at: None,
            original_kept_at: None,
            expires_at: None,
        }
    }
}

impl StoredRefusal {
    /// Makes the item of a refusal that is kept for this long.
    pub fn of_refusal(refusal: &Refusal, retention: Retention) -> Self {
        Self {
            request: Some(refusal.request.text.clone()),
            request_bytes: refusal.request.sent_bytes,
            source: Some(refusal.source),
            user_id: refusal.user_id.clone(),
            click_id: refusal.click_id.clone(),
            faults: refusal.faults.clone(),
            expires_at: Some(retention.end(refusal.received_at)),
            ..Self::seen(RefusalKind::Refusal, &refusal.provider, &refusal.key, refusal.received_at)
        }
    }
}

impl From<&Conflict> for StoredRefusal {
    fn from(conflict: &Conflict) -> Self {
        Self {
            transaction_id: Some(conflict.transaction_id.clone()),
            content: Some(conflict.content.clone()),
            state: conflict.state,
            reference: conflict.reference.clone(),
            extra: conflict.extra.clone(),
            differences: conflict.differences.clone(),
            ..Self::seen(RefusalKind::Conflict, &conflict.provider, &conflict.key(), conflict.received_at)
        }
    }
}

impl StoredRefusal {
    /// Returns the lookup entries to write for the change from `before` to this item, or none if the change does not
    /// affect them. Without `before`, returns the entries for the item as it is now.
    ///
    /// The place of a refusal has the time at which the refusal was first seen in the latest hour. Without `before`,
    /// that time is not known, so the place has the time at which the refusal was last seen; in the hour of the very
    /// first call, the place always has the time of that call. The place of a conflict has the time at which the
    /// conflict was first seen. An entry lasts as long as the item: a conflict is kept for ever, or for some
    /// time after an operator kept the original.
    pub fn lookups(&self, before: Option<&Self>) -> Vec<LookupEntry> {
        let (subject, at, expires_at) = match self.kind {
            RefusalKind::Refusal => {
                let hour = |at: Timestamp| at.as_second().div_euclid(SIGHTINGS_SECONDS);
                let (first, last) = (self.first_received_at, self.last_received_at);
                if before.is_some_and(|before| hour(before.last_received_at) == hour(last)) {
                    return Vec::new();
                }
                let at = if hour(first) == hour(last) { first } else { last };
                // The refusal may be seen again until the hour ends, and then expires up to an hour later.
                let expires_at = self.expires_at.map(|at| at.saturating_add(SIGHTINGS_SECONDS));
                (Subject::Refusals(self.provider.clone()), at, expires_at)
            }
            RefusalKind::Conflict => {
                if before.is_some_and(|before| before.resolved_at() == self.resolved_at()) {
                    return Vec::new();
                }
                (Subject::Conflicts(self.provider.clone()), self.first_received_at, self.expires_at)
            }
        };
        let (user_id, click_id) = self.ids();
        let subjects = [Some(subject), user_id.map(Subject::User), click_id.map(Subject::Click)];
        let place = Place::new(at, Kind::Refusal, self.provider_content.as_str());
        LookupEntry::under(subjects.into_iter().flatten(), &place, expires_at)
    }

    /// Returns the user and the click of the call, if they could be read.
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
    use domain::retention::Expiring;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn refusal(seen: i64) -> StoredRefusal {
        let refusal = Refusal {
            key: ContentKey::of_refusal(&Provider::new("acme").unwrap(), "user_id=u"),
            provider: Provider::new("acme").unwrap(),
            request: KeptRequest { text: "user_id=u".into(), sent_bytes: None },
            source: [127, 0, 0, 1].into(),
            user_id: Some(UserId::new("u").unwrap()),
            click_id: None,
            faults: Vec::<Fault>::new(),
            received_at: at(seen),
        };
        StoredRefusal::of_refusal(&refusal, Expiring::Refusal.retention(9).unwrap())
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
        assert!(next[0].expires_at.unwrap() > 14_399 + 9 * 86_400);
    }

    #[test]
    fn a_conflict_keeps_its_place_and_expires_after_resolution() {
        let json = serde_json::json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": "1"});
        let item = StoredRefusal::from(&Conflict {
            provider: Provider::new("acme").unwrap(),
            transaction_id: TransactionId::new("t").unwrap(),
            content: serde_json::from_value(json).unwrap(),
            state: None,
            reference: None,
            extra: Extra::new(),
            differences: Vec::new(),
            received_at: at(5),
        });
        let open = item.lookups(None);
        assert_eq!((open.len(), open[0].expires_at, open[0].place.at()), (3, None, at(5)));
        let again = StoredRefusal { last_received_at: at(99_999), times: 2, ..item.clone() };
        assert_eq!(again.lookups(Some(&item)), []);
        let resolved = StoredRefusal { original_kept_at: Some(at(100)), expires_at: Some(777), ..again.clone() };
        let entries = resolved.lookups(Some(&again));
        assert_eq!((&entries[0].place, entries[0].expires_at), (&open[0].place, Some(777)));
        assert_eq!(again.lookups(Some(&resolved))[0], open[0]);
    }
}
