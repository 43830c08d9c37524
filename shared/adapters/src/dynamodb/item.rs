//! Every table's keys and attributes, named once.
//!
//! | table | key | written by |
//! |---|---|---|
//! | `partners` | `provider` | `postbackctl` |
//! | `secrets` | `owner`: `system`, or `partner/` and a provider | `postbackctl` |
//! | `postbacks` | `provider_transaction`: provider, `#`, transaction id; `revision`: `original`, or `correction-` and six digits | `postback`; corrections `postbackctl` |
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

use std::{fmt, net::IpAddr};

use domain::{
    audit::AuditRecord,
    click::{Click, ClickKeys, ClickOrigin},
    conversion::{Receipt, RecordedPostback},
    correction::{Correction, Revision},
    credential::{CredentialKind, Credentials, TokenHash},
    fault::Fault,
    ids::{ClickId, EventId, EventName, LandingName, Provider, ReceiptId, TransactionId, UserId},
    jiff::{Timestamp, ToSpan},
    money::{Amount, Currency},
    partner::{Partner, PartnerFile},
    postback::{Content, Difference, Postback},
    refusal::{Conflict, ContentKey, REFUSAL_KEPT_SECONDS, Refusal},
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
/// `postbacks`: what the sort key of a correction begins with; its number follows, in as many digits always.
pub const CORRECTION_PREFIX: &str = "correction-";
/// `refusals`: its key.
pub const PROVIDER_CONTENT: &str = "provider_content";
/// `clicks`: its key.
pub const CLICK_ID: &str = "click_id";
/// `audit`: its partition key.
pub const DAY: &str = "day";
/// `audit`: its sort key.
pub const AT_AND_ID: &str = "at_and_id";

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
    /// What the operator wrote. Why it cannot be read is told without quoting it: URLs of webhooks stand in it, and the
    /// reason in logs.
    pub fn file(&self) -> Result<PartnerFile, String> {
        let fault = |fault: serde_json::Error| {
            format!("{:?} error at line {}, column {}", fault.classify(), fault.line(), fault.column())
        };
        serde_json::from_str(&self.file).map_err(fault)
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

/// Whose they are, and no secret.
impl fmt::Debug for SecretsItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsItem").field("owner", &self.owner).finish_non_exhaustive()
    }
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
///
/// What it says is not a [`Content`] with `#[serde(flatten)]`, which reads every attribute twice, and each is a duplicate's
/// and the relay's to read.
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
    /// The GG3 user.
    pub user_id: UserId,
    /// The click that brought the user.
    pub click_id: ClickId,
    /// The currency of the amount.
    pub currency: Currency,
    /// The amount, exact.
    pub amount_decimal: Amount,
    /// Which event of a multi-event campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// What that event is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<EventName>,
    /// The parameters that meant nothing to us.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// A correction: the receipt of the original.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_receipt_id: Option<ReceiptId>,
    /// A correction: when an operator accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_at: Option<Timestamp>,
}

impl PostbackItem {
    /// The partition key of a transaction. A provider has no `#`, so that no two transactions share one.
    pub fn key(provider: &Provider, transaction_id: &TransactionId) -> String {
        format!("{provider}#{transaction_id}")
    }

    /// What it says.
    pub fn content(&self) -> Content {
        let Self { user_id, click_id, currency, amount_decimal, event_id, event_name, .. } = self.clone();
        Content { user_id, click_id, currency, amount_decimal, event_id, event_name }
    }
}

impl From<&RecordedPostback> for PostbackItem {
    fn from(recorded: &RecordedPostback) -> Self {
        let RecordedPostback { postback, receipt } = recorded;
        let Content { user_id, click_id, currency, amount_decimal, event_id, event_name } = postback.content.clone();
        Self {
            provider_transaction: Self::key(&postback.provider, &receipt.transaction_id),
            revision: ORIGINAL.to_owned(),
            receipt_id: receipt.receipt_id.clone(),
            received_at: receipt.received_at,
            click: postback.click,
            user_id,
            click_id,
            currency,
            amount_decimal,
            event_id,
            event_name,
            ignored: receipt.ignored.clone(),
            original_receipt_id: None,
            corrected_at: None,
        }
    }
}

