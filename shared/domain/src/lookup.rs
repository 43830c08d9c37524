//! Lookups: by which partner, user and click id, and when, something that is stored can be found again.
//!
//! An entry says where a thing is, not what it says: that is read where it is kept, so that a lookup can never disagree
//! with it. Everything about an entry follows from the thing itself, so writing it again changes nothing.

use core::fmt;

use jiff::Timestamp;

use crate::{
    click::Click,
    correction::Revision,
    delivery::Delivery,
    event::Ids,
    ids::{ClickId, PartnerUserId, Provider, UserId},
    participant::Participant,
    prelude::*,
    refusal::digest_parts,
};

/// Among how many partitions one subject's entries are spread. A partition takes 1,000 writes a second; this many leave
/// room for a partner that sends 10,000 postbacks in each, and for a user id that a broken tracker sends with all of them.
pub const SHARDS: u8 = 32;

/// How long an entry of a postback is kept, in seconds: 400 days, a year and a complaint.
pub const POSTBACK_LISTED_SECONDS: i64 = 400 * 24 * 60 * 60;

/// How long an entry of a delivery or an opening is kept, in seconds: as long as a postback's.
pub const DELIVERY_LISTED_SECONDS: i64 = POSTBACK_LISTED_SECONDS;

/// What is looked up by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A partner's postbacks and their corrections.
    Postbacks(Provider),
    /// A partner's calls that were refused.
    Refusals(Provider),
    /// A partner's conflicts.
    Conflicts(Provider),
    /// A partner's deliveries: what it is owed webhooks for.
    Deliveries(Provider),
    /// All of one GG3 user.
    User(UserId),
    /// All of one click id.
    Click(ClickId),
    /// All of what a partner calls one of its users, whom it sent to GG3.
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
            // A provider has no slash.
            Self::PartnerUser(provider, user_id) => write!(f, "partner-user/{provider}/{user_id}"),
        }
    }
}

/// What kind of thing an entry leads to. In the order of their names, which is the order that places have as texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A click.
    Click,
    /// A delivery.
    Delivery,
    /// An opening of a partner's link: its key is the GG3 user, who is the participant.
    Opening,
    /// A postback or a correction of one.
    Postback,
    /// A refusal or a conflict.
    Refusal,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Click, Self::Delivery, Self::Opening, Self::Postback, Self::Refusal];

    fn as_str(self) -> &'static str {
        match self {
            Self::Postback => "postback",
            Self::Refusal => "refusal",
            Self::Click => "click",
            Self::Delivery => "delivery",
            Self::Opening => "opening",
        }
    }
}

/// Where a thing stands under its subject: by time, then by what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Unix milliseconds, never negative.
    millisecond: i64,
    kind: Kind,
    key: String,
}

/// The most milliseconds that a place can say: the year 5138.
const LAST_MILLISECOND: i64 = 99_999_999_999_999;

impl Place {
    /// The place of a thing with this key in its own table.
    pub fn new(at: Timestamp, kind: Kind, key: impl Into<String>) -> Self {
        Self { millisecond: at.as_millisecond().clamp(0, LAST_MILLISECOND), kind, key: key.into() }
    }

    /// The place that a text names.
    pub fn parse(text: &str) -> Option<Self> {
        let (millisecond, rest) = text.split_once('#')?;
        let (kind, key) = rest.split_once('#')?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let digits = millisecond.len() == 14 && millisecond.bytes().all(|byte| byte.is_ascii_digit());
        let millisecond = millisecond.parse().ok().filter(|_| digits)?;
        Some(Self { millisecond, kind, key: key.to_owned() })
    }

    /// A text that is less than every place at or after this instant, and more than every one before.
    pub fn bound(at: Timestamp) -> String {
        format!("{:014}", at.as_millisecond().clamp(0, LAST_MILLISECOND))
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millisecond).unwrap_or(Timestamp::MAX)
    }

    /// What kind of thing stands here.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The thing's key in its own table.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Place {
    /// Texts of places order as the places do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}#{}#{}", self.millisecond, self.kind.as_str(), self.key)
    }
}

/// One thing under one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is looked up by.
    pub subject: Subject,
    /// Where it stands there.
    pub place: Place,
    /// When it expires, in Unix seconds; an open conflict's never does.
    pub expires_at: Option<i64>,
}

