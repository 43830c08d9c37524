//! Names every table's keys and attributes once.
//!
//! | table | key | written by |
//! |---|---|---|
//! | `partners` | `provider` | `postbackctl` |
//! | `secrets` | `owner`: `system`, or `partner/` and a provider | `postbackctl` |
//! | `postbacks` | `provider_transaction`: provider, `#`, transaction id; `revision`: `original`, or `revision-` and six digits | `postback`; corrections `postbackctl` |
//! | `refusals` | `provider_content`: provider, `#`, hash of the content | `postback`; `postbackctl` resolves |
//! | `clicks` | `click_id` | `click` |
//! | `catalogue` | `part`: `current`, or a chunk's version, digest and number | `postbackctl` |
//! | `lookups` | `subject`: what is looked up by, `#`, its shard; `place`: when, what and its key | `lookup-writer` |
//! | `participants` | `user_id` | `event-evaluator` |
//! | `deliveries` | `delivery_id`; index `under_way`: `under_way_shard`, `under_way_since`; index `failed`: `failed_shard`, `failed_at` | `event-evaluator` puts them, `webhook-sender`, `delivery-sweep` and `postbackctl` change them |
//! | `attempts` | `delivery_id`; `attempt`: round and number | `webhook-sender`, `postbackctl` |
//! | `audit` | `day`: the UTC date; `at_and_id`: the instant to the millisecond, `#`, the record's id | `postbackctl` |

pub mod lookups;
pub mod media_buying;
mod postbacks;

use std::net::IpAddr;

use domain::{
    audit::AuditRecord,
    inbound::{
        click::Click,
        conversion::Receipt,
        fault::Fault,
        postback::{Content, Difference},
        refusal::{Conflict, ContentKey, REFUSAL_KEPT_SECONDS, Refusal},
        status::State,
    },
    jiff::{Timestamp, ToSpan},
    values::{
        ids::{ClickId, LandingName, Provider, TransactionId, UserId},
        signature::Secret,
    },
};
use serde::{Deserialize, Serialize};

pub use self::postbacks::{ORIGINAL, PROVIDER_TRANSACTION, PostbackItem, REVISION, REVISION_PREFIX, RevisionKind};

/// Names the key of `partners`.
pub const PROVIDER: &str = "provider";
/// Names the version in `partners` and other tables, so that two operators cannot overwrite each other's changes.
pub const VERSION: &str = "version";
/// Names the key of `secrets`.
pub const OWNER: &str = "owner";
pub use app::ports::SYSTEM_OWNER;
/// Names the key of `refusals`.
pub const PROVIDER_CONTENT: &str = "provider_content";
/// Names the key of `clicks`.
pub const CLICK_ID: &str = "click_id";
/// Names the partition key of `audit`.
pub const DAY: &str = "day";
/// Names the sort key of `audit`.
pub const AT_AND_ID: &str = "at_and_id";

/// Holds an item of `partners`, or of `secrets` for one owner. The fields are the attributes.
pub use app::ports::{StoredPartner as PartnerItem, StoredSecrets as SecretsItem};

pub(crate) fn secrets_of(texts: Vec<String>) -> Vec<Secret> {
    texts.into_iter().map(Secret::new).collect()
}

/// Holds one content in `refusals` that was refused or that conflicts, and counts its sightings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalItem {
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
    /// Counts the sightings.
    pub times: u64,
    /// Holds the request of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Holds the caller's address of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// Names the user of a refusal, as far as that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Identifies the click of a refusal, as far as that can be read.
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
    /// Holds the state that a conflict said, with a partner that agreed on statuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Lists the differences of a conflict from what stood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Holds a receipt: an accepted conflict's correction, or the postback that followed when a refusal was sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Receipt>,
    /// Says when the conflict was accepted or the refusal recorded. An accepted conflict never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// Says when an operator kept the original of a conflict. Sending the same content again reopens the conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_kept_at: Option<Timestamp>,
    /// Says when a refusal, or a conflict whose original was kept, expires, in Unix seconds.
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

/// Names the time in `refusals` that the first sighting sets.
pub const FIRST_RECEIVED_AT: &str = "first_received_at";
/// Names the count in `refusals` that every sighting increases.
pub const TIMES: &str = "times";
/// Names the receipt in `refusals` of an accepted conflict, or of a refusal that was sent again and recorded.
pub const ACCEPTED: &str = "accepted";
/// Names the time in `refusals` at which a conflict was accepted or a refusal recorded.
pub const ACCEPTED_AT: &str = "accepted_at";
/// Names the time in `refusals` at which a conflict's original was kept.
pub const ORIGINAL_KEPT_AT: &str = "original_kept_at";
/// Names the time to live of `refusals`, `clicks` and `audit`.
pub const EXPIRES_AT: &str = "expires_at";