impl From<&Correction> for PostbackItem {
    fn from(correction: &Correction) -> Self {
        let Correction { postback, receipt, original_receipt_id, number, corrected_at } = correction;
        let recorded = RecordedPostback { postback: postback.clone(), receipt: receipt.clone() };
        Self {
            revision: format!("{CORRECTION_PREFIX}{number:06}"),
            original_receipt_id: Some(original_receipt_id.clone()),
            corrected_at: Some(*corrected_at),
            ..Self::from(&recorded)
        }
    }
}

impl From<&Revision> for PostbackItem {
    fn from(revision: &Revision) -> Self {
        match revision {
            Revision::Original(recorded) => recorded.into(),
            Revision::Correction(correction) => correction.into(),
        }
    }
}

impl TryFrom<PostbackItem> for Revision {
    type Error = String;

    fn try_from(item: PostbackItem) -> Result<Self, String> {
        let Some(number) = item.revision.strip_prefix(CORRECTION_PREFIX) else {
            return RecordedPostback::try_from(item).map(Self::Original);
        };
        let number = number.parse().map_err(|_| format!("the revision is {:?}", item.revision))?;
        let (original, corrected_at) = (item.original_receipt_id.clone(), item.corrected_at);
        let original_receipt_id = original.ok_or("a correction without original_receipt_id")?;
        let corrected_at = corrected_at.ok_or("a correction without corrected_at")?;
        let recorded = RecordedPostback::try_from(PostbackItem { revision: ORIGINAL.to_owned(), ..item })?;
        let RecordedPostback { postback, receipt } = recorded;
        Ok(Self::Correction(Correction { postback, receipt, original_receipt_id, number, corrected_at }))
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
        let PostbackItem { user_id, click_id, currency, amount_decimal, event_id, event_name, .. } = item;
        let content = Content { user_id, click_id, currency, amount_decimal, event_id, event_name };
        let postback = Postback { provider, transaction_id, content, click: item.click };
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
    /// A refusal: where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// A refusal: the user that it names, as far as that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// A refusal: the click that it names, as far as that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<ClickId>,
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
    /// A conflict that an operator accepted as a correction: the correction's receipt. A refusal that was sent again and
    /// recorded: its receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Receipt>,
    /// When that was. An accepted conflict never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// A conflict whose original an operator kept: when. The same content again makes it an open one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_kept_at: Option<Timestamp>,
    /// A refusal, or a conflict whose original was kept: when it expires, in Unix seconds.
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
/// `refusals`: the receipt of an accepted conflict, or of a refusal that was sent again and recorded.
pub const ACCEPTED: &str = "accepted";
/// `refusals`: when that was.
pub const ACCEPTED_AT: &str = "accepted_at";
/// `refusals`: when a conflict's original was kept.
pub const ORIGINAL_KEPT_AT: &str = "original_kept_at";
/// `refusals`, `clicks`, `audit`: the time to live.
pub const EXPIRES_AT: &str = "expires_at";

impl RefusalItem {
    /// Whether it has expired, though it may still be there: DynamoDB deletes within days.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now.as_second())
    }

    /// Whether it is a conflict that nobody has resolved.
    pub fn is_open(&self) -> bool {
        self.kind == RefusalKind::Conflict && self.accepted.is_none() && self.original_kept_at.is_none()
    }
}

impl TryFrom<RefusalItem> for Conflict {
    type Error = String;

    fn try_from(item: RefusalItem) -> Result<Self, String> {
        let transaction_id = item.transaction_id.ok_or("a conflict without transaction_id")?;
        let content = item.content.ok_or("a conflict without content")?;
        let (provider, differences, received_at) = (item.provider, item.differences, item.first_received_at);
        Ok(Self { provider, transaction_id, content, differences, received_at })
    }
}

impl RefusalItem {
    /// Returns what a refusal and a conflict have in common when they are first seen.
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
            differences: conflict.differences.clone(),
            ..Self::seen(RefusalKind::Conflict, &conflict.provider, &conflict.key(), conflict.received_at)
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

impl From<ClickItem> for Click {
    fn from(item: ClickItem) -> Self {
        let ClickItem { click_id, provider, landing, user_id, clicked_at, .. } = item;
        Self { click_id, provider, landing, user_id, clicked_at }
    }
}

/// `audit`: the record of one change by an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditItem {
    /// The partition key.
    pub day: String,
    /// The sort key.
    pub at_and_id: String,
    /// The record.
    #[serde(flatten)]
    pub record: AuditRecord,
    /// When it expires, in Unix seconds.
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
