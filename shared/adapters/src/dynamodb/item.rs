//! Every table's keys and attributes, named once.
//!
//! | table | key | written by |
//! |---|---|---|
//! | `partners` | `provider` | `postbackctl` |
//! | `secrets` | `owner`: `system`, or `partner/` and a provider | `postbackctl` |
//! | `postbacks` | `provider_transaction`: provider, `#`, transaction id; `revision`: `original` | `postback` |
//! | `refusals` | `provider_content`: provider, `#`, hash of the content | `postback` |
//! | `clicks` | `click_id` | `click` |
//! | `catalogue` | `part`: `current`, or a chunk's version, digest and number | `postbackctl` |
//! | `participants` | `user_id` | `event-evaluator` |
//! | `deliveries` | `delivery_id`; index `under_way`: `under_way_shard`, `under_way_since`; index `failed`: `failed_shard`, `failed_at` | `event-evaluator` puts them, `webhook-sender`, `delivery-sweep` and `postbackctl` change them |
//! | `attempts` | `delivery_id`; `attempt`: round and number | `webhook-sender`, `postbackctl` |

pub mod media_buying;

use domain::{
    click::{Click, ClickKeys, ClickOrigin},
    conversion::{Receipt, RecordedPostback},
    credential::{CredentialKind, Credentials, TokenHash},
    fault::Fault,
    ids::{ClickId, LandingName, Provider, ReceiptId, TransactionId, UserId},
    jiff::{Timestamp, ToSpan},
    partner::{Partner, PartnerFile},
    postback::{Content, Difference, Postback},
    refusal::{Conflict, Refusal},
    signature::Secret,
};
use serde::{Deserialize, Serialize};

/// `partners`: its key.
pub const PROVIDER: &str = "provider";
/// `partners`: counts the changes, so that two operators cannot overwrite each other.
pub const VERSION: &str = "version";
/// `secrets`: its key.
pub const OWNER: &str = "owner";
/// `secrets`: the owner of what belongs to no partner.
pub const SYSTEM_OWNER: &str = "system";
/// `postbacks`: its partition key.
pub const PROVIDER_TRANSACTION: &str = "provider_transaction";
/// `postbacks`: its sort key.
pub const REVISION: &str = "revision";
/// `postbacks`: the sort key of the postback as it first came.
pub const ORIGINAL: &str = "original";
/// `refusals`: its key.
pub const PROVIDER_CONTENT: &str = "provider_content";
/// `clicks`: its key.
pub const CLICK_ID: &str = "click_id";

/// `partners`: one partner. No secret: of its tokens only the hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerItem {
    /// The key.
    pub provider: Provider,
    /// Counts the changes, from 1.
    pub version: u64,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The [`PartnerFile`], as JSON.
    pub file: String,
    /// The SHA-256 of each live token.
    #[serde(default)]
    pub token_hashes: Vec<TokenHash>,
}

impl PartnerItem {
    /// What the operator wrote.
    pub fn file(&self) -> Result<PartnerFile, String> {
        serde_json::from_str(&self.file).map_err(|fault| fault.to_string())
    }

    /// What it means.
    pub fn partner(&self) -> Result<Partner, String> {
        Partner::try_from(self.file()?)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// What opens this partner's door, with its secrets if it has any.
    pub fn credentials(&self, kind: CredentialKind, secrets: Option<SecretsItem>) -> Credentials {
        match kind {
            CredentialKind::Token => Credentials::Tokens(self.token_hashes.clone()),
            CredentialKind::Signature => {
                Credentials::Secrets(secrets.map(|item| secrets_of(item.signature_secrets)).unwrap_or_default())
            }
        }
    }
}

/// `secrets`: one owner's.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretsItem {
    /// The key.
    pub owner: String,
    /// A partner's signing secrets, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signature_secrets: Vec<String>,
    /// What a partner's webhooks are signed with, `whsec_` and base64, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhook_secrets: Vec<String>,
    /// The system's keys of click ids, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub click_keys: Vec<String>,
    /// The system's secrets of `/click` links, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link_secrets: Vec<String>,
}

impl SecretsItem {
    /// The owner's name of a partner.
    pub fn partner_owner(provider: &Provider) -> String {
        format!("partner/{provider}")
    }

    /// The system's keys, if these are they and complete.
    pub fn system_keys(self) -> Option<app::ports::SystemKeys> {
        let click = ClickKeys::new(secrets_of(self.click_keys))?;
        Some(app::ports::SystemKeys { click, link: secrets_of(self.link_secrets) })
    }
}

pub(crate) fn secrets_of(texts: Vec<String>) -> Vec<Secret> {
    texts.into_iter().map(Secret::new).collect()
}

