//! Names every table's keys and attributes once.
//!
//! | table | key | written by |
//! |---|---|---|
//! | `partners` | `provider` | `postbackctl` |
//! | `secrets` | `owner`, the purpose of the secrets: `postback#` or `webhook#` and a provider, `click`, `link` or `archive` | `postbackctl` |
//! | `postbacks` | `provider_transaction`: provider, `#`, hash of provider and transaction id; `revision`: `original`, or `revision-` and six digits. For a click that may be used once an event: provider, `@`, hash of click and event; `revision`: `click-use` | `postback`; corrections `postbackctl` |
//! | `refusals` | `provider_content`: provider, `#`, hash of the content; or provider, `#kept-` and a UTC date, which counts the new items of that day | `postback`; `postbackctl` resolves |
//! | `clicks` | `click_id` | `click` |
//! | `catalogue` | `part`: `current`, or a chunk's version, digest and number | `postbackctl` |
//! | `lookups` | `subject`: a partner, user or click id to look up, `#`, a shard; `place`: a time, the kind of the item, and the item's key. The subjects `heartbeat` and `rebuild` say how complete the entries of a table are, and how far a rebuild is; `place` is the table's name | `lookup-writer`, `postbackctl` |
//! | `participants` | `user_id` | `event-evaluator` |
//! | `deliveries` | `delivery_id`; index `under_way`: `under_way_shard`, `under_way_since`; index `failed`: `failed_shard`, `failed_at` | `event-evaluator` creates items; `webhook-sender`, `delivery-sweep` and `postbackctl` change items |
//! | `attempts` | `delivery_id`; `attempt`: round and number | `webhook-sender`, `postbackctl` |
//! | `endpoints` | `provider`; `host`, with its port if that is not 443 | `webhook-sender` |
//! | `audit` | `day`: the UTC date; `at_and_id`: the instant to the millisecond, `#`, the record's id | `postbackctl`, `console` |
//! | `sessions` | `session`: `session#` or `link#`, and the SHA-256 of the browser's or the link's token; or `request#`, and the SHA-256 of a request's author and name; or `test#`, a partner, `#`, and the number of a permit for test webhooks | `console`; links `postbackctl` |

pub mod archive;
pub mod change;
pub mod lookups;
pub mod media_buying;
mod postbacks;
pub(crate) mod secrets;

use domain::{
    audit::AuditRecord,
    inbound::click::Click,
    jiff::Timestamp,
    named_request::{NamedRequest, RequestKey},
    outbound::test_webhook::TestPermit,
    session::{Session, SessionKey},
    values::ids::{ClickId, LandingName, Provider, UserId},
};
use serde::{Deserialize, Serialize};

pub use self::postbacks::{
    CLICK_USE, ClickUseItem, ORIGINAL, PROVIDER_TRANSACTION, PostbackItem, REVISION, REVISION_PREFIX, RevisionKind,
    USED_BY,
};

/// Names the key of `partners`.
pub const PROVIDER: &str = "provider";
/// Names the version in `partners` and other tables. The version prevents two operators from overwriting each other's
/// changes.
pub const VERSION: &str = "version";
/// Names the key of `secrets`.
pub const OWNER: &str = "owner";
/// Names the key of `refusals`.
pub const PROVIDER_CONTENT: &str = "provider_content";
/// Names the key of `clicks`.
pub const CLICK_ID: &str = "click_id";
/// Names the partition key of `audit`.
pub const DAY: &str = "day";
/// Names the sort key of `audit`.
pub const AT_AND_ID: &str = "at_and_id";

/// Names the sort key of `endpoints`.
pub const HOST: &str = "host";
/// Names the attribute of `endpoints` that holds the health.
pub const HEALTH: &str = "health";
/// Names the attribute of `endpoints` that says when an endpoint was last up again.
pub const RECOVERED_AT: &str = "recovered_at";
/// Names the attribute of `endpoints` that holds the next free place in the endpoint's rate, in Unix microseconds.
pub const NEXT_PLACE: &str = "next_place";

/// Names the key of `sessions`.
pub const SESSION: &str = "session";

