//! Keys and attributes of media buying: campaigns' catalogue, participants, deliveries.

use domain::{
    ids::{CampaignName, ClickId, DeliveryId, PartnerUserId, Provider, Ticket, UserId},
    moment::Moment,
    owed_delivery::NewDelivery,
};
use serde::{Deserialize, Serialize};

/// `participants`: its key.
pub const USER_ID: &str = "user_id";
/// `deliveries`: its key.
pub const DELIVERY_ID: &str = "delivery_id";
/// `deliveries`: the index of what is under way.
pub const DUE_INDEX: &str = "due";
/// `deliveries`: the partition key of that index.
pub const DUE_SHARD: &str = "due_shard";
/// `deliveries`: the sort key of that index.
pub const DUE_AT: &str = "due_at";
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
pub const DUE_SHARDS: u32 = 16;

/// Whether anybody has tried to send a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// Put, and no attempt of it was ever claimed. Whoever claims the first writes another status.
    Pending,
    /// Anything else.
    #[serde(other, skip_serializing)]
    Begun,
}

/// `deliveries`: one delivery, as it is put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDeliveryItem {
    /// The key.
    pub delivery_id: DeliveryId,
    /// How far it is.
    pub status: DeliveryStatus,
    /// The partner.
    pub provider: Provider,
    /// Its campaign.
    pub campaign: CampaignName,
    /// The GG3 user.
    pub user_id: UserId,
    /// The partner's click, if agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_click_id: Option<ClickId>,
    /// The partner's name for its user, if agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner_user_id: Option<PartnerUserId>,
    /// The latest instant that the goal needed, in Unix milliseconds.
    pub occurred_at: Moment,
    /// When it was put, in Unix milliseconds.
    pub created_at: Moment,
    /// The ticket of its first message.
    pub ticket: Ticket,
    /// Only while it is under way: where in the index of such it stands.
    pub due_shard: u32,
    /// Only while it is under way: when its next attempt is due, in Unix milliseconds.
    pub due_at: Moment,
}

impl From<&NewDelivery> for NewDeliveryItem {
    fn from(delivery: &NewDelivery) -> Self {
        Self {
            delivery_id: delivery.delivery_id.clone(),
            status: DeliveryStatus::Pending,
            provider: delivery.provider.clone(),
            campaign: delivery.campaign.clone(),
            user_id: delivery.user_id.clone(),
            partner_click_id: delivery.ids.click_id.clone(),
            partner_user_id: delivery.ids.user_id.clone(),
            occurred_at: delivery.occurred_at,
            created_at: delivery.created_at,
            ticket: delivery.ticket.clone(),
            due_shard: due_shard(&delivery.delivery_id),
            due_at: delivery.created_at,
        }
    }
}

/// Which partition of the index of what is under way a delivery belongs to.
pub fn due_shard(id: &DeliveryId) -> u32 {
    // The id is the text of a hash: any mixture of its letters is spread evenly.
    id.as_str().bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % DUE_SHARDS
}

/// What a stored delivery says of its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryBeginning {
    /// How far it is.
    pub status: DeliveryStatus,
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
    use super::*;

    #[test]
    fn any_status_but_pending_says_that_a_delivery_has_begun() {
        let status = |json: &str| serde_json::from_str::<DeliveryBeginning>(json).unwrap().status;
        assert_eq!(status(r#"{"status":"pending","x":1}"#), DeliveryStatus::Pending);
        for other in ["sending", "delivered", "exhausted", ""] {
            assert_eq!(status(&format!(r#"{{"status":"{other}"}}"#)), DeliveryStatus::Begun);
        }
    }

    #[test]
    fn deliveries_are_spread_over_all_shards() {
        let shards: std::collections::BTreeSet<u32> = (0..500)
            .map(|n| {
                let names = (Provider::new("acme").unwrap(), CampaignName::new("c").unwrap());
                due_shard(&DeliveryId::of(&names.0, &names.1, &UserId::new(n.to_string()).unwrap()))
            })
            .collect();
        assert_eq!(shards, (0..DUE_SHARDS).collect());
    }
}