/// `postbacks`: one postback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostbackItem {
    /// The partition key.
    pub provider_transaction: String,
    /// The sort key.
    pub revision: String,
    /// The receipt given.
    pub receipt_id: ReceiptId,
    /// When it was received.
    pub received_at: Timestamp,
    /// Whether its click id is one of ours.
    pub click: ClickOrigin,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
    /// The parameters that meant nothing to us.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

impl PostbackItem {
    /// The partition key of a transaction. A provider has no `#`, so that no two transactions share one.
    pub fn key(provider: &Provider, transaction_id: &TransactionId) -> String {
        format!("{provider}#{transaction_id}")
    }
}

impl From<&RecordedPostback> for PostbackItem {
    fn from(recorded: &RecordedPostback) -> Self {
        let RecordedPostback { postback, receipt } = recorded;
        Self {
            provider_transaction: Self::key(&postback.provider, &receipt.transaction_id),
            revision: ORIGINAL.to_owned(),
            receipt_id: receipt.receipt_id.clone(),
            received_at: receipt.received_at,
            click: postback.click,
            content: postback.content.clone(),
            ignored: receipt.ignored.clone(),
        }
    }
}

impl TryFrom<PostbackItem> for RecordedPostback {
    type Error = String;

    fn try_from(item: PostbackItem) -> Result<Self, String> {
        if item.revision != ORIGINAL {
            return Err(format!("the revision is {:?}, not {ORIGINAL:?}", item.revision));
        }
        let (provider, transaction_id) =
            item.provider_transaction.split_once('#').ok_or_else(|| format!("{PROVIDER_TRANSACTION} has no #"))?;
        let provider = Provider::new(provider).map_err(|fault| format!("the provider {fault}"))?;
        let transaction_id =
            TransactionId::new(transaction_id).map_err(|fault| format!("the transaction id {fault}"))?;
        let receipt = Receipt {
            transaction_id: transaction_id.clone(),
            receipt_id: item.receipt_id,
            received_at: item.received_at,
            ignored: item.ignored,
        };
        let postback = Postback { provider, transaction_id, content: item.content, click: item.click };
        Ok(Self { postback, receipt })
    }
}

/// `refusals`: what was refused, or what conflicts, once a content, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalItem {
    /// The key.
    pub provider_content: String,
    /// `refusal` or `conflict`.
    pub kind: RefusalKind,
    /// The partner.
    pub provider: Provider,
    /// When it was first seen.
    pub first_received_at: Timestamp,
    /// When it was last seen.
    pub last_received_at: Timestamp,
    /// How often it was seen.
    pub times: u64,
    /// A refusal: what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// A refusal: why it was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// A conflict: the transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<TransactionId>,
    /// A conflict: what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// A conflict: where that differs from the original.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// A conflict that an operator accepted as a correction: the correction's receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Receipt>,
    /// A refusal: when it expires, in Unix seconds. A conflict has none until it is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// Which of the two a [`RefusalItem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Refused with its faults.
    Refusal,
    /// Its transaction is known with another content.
    Conflict,
}

/// `refusals`: set on the first sighting.
pub const FIRST_RECEIVED_AT: &str = "first_received_at";
/// `refusals`: counted on every sighting.
pub const TIMES: &str = "times";

impl From<&Refusal> for RefusalItem {
    fn from(refusal: &Refusal) -> Self {
        let seen = refusal.received_at;
        Self {
            provider_content: refusal.key().as_str().to_owned(),
            kind: RefusalKind::Refusal,
            provider: refusal.provider.clone(),
            first_received_at: seen,
            last_received_at: seen,
            times: 1,
            request: Some(refusal.request.clone()),
            faults: refusal.faults.clone(),
            transaction_id: None,
            content: None,
            differences: Vec::new(),
            accepted: None,
            expires_at: Some(seen.as_second() + domain::refusal::REFUSAL_KEPT_SECONDS),
        }
    }
}

impl From<&Conflict> for RefusalItem {
    fn from(conflict: &Conflict) -> Self {
        Self {
            provider_content: conflict.key().as_str().to_owned(),
            kind: RefusalKind::Conflict,
            provider: conflict.provider.clone(),
            first_received_at: conflict.received_at,
            last_received_at: conflict.received_at,
            times: 1,
            request: None,
            faults: Vec::new(),
            transaction_id: Some(conflict.transaction_id.clone()),
            content: Some(conflict.content.clone()),
            differences: conflict.differences.clone(),
            accepted: None,
            expires_at: None,
        }
    }
}

/// `clicks`: one use of a tracking link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClickItem {
    /// The key.
    pub click_id: ClickId,
    /// The partner it led to.
    pub provider: Provider,
    /// Which landing page.
    pub landing: LandingName,
    /// The GG3 user.
    pub user_id: UserId,
    /// When.
    pub clicked_at: Timestamp,
    /// When it expires, in Unix seconds.
    pub expires_at: i64,
}

/// How long a click is kept: 400 days, a year and a complaint.
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
