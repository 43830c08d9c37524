//! Keys and attributes of media buying: campaigns' catalogue, participants, deliveries.

use app::ports::KeptAttempt;
use domain::{
    attempt::Attempt,
    delivery::{Delivery, LateAttempt, Status},
    ids::{DeliveryId, Mark, Provider, UserId},
    moment::Moment,
};
use serde::{Deserialize, Serialize};

/// `participants`: its key.
pub const USER_ID: &str = "user_id";
/// `deliveries`, `attempts`: the key, or its first part.
pub const DELIVERY_ID: &str = "delivery_id";
/// `deliveries`: what a change is conditional on.
pub const DELIVERY_REVISION: &str = "revision";
/// `deliveries`: where a claim stands, from the outermost name inwards.
pub const CLAIM_PATH: [&str; 3] = ["life", "under_way", "claim"];
/// `deliveries`: when the sweep last sent for it. Gone with every change of the delivery.
pub const SWEPT_AT: &str = "swept_at";
/// `deliveries`: the index of what is under way.
pub const UNDER_WAY_INDEX: &str = "under_way";
/// `deliveries`: the partition key of that index.
pub const UNDER_WAY_SHARD: &str = "under_way_shard";
/// `deliveries`: the sort key of that index.
pub const UNDER_WAY_SINCE: &str = "under_way_since";
/// `deliveries`: the index of what ended and was not delivered.
pub const FAILED_INDEX: &str = "failed";
/// `deliveries`: the partition key of that index.
pub const FAILED_SHARD: &str = "failed_shard";
/// `deliveries`: the sort key of that index.
pub const FAILED_AT: &str = "failed_at";
/// `attempts`: the second part of its key.
pub const ATTEMPT: &str = "attempt";
/// `catalogue`: its key.
pub const PART: &str = "part";
/// `catalogue`: the key of the pointer.
pub const CURRENT: &str = "current";

/// `participants`: one GG3 user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantItem {
    /// The key.
    pub user_id: UserId,
    /// Changes with each write, upwards.
    pub version: u64,
    /// The participant, as JSON.
    pub participant: String,
    /// When it expires, in Unix seconds: one that opened a partner's link never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// How many partitions the index of what is under way has: enough for ten thousand deliveries a second, few enough for a
/// sweep to ask each.
pub const UNDER_WAY_SHARDS: u32 = 16;

/// How many partitions of the index of what failed one partner has: so that a large one whose deliveries all end at once
/// is not slowed down by it.
pub const FAILED_SHARDS: u32 = 8;

/// `deliveries`: one delivery, with its current round.
///
/// The index of what is under way tells since when, which is the same all through a round: so it costs a write when a
/// round is opened and one when it ends, and none at an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryItem {
    /// The delivery, [`DELIVERY_ID`] and [`DELIVERY_REVISION`] among its attributes.
    #[serde(flatten)]
    pub delivery: Delivery,
    /// How far it is.
    pub status: Status,
    /// Only while it is under way: where in the index of such it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way_shard: Option<u32>,
    /// Only while it is under way: since when, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way_since: Option<Moment>,
    /// Only when it is exhausted or gone: where in the index of such it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_shard: Option<String>,
    /// Only when it is exhausted or gone: when that was, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Moment>,
    /// When the sweep last sent for it, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_at: Option<Moment>,
}

impl From<&Delivery> for DeliveryItem {
    fn from(delivery: &Delivery) -> Self {
        let status = delivery.status();
        let under_way = delivery.ending().is_none();
        let failed = delivery.ended_at().filter(|_| matches!(status, Status::Exhausted | Status::Gone));
        Self {
            delivery: delivery.clone(),
            status,
            under_way_shard: under_way.then(|| shard(delivery.id(), UNDER_WAY_SHARDS)),
            under_way_since: under_way.then(|| delivery.opened_at()),
            failed_shard: failed.map(|_| failed_shard(delivery.provider(), shard(delivery.id(), FAILED_SHARDS))),
            failed_at: failed,
            swept_at: None,
        }
    }
}

/// One partition of a partner in the index of what failed. A provider has no `#`.
pub fn failed_shard(provider: &Provider, shard: u32) -> String {
    format!("{provider}#{shard}")
}

/// Which of so many partitions a delivery belongs to.
fn shard(id: &DeliveryId, shards: u32) -> u32 {
    // The id is the text of a hash: any mixture of its letters is spread evenly.
    id.as_str().bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % shards
}