impl RefusalItem {
    /// Returns true if the item has expired. It may still be stored, because DynamoDB deletes within days.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now.as_second())
    }

    /// Returns true for a conflict that nobody has resolved.
    pub fn is_open(&self) -> bool {
        self.kind == RefusalKind::Conflict && self.accepted.is_none() && self.original_kept_at.is_none()
    }
}

impl TryFrom<RefusalItem> for Conflict {
    type Error = String;

    fn try_from(item: RefusalItem) -> Result<Self, String> {
        let transaction_id = item.transaction_id.ok_or("a conflict without transaction_id")?;
        let content = item.content.ok_or("a conflict without content")?;
        let (provider, state, received_at) = (item.provider, item.state, item.first_received_at);
        Ok(Self { provider, transaction_id, content, state, differences: item.differences, received_at })
    }
}

impl RefusalItem {
    /// Returns the attributes that refusals and conflicts share at their first sighting.
    fn seen(kind: RefusalKind, provider: &Provider, key: &ContentKey, at: Timestamp) -> Self {
        Self {
            provider_content: key.as_str().to_owned(),
            kind,
            provider: provider.clone(),
            first_received_at: at,
            last_received_at: at,
            times: 1,
            request: None,
            source: None,
            user_id: None,
            click_id: None,
            faults: Vec::new(),
            transaction_id: None,
            content: None,
            state: None,
            differences: Vec::new(),
            accepted: None,
            accepted_at: None,
            original_kept_at: None,
            expires_at: None,
        }
    }
}

impl From<&Refusal> for RefusalItem {
    fn from(refusal: &Refusal) -> Self {
        Self {
            request: Some(refusal.request.clone()),
            source: Some(refusal.source),
            user_id: refusal.user_id.clone(),
            click_id: refusal.click_id.clone(),
            faults: refusal.faults.clone(),
            expires_at: Some(refusal.received_at.as_second() + REFUSAL_KEPT_SECONDS),
            ..Self::seen(RefusalKind::Refusal, &refusal.provider, &refusal.key(), refusal.received_at)
        }
    }
}

impl From<&Conflict> for RefusalItem {
    fn from(conflict: &Conflict) -> Self {
        Self {
            transaction_id: Some(conflict.transaction_id.clone()),
            content: Some(conflict.content.clone()),
            state: conflict.state,
            differences: conflict.differences.clone(),
            ..Self::seen(RefusalKind::Conflict, &conflict.provider, &conflict.key(), conflict.received_at)
        }
    }
}

/// Holds one use of a tracking link in `clicks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClickItem {
    /// Holds the key.
    pub click_id: ClickId,
    /// Names the partner.
    pub provider: Provider,
    /// Names the landing page.
    pub landing: LandingName,
    /// Identifies the GG3 user.
    pub user_id: UserId,
    /// Says when the link was used.
    pub clicked_at: Timestamp,
    /// Says when the item expires, in Unix seconds.
    pub expires_at: i64,
}

/// Sets how long a click is kept, in hours: 400 days, which is a year and time for a complaint.
const CLICK_KEPT_HOURS: i64 = 400 * 24;

impl From<&Click> for ClickItem {
    fn from(click: &Click) -> Self {
        Self {
            click_id: click.click_id.clone(),
            provider: click.provider.clone(),
            landing: click.landing.clone(),
            user_id: click.user_id.clone(),
            clicked_at: click.clicked_at,
            expires_at: (click.clicked_at + CLICK_KEPT_HOURS.hours()).as_second(),
        }
    }
}

impl From<ClickItem> for Click {
    fn from(item: ClickItem) -> Self {
        let ClickItem { click_id, provider, landing, user_id, clicked_at, .. } = item;
        Self { click_id, provider, landing, user_id, clicked_at }
    }
}

/// Holds the record of one change by an operator in `audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditItem {
    /// Holds the partition key.
    pub day: String,
    /// Holds the sort key.
    pub at_and_id: String,
    /// Holds the record.
    #[serde(flatten)]
    pub record: AuditRecord,
    /// Says when the record expires, in Unix seconds.
    pub expires_at: i64,
}

impl From<&AuditRecord> for AuditItem {
    fn from(record: &AuditRecord) -> Self {
        Self {
            day: record.day().to_string(),
            at_and_id: format!("{:.3}#{}", record.at, record.id),
            record: record.clone(),
            expires_at: record.expires_at(),
        }
    }
}

#[cfg(test)]
mod tests;