impl Entry {
    /// Which of its subject's partitions it is in: always the same one for the same thing.
    pub fn shard(&self) -> u8 {
        let [first, ..] = digest_parts("lookup", &[&self.place.key]);
        first % SHARDS
    }

    /// The entries of one thing: one under each of these subjects.
    pub fn under(subjects: impl IntoIterator<Item = Subject>, place: &Place, expires_at: Option<i64>) -> Vec<Self> {
        let entry = |subject| Self { subject, place: place.clone(), expires_at };
        subjects.into_iter().map(entry).collect()
    }

    /// The entries of a postback or a correction that has this key: by partner, user and click id.
    pub fn of_revision(revision: &Revision, key: impl Into<String>) -> Vec<Self> {
        let (postback, at) = (revision.postback(), revision.recorded_at());
        let subjects = [
            Subject::Postbacks(postback.provider.clone()),
            Subject::User(postback.content.user_id.clone()),
            Subject::Click(postback.content.click_id.clone()),
        ];
        let expires_at = at.as_second().saturating_add(POSTBACK_LISTED_SECONDS);
        Self::under(subjects, &Place::new(at, Kind::Postback, key), Some(expires_at))
    }

    /// The entry of a click: by user. By its click id it is found where it is kept.
    pub fn of_click(click: &Click, expires_at: i64) -> Vec<Self> {
        let place = Place::new(click.clicked_at, Kind::Click, click.click_id.as_str());
        Self::under([Subject::User(click.user_id.clone())], &place, Some(expires_at))
    }
}

impl Entry {
    /// The entries of a delivery: by partner, by GG3 user, and by what the partner knows the user by.
    pub fn of_delivery(delivery: &Delivery) -> Vec<Self> {
        let at = delivery.created_at().timestamp();
        let own = [Subject::Deliveries(delivery.provider().clone()), Subject::User(delivery.participant().clone())];
        let subjects = own.into_iter().chain(of_ids(delivery.provider(), delivery.ids()));
        let expires_at = at.as_second().saturating_add(DELIVERY_LISTED_SECONDS);
        Self::under(subjects, &Place::new(at, Kind::Delivery, delivery.id().as_str()), Some(expires_at))
    }

    /// The entries of the openings that a participant has and did not have before: by what the partner knows the user by.
    pub fn of_openings(user_id: &UserId, before: Option<&Participant>, now: &Participant) -> Vec<Self> {
        let known = |provider: &Provider| before.and_then(|before| before.attribution(provider));
        let new = now
            .attributions()
            .filter(|(provider, attribution)| known(provider).is_none_or(|before| before.latest != attribution.latest));
        new.flat_map(|(provider, attribution)| {
            let at = attribution.latest.at.timestamp();
            let expires_at = at.as_second().saturating_add(DELIVERY_LISTED_SECONDS);
            let place = Place::new(at, Kind::Opening, user_id.as_str());
            Self::under(of_ids(provider, &attribution.latest.ids), &place, Some(expires_at))
        })
        .collect()
    }
}

fn of_ids(provider: &Provider, ids: &Ids) -> impl Iterator<Item = Subject> {
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
        fn a_place_reads_back_as_it_was_whatever_its_key_holds(place in place()) {
            prop_assert_eq!(Place::parse(&place.to_string()), Some(place));
        }

        #[test]
        fn the_texts_of_places_order_as_they_do_and_a_bound_lies_between(a in place(), b in place()) {
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
    fn a_subjects_entries_spread_evenly_over_all_its_shards() {
        let provider = Provider::new("acme").unwrap();
        let mut shards = BTreeMap::<u8, u32>::new();
        for transaction in 0..32_000 {
            let place = Place::new(Timestamp::UNIX_EPOCH, Kind::Postback, transaction.to_string());
            let entry = Entry { subject: Subject::Postbacks(provider.clone()), place, expires_at: None };
            *shards.entry(entry.shard()).or_default() += 1;
        }
        assert_eq!(shards.len(), usize::from(SHARDS));
        // 1,000 each on average; of 10,000 a second none takes more than the 1,000 that a partition can.
        assert!(shards.values().all(|count| (800..1_200).contains(count)), "{shards:?}");
    }
}
