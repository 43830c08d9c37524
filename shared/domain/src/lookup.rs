//! Defines lookups, which find stored items by partner, user, click id and time.
//!
//! An entry tells where an item is stored, and holds no content of the item, so the two can never disagree. An entry
//! depends only on the item, so writing it again changes nothing.

use core::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::inbound::click::Click;
use crate::inbound::correction::Revision;
use crate::outbound::agreed_ids::PartnerIds;
use crate::outbound::delivery::Delivery;
use crate::outbound::participant::{Opening, Participant};
use crate::prelude::*;
use crate::values::digest::digest_parts;
use crate::values::ids::{ClickId, PartnerUserId, Provider, UserId};

/// Counts the partitions over which the entries of one subject are spread. A partition takes 1,000 writes a second. 32
/// partitions are enough for a partner that sends 10,000 postbacks a second, even if a broken tracker gives all of them
/// the same user id.
pub const SHARDS: u8 = 32;

/// Names the tables whose items have entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Holds postbacks and their corrections.
    Postbacks,
    /// Holds refused calls and conflicts.
    Refusals,
    /// Holds clicks.
    Clicks,
    /// Holds deliveries.
    Deliveries,
    /// Holds participants, whose openings have entries.
    Participants,
}

impl Origin {
    /// Lists all tables.
    pub const ALL: [Self; 5] = [Self::Postbacks, Self::Refusals, Self::Clicks, Self::Deliveries, Self::Participants];

    /// Returns the table's name without the stack's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postbacks => "postbacks",
            Self::Refusals => "refusals",
            Self::Clicks => "clicks",
            Self::Deliveries => "deliveries",
            Self::Participants => "participants",
        }
    }

    /// Finds a table by its name without the stack's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == name)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names a subject by which items are looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Finds a partner's postbacks and their corrections.
    Postbacks(Provider),
    /// Finds a partner's refused calls.
    Refusals(Provider),
    /// Finds a partner's conflicts.
    Conflicts(Provider),
    /// Finds a partner's deliveries.
    Deliveries(Provider),
    /// Finds everything about one GG3 user.
    User(UserId),
    /// Finds everything about one click id.
    Click(ClickId),
    /// Finds everything about a user that a partner sent to GG3.
    PartnerUser(Provider, PartnerUserId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postbacks(provider) => write!(f, "postbacks/{provider}"),
            Self::Refusals(provider) => write!(f, "refusals/{provider}"),
            Self::Conflicts(provider) => write!(f, "conflicts/{provider}"),
            Self::Deliveries(provider) => write!(f, "deliveries/{provider}"),
            Self::User(user_id) => write!(f, "user/{user_id}"),
            Self::Click(click_id) => write!(f, "click/{click_id}"),
            // A provider has no slash, so the text is unambiguous.
            Self::PartnerUser(provider, user_id) => write!(f, "partner-user/{provider}/{user_id}"),
        }
    }
}

impl Subject {
    /// Parses the text of a click id or of a partner's user. Returns `None` for all other texts.
    pub fn parse_opened(text: &str) -> Option<Self> {
        if let Some(click_id) = text.strip_prefix("click/") {
            return ClickId::try_from(click_id.to_owned()).ok().map(Self::Click);
        }
        let (provider, user_id) = text.strip_prefix("partner-user/")?.split_once('/')?;
        let user_id = PartnerUserId::try_from(user_id.to_owned()).ok()?;
        Provider::new(provider).ok().map(|provider| Self::PartnerUser(provider, user_id))
    }
}

/// Names the kinds of items to which entries lead. The kinds are in the order of their names, so that they sort like
/// the texts of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The entry leads to a click.
    Click,
    /// The entry leads to a delivery.
    Delivery,
    /// The entry of a GG3 user names a subject under which an opening of that user is found. Its key is the text of
    /// that subject, and it has the time of the opening. It is there so that every entry of a person can be found.
    Opened,
    /// The entry leads to an opening of a partner's link. Its key is the GG3 user.
    Opening,
    /// The entry leads to a postback or to a correction.
    Postback,
    /// The entry leads to a refusal or a conflict.
    Refusal,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Click, Self::Delivery, Self::Opened, Self::Opening, Self::Postback, Self::Refusal];

    fn as_str(self) -> &'static str {
        match self {
            Self::Postback => "postback",
            Self::Refusal => "refusal",
            Self::Click => "click",
            Self::Delivery => "delivery",
            Self::Opened => "opened",
            Self::Opening => "opening",
        }
    }
}

/// Orders the items of one subject by time, then by kind, then by key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Holds Unix milliseconds, never negative.
    millisecond: i64,
    kind: Kind,
    key: String,
}

/// Bounds the milliseconds of a place, which end in the year 5138.
const LAST_MILLISECOND: i64 = 99_999_999_999_999;

impl Place {
    /// Makes the place of an item that has this key in its own table.
    pub fn new(at: Timestamp, kind: Kind, key: impl Into<String>) -> Self {
        Self { millisecond: at.as_millisecond().clamp(0, LAST_MILLISECOND), kind, key: key.into() }
    }

    /// Parses the text of a place.
    pub fn parse(text: &str) -> Option<Self> {
        let (millisecond, rest) = text.split_once('#')?;
        let (kind, key) = rest.split_once('#')?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let digits = millisecond.len() == 14 && millisecond.bytes().all(|byte| byte.is_ascii_digit());
        let millisecond = millisecond.parse().ok().filter(|_| digits)?;
        Some(Self { millisecond, kind, key: key.to_owned() })
    }

