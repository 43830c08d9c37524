//! Names the keys and attributes of media buying: the catalogue of campaigns, participants and deliveries.

use app::ports::KeptAttempt;
use domain::{
    jiff::Timestamp,
    outbound::{
        attempt::Attempt,
        delivery::{Delivery, Ending, LateAttempt, Status},
    },
    retention::Retention,
    values::{
        ids::{CampaignName, ClaimMark, DeliveryId, Provider, UserId},
        time::UnixMillis,
    },
};
use serde::{Deserialize, Serialize};

/// Names the key of `participants`.
pub const USER_ID: &str = "user_id";
/// Names the key of `deliveries`, and the partition key of `attempts`.
pub const DELIVERY_ID: &str = "delivery_id";
/// Names the sort key of `attempts`.
pub const ATTEMPT: &str = "attempt";
/// Names the revision in `deliveries`. Each change requires that the stored revision is the one that was read.
pub const DELIVERY_REVISION: &str = "revision";
/// Holds the path to the claim in an item of `deliveries`. The outermost name comes first.
pub const CLAIM_PATH: [&str; 3] = ["life", "under_way", "claim"];
/// Names the attribute of `deliveries` that says when a sweep last sent a message for the delivery. Every change of the
/// delivery removes the attribute.
pub const SWEPT_AT: &str = "swept_at";
/// Names the index of `deliveries` under way.
pub const UNDER_WAY_INDEX: &str = "under_way";
/// Names the partition key of the index of deliveries under way.
pub const UNDER_WAY_SHARD: &str = "under_way_shard";
/// Names the sort key of the index of deliveries under way.
pub const UNDER_WAY_SINCE: &str = "under_way_since";
/// Names the index of failed deliveries, which are exhausted, gone or unsendable.
pub const FAILED_INDEX: &str = "failed";
/// Names the partition key of the index of failed deliveries.
pub const FAILED_SHARD: &str = "failed_shard";
/// Names the sort key of the index of failed deliveries.
pub const FAILED_AT: &str = "failed_at";
/// Names the key of `catalogue`.
pub const PART: &str = "part";
/// Holds the key of the pointer in `catalogue`.
pub const CURRENT: &str = "current";

/// Holds one GG3 user in `participants`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantItem {
    /// Holds the key.
    pub user_id: UserId,
    /// Grows with each write.
    pub version: u64,
    /// Holds the participant as JSON.
    pub participant: String,
    /// Says when the item expires, in Unix seconds. A participant who opened a partner's link never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// Sets the number of partitions of the index of deliveries under way. So many partitions carry ten thousand deliveries
/// a second.
pub const UNDER_WAY_SHARDS: u32 = 16;

/// Sets the number of partitions for each partner in the index of failed deliveries, in case many deliveries of a
/// partner fail at once.
pub const FAILED_SHARDS: u32 = 8;

/// Holds one delivery in `deliveries` with its current round.
///
/// The sort key of the index of deliveries under way is the start of the round. The index therefore costs one write
/// when a round opens and one write when the round ends. An attempt costs no write to the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryItem {
    /// Holds the delivery. Its attributes include [`DELIVERY_ID`] and [`DELIVERY_REVISION`].
    #[serde(flatten)]
    pub delivery: Delivery,
    /// Says how far the delivery is.
    pub status: Status,
    /// Holds the partition in the index of deliveries under way, only while the delivery is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way_shard: Option<u32>,
    /// Says when the round opened, in Unix milliseconds, only while the delivery is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way_since: Option<UnixMillis>,
    /// Holds the partition key of the index `failed`. Only a failed delivery has this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_shard: Option<String>,
    /// Says when the delivery failed, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<UnixMillis>,
    /// Says when the sweep last sent a message for the delivery, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_at: Option<UnixMillis>,
}