/// Names the purposes of the items of `secrets`.
pub use app::ports::SecretPurpose;
use app::ports::{EndpointKey, StoredEndpoint};
/// `partners`: one partner. `refusals`: one refusal or conflict. The fields of both types are the attributes.
pub use app::ports::{RefusalKind, StoredPartner as PartnerItem, StoredRefusal as RefusalItem};
pub use secrets::SecretsItem;

/// Names the attribute of `refusals` that says when the content was first seen.
pub const FIRST_RECEIVED_AT: &str = "first_received_at";
/// Names the attribute of `refusals` that counts the sightings.
pub const TIMES: &str = "times";
/// Names the attribute of `refusals` that holds the receipt of an accepted conflict, or of a refusal that was sent again
/// and recorded.
pub const ACCEPTED: &str = "accepted";
/// Names the attribute of `refusals` that says when a conflict was accepted or a refusal recorded.
pub const ACCEPTED_AT: &str = "accepted_at";
/// Names the attribute of `refusals` that says when a conflict's original was kept.
pub const ORIGINAL_KEPT_AT: &str = "original_kept_at";
/// Names the attribute of `refusals` that counts the new items of a partner and day. Only the item of such a count has
/// it.
pub const KEPT: &str = "kept";
/// Names the time to live of `refusals`, `clicks`, `attempts`, `audit` and `sessions`.
pub const EXPIRES_AT: &str = "expires_at";

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

impl ClickItem {
    /// Makes the item of a click that expires at this Unix second.
    pub fn of(click: &Click, expires_at: i64) -> Self {
        Self {
            click_id: click.click_id.clone(),
            provider: click.provider.clone(),
            landing: click.landing.clone(),
            user_id: click.user_id.clone(),
            clicked_at: click.clicked_at,
            expires_at,
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
            expires_at: record.expires_at,
        }
    }
}

/// Holds a session of the console, or a link to the portal, in `sessions`. Its time to live is `expires_at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionItem {
    /// Holds the key.
    #[serde(rename = "session")]
    pub key: String,
    /// Holds the session.
    #[serde(flatten)]
    pub session: Session,
}

impl SessionItem {
    /// Makes the item of a session or a link.
    pub fn new(key: &SessionKey, session: &Session) -> Self {
        Self { key: key.as_str().to_owned(), session: session.clone() }
    }
}

/// Holds a request of the management API that its client named, in `sessions`. Its time to live is `expires_at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRequestItem {
    /// Holds the key.
    #[serde(rename = "session")]
    pub key: String,
    /// Holds the request.
    #[serde(flatten)]
    pub request: NamedRequest,
}

impl NamedRequestItem {
    /// Makes the item of a request.
    pub fn new(key: &RequestKey, request: &NamedRequest) -> Self {
        Self { key: key.as_str().to_owned(), request: request.clone() }
    }
}

/// Holds an endpoint in `endpoints`. Its version, health and places are written apart from each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointItem {
    /// Names the partner.
    pub provider: Provider,
    /// Names the host.
    pub host: String,
    /// Holds the endpoint.
    #[serde(flatten)]
    pub stored: StoredEndpoint,
}

impl EndpointItem {
    /// Returns the key.
    pub fn key(&self) -> EndpointKey {
        EndpointKey { provider: self.provider.clone(), host: self.host.clone() }
    }
}

/// Holds a permit of a test webhook in `sessions`. Its time to live is `expires_at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestPermitItem {
    /// Holds the key.
    #[serde(rename = "session")]
    pub key: String,
    /// Says from when another test may use the permit, in Unix seconds.
    pub expires_at: i64,
}

impl From<&TestPermit> for TestPermitItem {
    fn from(permit: &TestPermit) -> Self {
        Self { key: permit.key.clone(), expires_at: permit.expires_at }
    }
}

impl From<AuditItem> for AuditRecord {
    fn from(AuditItem { record, expires_at, .. }: AuditItem) -> Self {
        Self { expires_at, ..record }
    }
}

#[cfg(test)]
mod tests;