/// `attempts`: one attempt that is not among its delivery's own: of an older round, or one whose claim was lost before it
/// could be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptItem {
    /// The first part of the key.
    pub delivery_id: DeliveryId,
    /// The second part: the round, then which attempt of it, then whose it was if it came too late. Sorted as made.
    pub attempt: String,
    /// The round.
    pub round: u32,
    /// Whether its claim was lost before it could be recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// What is kept of it.
    #[serde(flatten)]
    pub made: Attempt,
}

impl AttemptItem {
    /// An attempt of a round that is over.
    pub fn of_round(delivery_id: &DeliveryId, round: u32, attempt: &Attempt) -> Self {
        let key = format!("{round:010}#{}", attempt.n);
        Self { delivery_id: delivery_id.clone(), attempt: key, round, late: false, made: attempt.clone() }
    }
}

impl From<&LateAttempt> for AttemptItem {
    fn from(late: &LateAttempt) -> Self {
        let LateAttempt { delivery_id, round, mark, attempt } = late;
        let key = format!("{round:010}#{}#{mark}", attempt.n);
        Self { delivery_id: delivery_id.clone(), attempt: key, round: *round, late: true, made: attempt.clone() }
    }
}

impl AttemptItem {
    /// Returns the item of an attempt that was read, as it is stored.
    pub fn of_kept(delivery_id: &DeliveryId, kept: &KeptAttempt) -> Self {
        let KeptAttempt { round, late, attempt } = kept.clone();
        match late {
            None => Self::of_round(delivery_id, round, &attempt),
            Some(mark) => Self::from(&LateAttempt { delivery_id: delivery_id.clone(), round, mark, attempt }),
        }
    }
}

impl From<AttemptItem> for KeptAttempt {
    fn from(item: AttemptItem) -> Self {
        let mark = item.attempt.rsplit_once('#').and_then(|(_, mark)| Mark::new(mark).ok());
        Self { round: item.round, late: mark.filter(|_| item.late), attempt: item.made }
    }
}

/// One publishing of the catalogue: where its text stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publishing {
    /// Counts up.
    pub version: u64,
    /// SHA-256 of the text, in hex. Part of its chunks' keys, so that two who publish at once write no chunk of the other.
    pub digest: String,
    /// How many chunks its text has.
    pub chunks: u32,
}

impl Publishing {
    /// The key of one of its chunks.
    pub fn chunk_key(&self, n: u32) -> String {
        format!("v{}-{}#{n}", self.version, self.digest)
    }
}

/// `catalogue`: the pointer to what is current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguePointerItem {
    /// The key: [`CURRENT`].
    pub part: String,
    /// What is current. Its `version` is an attribute of the item.
    pub version: u64,
    /// Its digest.
    pub digest: String,
    /// How many chunks it has.
    pub chunks: u32,
    /// When it was published, in Unix milliseconds.
    pub published_at: Moment,
    /// What was current before, and may still be being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Publishing>,
}

impl CataloguePointerItem {
    /// What it points to.
    pub fn current(&self) -> Publishing {
        Publishing { version: self.version, digest: self.digest.clone(), chunks: self.chunks }
    }
}