impl From<&Delivery> for DeliveryItem {
    fn from(delivery: &Delivery) -> Self {
        let status = delivery.status();
        let under_way = delivery.ending().is_none();
        let failed = delivery.ended_at().filter(|_| delivery.ending().is_some_and(Ending::is_failure));
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

/// Returns the key of one partition of a partner's failed deliveries. A provider has no `#`.
pub fn failed_shard(provider: &Provider, shard: u32) -> String {
    format!("{provider}#{shard}")
}

/// Returns the number of the delivery's partition, which is less than `shards`.
fn shard(id: &DeliveryId, shards: u32) -> u32 {
    // The id is the text of a hash, so any mixture of its letters is spread evenly.
    id.as_str().bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % shards
}

/// Holds an attempt in `attempts`. Such an attempt belongs to an older round, or its worker lost the claim before it
/// could record the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptItem {
    /// Holds the partition key.
    pub delivery_id: DeliveryId,
    /// Holds the sort key: the round, the number of the attempt and, for a late attempt, the mark of its worker. The
    /// keys of a delivery sort by time.
    pub attempt: String,
    /// Names the partner. Only a late attempt has this attribute, for the archive. Earlier versions did not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Names the campaign, as `provider` names the partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignName>,
    /// Numbers the round.
    pub round: u32,
    /// Is true if the worker lost the claim before it could record the attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// Holds the attempt.
    #[serde(flatten)]
    pub made: Attempt,
    /// Says when the item expires, in Unix seconds. Older versions stored attempts without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

impl AttemptItem {
    /// Returns the item of an attempt of a round that is over.
    pub fn of_round(delivery_id: &DeliveryId, round: u32, attempt: &Attempt, retention: Retention) -> Self {
        let expires_at = Some(retention.end(attempt.sent_at.timestamp()));
        Self::of_kept(delivery_id, &KeptAttempt { round, late: None, attempt: attempt.clone(), expires_at })
    }

    /// Returns the item of an attempt that was recorded too late.
    pub fn of_late(late: &LateAttempt, retention: Retention) -> Self {
        let LateAttempt { delivery_id, provider, campaign, round, mark, attempt } = late;
        let (round, late, attempt) = (*round, Some(mark.clone()), attempt.clone());
        let expires_at = Some(retention.end(attempt.sent_at.timestamp()));
        let item = Self::of_kept(delivery_id, &KeptAttempt { round, late, attempt, expires_at });
        Self { provider: Some(provider.clone()), campaign: Some(campaign.clone()), ..item }
    }

    /// Returns the stored form of an attempt that was read, without the partner and the campaign of a late one.
    pub fn of_kept(delivery_id: &DeliveryId, kept: &KeptAttempt) -> Self {
        let KeptAttempt { round, late, attempt, expires_at } = kept;
        let mark = late.as_ref().map_or_else(String::new, |mark| format!("#{mark}"));
        Self {
            delivery_id: delivery_id.clone(),
            attempt: format!("{round:010}#{}{mark}", attempt.n),
            provider: None,
            campaign: None,
            round: *round,
            late: late.is_some(),
            made: attempt.clone(),
            expires_at: *expires_at,
        }
    }

    /// Returns true if the item has expired. DynamoDB deletes expired items only within days.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now.as_second())
    }
}

impl From<AttemptItem> for KeptAttempt {
    fn from(item: AttemptItem) -> Self {
        let mark = item.attempt.rsplit_once('#').and_then(|(_, mark)| ClaimMark::new(mark).ok());
        let late = mark.filter(|_| item.late);
        Self { round: item.round, late, attempt: item.made, expires_at: item.expires_at }
    }
}

/// Says where the text of a published catalogue is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publishing {
    /// Counts the versions.
    pub version: u64,
    /// Holds the SHA-256 of the text in hex. The keys of the chunks contain this digest, so that concurrent publishers
    /// do not overwrite each other's chunks.
    pub digest: String,
    /// Counts the chunks of the text.
    pub chunks: u32,
}

impl Publishing {
    /// Returns the key of one chunk.
    pub fn chunk_key(&self, n: u32) -> String {
        format!("v{}-{}#{n}", self.version, self.digest)
    }
}

/// Holds the pointer to the current version in `catalogue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguePointerItem {
    /// Holds the key, which is [`CURRENT`].
    pub part: String,
    /// Holds the current version, which is also an attribute of the item.
    pub version: u64,
    /// Holds the digest of the current version.
    pub digest: String,
    /// Counts the chunks of the current version.
    pub chunks: u32,
    /// Says when the version was published, in Unix milliseconds.
    pub published_at: UnixMillis,
    /// Describes the previous version, which somebody may still be reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Publishing>,
}

impl CataloguePointerItem {
    /// Returns the version that the pointer names.
    pub fn current(&self) -> Publishing {
        Publishing { version: self.version, digest: self.digest.clone(), chunks: self.chunks }
    }
}