    /// Returns a text that is less than every place at or after this instant, and greater than every earlier place.
    pub fn bound(at: Timestamp) -> String {
        format!("{:014}", at.as_millisecond().clamp(0, LAST_MILLISECOND))
    }

    /// Returns the time of the place.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millisecond).unwrap_or(Timestamp::MAX)
    }

    /// Returns the kind of the item.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the item's key in its own table.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Place {
    /// Writes the place so that texts sort like places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}#{}#{}", self.millisecond, self.kind.as_str(), self.key)
    }
}

/// Points from one subject to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupEntry {
    /// Names the subject.
    pub subject: Subject,
    /// Gives the item's place under the subject.
    pub place: Place,
    /// Says when the entry expires, in Unix seconds. An entry expires with its item, and never if the item never does.
    pub expires_at: Option<i64>,
}

impl LookupEntry {
    /// Returns the number of the subject's partition that holds the entry. It is always the same for the same item.
    pub fn shard(&self) -> u8 {
        let [first, ..] = digest_parts("lookup", &[&self.place.key]);
        first % SHARDS
    }

    /// Makes the entries of one item, one under each of these subjects.
    pub fn under(subjects: impl IntoIterator<Item = Subject>, place: &Place, expires_at: Option<i64>) -> Vec<Self> {
        let entry = |subject| Self { subject, place: place.clone(), expires_at };
        subjects.into_iter().map(entry).collect()
    }

    /// Makes the entries of a postback or a correction with this key: by partner, user and click id.
    pub fn of_revision(revision: &Revision, key: impl Into<String>) -> Vec<Self> {
        let (postback, at) = (revision.postback(), revision.recorded_at());
        let subjects = [
            Subject::Postbacks(postback.provider.clone()),
            Subject::User(postback.content.user_id.clone()),
            Subject::Click(postback.content.click_id.clone()),
        ];
        Self::under(subjects, &Place::new(at, Kind::Postback, key), None)
    }

    /// Makes the entry of a click by user. The click id needs no entry, because it is the key of the table of clicks.
    pub fn of_click(click: &Click, expires_at: i64) -> Vec<Self> {
        let place = Place::new(click.clicked_at, Kind::Click, click.click_id.as_str());
        Self::under([Subject::User(click.user_id.clone())], &place, Some(expires_at))
    }

    /// Makes the entries of a delivery: by partner, by GG3 user, and by the partner's ids of the user.
    pub fn of_delivery(delivery: &Delivery) -> Vec<Self> {
        let at = delivery.created_at().timestamp();
        let own = [Subject::Deliveries(delivery.provider().clone()), Subject::User(delivery.participant().clone())];
        let subjects = own.into_iter().chain(of_ids(delivery.provider(), delivery.ids()));
        Self::under(subjects, &Place::new(at, Kind::Delivery, delivery.id().as_str()), None)
    }

    /// Makes the entries of a participant's new openings: by the partner's ids of the user, and for each of them one by
    /// the user, which names it.
    pub fn of_openings(user_id: &UserId, before: Option<&Participant>, now: &Participant) -> Vec<Self> {
        let entries = now.openings_since(before).flat_map(|(provider, Opening { at, ids, .. })| {
            let at = at.timestamp();
            let place = Place::new(at, Kind::Opening, user_id.as_str());
            let entry = move |subject: Subject| {
                let opened = Place::new(at, Kind::Opened, subject.to_string());
                let of_user = Self { subject: Subject::User(user_id.clone()), place: opened, expires_at: None };
                [Self { subject, place: place.clone(), expires_at: None }, of_user]
            };
            of_ids(provider, ids).flat_map(entry)
        });
        entries.collect()
    }
}

fn of_ids(provider: &Provider, ids: &PartnerIds) -> impl Iterator<Item = Subject> {
    let click = ids.click_id.clone().map(Subject::Click);
    let user = ids.user_id.clone().map(|user_id| Subject::PartnerUser(provider.clone(), user_id));
    click.into_iter().chain(user)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, string::ToString};

    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = Place> {
        (0..=LAST_MILLISECOND, prop::sample::select(&Kind::ALL[..]), "[^\u{0}]{0,40}")
            .prop_map(|(at, kind, key)| Place::new(Timestamp::from_millisecond(at).unwrap(), kind, key))
    }

    proptest! {
        #[test]
        fn a_place_with_any_key_reads_back_unchanged(place in place()) {
            prop_assert_eq!(Place::parse(&place.to_string()), Some(place));
        }

        #[test]
        fn texts_of_places_sort_like_places_and_bounds_separate_them(a in place(), b in place()) {
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            if a.at() < b.at() {
                prop_assert!(a.to_string() < Place::bound(b.at()));
            }
            prop_assert!(Place::bound(a.at()) < a.to_string());
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Place::parse(&text);
        }
    }

    #[test]
    fn the_entries_of_a_subject_spread_evenly_over_its_shards() {
        let provider = Provider::new("acme").unwrap();
        let mut shards = BTreeMap::<u8, u32>::new();
        for transaction in 0..32_000 {
            let place = Place::new(Timestamp::UNIX_EPOCH, Kind::Postback, transaction.to_string());
            let entry = LookupEntry { subject: Subject::Postbacks(provider.clone()), place, expires_at: None };
            *shards.entry(entry.shard()).or_default() += 1;
        }
        assert_eq!(shards.len(), usize::from(SHARDS));
        // Each partition gets 1,000 of the entries on average. At 10,000 writes a second, no partition gets more than
        // the 1,000 writes that it can take.
        assert!(shards.values().all(|count| (800..1_200).contains(count)), "{shards:?}");
    }
}