/// `catalogue`: a part of a publishing's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueChunkItem {
    /// The key.
    pub part: String,
    /// The text.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::{
        attempt::{Answer, Answered, Outcome},
        delivery::{Message, Pace, Recorded, Standing},
        event::Ids,
        ids::{CampaignName, ClickId, Mark, Ticket},
        participant::Owed,
        retry::RetryPolicy,
    };

    use super::*;
    use crate::dynamodb::{Item, from_item, to_item};

    fn delivery(user: &str) -> Delivery {
        let owed = Owed {
            provider: Provider::new("acme").unwrap(),
            campaign: CampaignName::new("welcome").unwrap(),
            ids: Ids { click_id: ClickId::new("c-1").ok(), user_id: None },
            occurred_at: Moment::from_millisecond(1),
        };
        Delivery::new(UserId::new(user).unwrap(), owed, Moment::from_millisecond(2), Ticket::from_random([1; 8]))
    }

    fn after(delivery: &Delivery, message: &Message, status: u16) -> (Delivery, Option<Message>) {
        let pace = Pace::try_new(Duration::from_mins(1), 60).unwrap();
        let claim = message.claim(message.due_at, Standing::Open, &pace, &Mark::new("m").unwrap()).unwrap();
        let at = message.due_at;
        let (outcome, answer) = (Outcome::Status(status), Answer::of(b"\xff\x00no"));
        let answered = Answered { sent_at: at, ended_at: at, outcome, answer, retry_after: None };
        let ticket = Ticket::from_random([2; 8]);
        match delivery.with_claim(claim.clone()).record(&claim, &answered, RetryPolicy::default(), ticket) {
            Recorded::Stored { delivery, next } => (delivery, next),
            other => panic!("{other:?}"),
        }
    }

    fn bytes(item: &Item) -> usize {
        fn value(of: &AttributeValue) -> usize {
            match of {
                AttributeValue::S(text) => text.len(),
                AttributeValue::N(number) => number.len() / 2 + 1,
                AttributeValue::B(blob) => blob.as_ref().len(),
                AttributeValue::M(map) => 3 + map.iter().map(|(name, of)| 1 + name.len() + value(of)).sum::<usize>(),
                AttributeValue::L(list) => 3 + list.iter().map(|of| 1 + value(of)).sum::<usize>(),
                _ => 1,
            }
        }
        item.iter().map(|(name, of)| name.len() + value(of)).sum()
    }

    #[test]
    fn a_delivery_comes_back_from_its_item_as_it_was_through_all_its_life_and_takes_a_kilobyte() {
        let mut delivery = delivery("gg3-42");
        let mut message = delivery.first_message(Ticket::from_random([1; 8]));
        while let Some(due) = message {
            let item = to_item("test", &DeliveryItem::from(&delivery)).unwrap();
            assert!(bytes(&item) < 1024, "{} bytes before attempt {}", bytes(&item), due.n);
            assert_eq!(from_item::<DeliveryItem>("test", item).unwrap(), DeliveryItem::from(&delivery));
            (delivery, message) = after(&delivery, &due, 500);
        }
        let item = to_item("test", &DeliveryItem::from(&delivery)).unwrap();
        assert_eq!(from_item::<DeliveryItem>("test", item).unwrap().delivery, delivery);
        let attempt = AttemptItem::of_round(delivery.id(), 1, &delivery.attempts()[0]);
        assert_eq!(from_item::<AttemptItem>("test", to_item("test", &attempt).unwrap()).unwrap(), attempt);
        assert_eq!(AttemptItem::of_kept(delivery.id(), &KeptAttempt::from(attempt.clone())), attempt);
        let mark = Mark::from_random([7; 8]);
        let late = LateAttempt { delivery_id: delivery.id().clone(), round: 2, mark, attempt: attempt.made };
        let late = AttemptItem::from(&late);
        assert_eq!(AttemptItem::of_kept(delivery.id(), &KeptAttempt::from(late.clone())), late);
    }

    #[test]
    fn only_what_is_under_way_is_in_its_index_and_only_what_failed_in_that_of_failures() {
        let fresh = delivery("gg3-42");
        let message = fresh.first_message(Ticket::from_random([1; 8])).unwrap();
        for (status, under_way, failed) in [(500, true, false), (200, false, false), (410, false, true)] {
            let item = DeliveryItem::from(&after(&fresh, &message, status).0);
            assert_eq!((item.under_way_shard.is_some(), item.under_way_since.is_some()), (under_way, under_way));
            assert_eq!((item.failed_shard.is_some(), item.failed_at.is_some()), (failed, failed));
        }
        let retrying = DeliveryItem::from(&after(&fresh, &message, 500).0);
        assert_eq!(retrying.under_way_since, DeliveryItem::from(&fresh).under_way_since, "no write of the index");
    }

    #[test]
    fn a_claim_stands_where_its_path_says() {
        let fresh = delivery("gg3-42");
        let message = fresh.first_message(Ticket::from_random([1; 8])).unwrap();
        let pace = Pace::try_new(Duration::from_mins(1), 60).unwrap();
        let claim = message.claim(message.due_at, Standing::Open, &pace, &Mark::new("m").unwrap()).unwrap();
        let claimed = serde_json::to_value(fresh.with_claim(claim.clone())).unwrap();
        let there = CLAIM_PATH.iter().fold(&claimed, |at, name| &at[*name]);
        assert_eq!(*there, serde_json::to_value(&claim).unwrap());
        assert_eq!(claimed[DELIVERY_REVISION], 2);
    }

    #[test]
    fn deliveries_are_spread_over_all_shards() {
        let shards: std::collections::BTreeSet<Option<u32>> =
            (0..500).map(|n| DeliveryItem::from(&delivery(&n.to_string())).under_way_shard).collect();
        assert_eq!(shards, (0..UNDER_WAY_SHARDS).map(Some).collect());
    }
}