/// Holds a chunk of a version's text in `catalogue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueChunkItem {
    /// Holds the key.
    pub part: String,
    /// Holds the text.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::{
        outbound::{
            agreed_ids::PartnerIds,
            attempt::{AnswerExcerpt, AttemptOutcome, FinishedAttempt},
            campaign::CampaignState,
            delivery::{AttemptDecision, DeliveryPace, Message},
            participant::Owed,
            retry::RetryPolicy,
        },
        retention::Expiring,
        values::ids::{CampaignName, ChainTicket, ClaimMark, ClickId},
    };

    use super::*;
    use crate::dynamodb::{Item, from_item, to_item};

    const RETENTION: Retention = Expiring::Attempt.default_retention();

    fn delivery(user: &str) -> Delivery {
        let owed = Owed {
            provider: Provider::new("acme").unwrap(),
            campaign: CampaignName::new("welcome").unwrap(),
            ids: PartnerIds { click_id: ClickId::new("c-1").ok(), user_id: None },
            occurred_at: UnixMillis::from_millisecond(1),
        };
        Delivery::new(
            UserId::new(user).unwrap(),
            owed,
            UnixMillis::from_millisecond(2),
            ChainTicket::from_random([1; 8]),
        )
    }

    fn after(delivery: &Delivery, message: &Message, status: u16) -> (Delivery, Option<Message>) {
        let pace = DeliveryPace::try_new(Duration::from_mins(1), 60).unwrap();
        let claim = message.claim(message.due_at, CampaignState::Open, &pace, &ClaimMark::new("m").unwrap()).unwrap();
        let at = message.due_at;
        let (outcome, answer) = (AttemptOutcome::Status(status), AnswerExcerpt::of(b"\xff\x00no"));
        let answered = FinishedAttempt { sent_at: at, ended_at: at, outcome, answer, retry_after: None };
        let ticket = ChainTicket::from_random([2; 8]);
        match delivery.with_claim(claim.clone()).record(&claim, &answered, RetryPolicy::default(), ticket) {
            AttemptDecision::Stored { delivery, next } => (delivery, next),
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
    fn a_delivery_survives_its_item_and_takes_a_kilobyte() {
        let mut delivery = delivery("gg3-42");
        let mut message = delivery.first_message(ChainTicket::from_random([1; 8]));
        while let Some(due) = message {
            let item = to_item("test", &DeliveryItem::from(&delivery)).unwrap();
            assert!(bytes(&item) < 1024, "{} bytes before attempt {}", bytes(&item), due.n);
            assert_eq!(from_item::<DeliveryItem>("test", item).unwrap(), DeliveryItem::from(&delivery));
            (delivery, message) = after(&delivery, &due, 500);
        }
        let item = to_item("test", &DeliveryItem::from(&delivery)).unwrap();
        assert_eq!(from_item::<DeliveryItem>("test", item).unwrap().delivery, delivery);
        let attempt = AttemptItem::of_round(delivery.id(), 1, &delivery.attempts()[0], RETENTION);
        assert_eq!(from_item::<AttemptItem>("test", to_item("test", &attempt).unwrap()).unwrap(), attempt);
        let kept = KeptAttempt::from(attempt.clone());
        assert_eq!((kept.round, kept.late, kept.attempt), (1, None, attempt.made.clone()));
        let mark = ClaimMark::from_random([7; 8]);
        let (provider, campaign) = (delivery.provider().clone(), delivery.campaign().clone());
        let delivery_id = delivery.id().clone();
        let late = LateAttempt { delivery_id, provider, campaign, round: 2, mark, attempt: attempt.made };
        let item = AttemptItem::of_late(&late, RETENTION);
        assert_eq!(from_item::<AttemptItem>("test", to_item("test", &item).unwrap()).unwrap(), item);
        let kept = KeptAttempt::from(item);
        assert_eq!((kept.round, kept.late, kept.attempt), (2, Some(late.mark), late.attempt));
    }

    #[test]
    fn each_index_holds_only_its_deliveries() {
        let fresh = delivery("gg3-42");
        let message = fresh.first_message(ChainTicket::from_random([1; 8])).unwrap();
        for (status, under_way, failed) in [(500, true, false), (200, false, false), (410, false, true)] {
            let item = DeliveryItem::from(&after(&fresh, &message, status).0);
            assert_eq!((item.under_way_shard.is_some(), item.under_way_since.is_some()), (under_way, under_way));
            assert_eq!((item.failed_shard.is_some(), item.failed_at.is_some()), (failed, failed));
        }
        let retrying = DeliveryItem::from(&after(&fresh, &message, 500).0);
        assert_eq!(retrying.under_way_since, DeliveryItem::from(&fresh).under_way_since, "no write of the index");
    }

    #[test]
    fn a_claim_is_stored_at_its_path() {
        let fresh = delivery("gg3-42");
        let message = fresh.first_message(ChainTicket::from_random([1; 8])).unwrap();
        let pace = DeliveryPace::try_new(Duration::from_mins(1), 60).unwrap();
        let claim = message.claim(message.due_at, CampaignState::Open, &pace, &ClaimMark::new("m").unwrap()).unwrap();
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
