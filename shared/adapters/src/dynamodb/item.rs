//! Names every table's keys and attributes once.
//!
//! | table | key | written by |
//! |---|---|---|
//! | `partners` | `provider` | `postbackctl` |
//! | `secrets` | `owner`: `system`, or `partner/` and a provider | `postbackctl` |
//! | `postbacks` | `provider_transaction`: provider, `#`, transaction id; `revision`: `original`, or `correction-` and six digits | `postback`; corrections `postbackctl` |
//! | `refusals` | `provider_content`: provider, `#`, hash of the content | `postback`; `postbackctl` resolves |
//! | `clicks` | `click_id` | `click` |
//! | `catalogue` | `part`: `current`, or a chunk's version, digest and number | `postbackctl` |
//! | `lookups` | `subject`: what is looked up by, `#`, its shard; `place`: when, what and its key. Subjects `heartbeat` and `rebuild`: how far the entries of the table `place` reach, and a rebuild is | `lookup-writer`, `postbackctl` |
//! | `participants` | `user_id` | `event-evaluator` |
//! | `deliveries` | `delivery_id`; index `under_way`: `under_way_shard`, `under_way_since`; index `failed`: `failed_shard`, `failed_at` | `event-evaluator` puts them, `webhook-sender`, `delivery-sweep` and `postbackctl` change them |
//! | `attempts` | `delivery_id`; `attempt`: round and number | `webhook-sender`, `postbackctl` |
//! | `audit` | `day`: the UTC date; `at_and_id`: the instant to the millisecond, `#`, the record's id | `postbackctl` |

pub mod lookups;
pub mod media_buying;

use domain::{
    audit::AuditRecord,
    inbound::{
        click::{Click, ClickOrigin},
        conversion::{Receipt, RecordedPostback},
        correction::{Correction, Revision},
        postback::{Content, Postback},
    },
    jiff::{Timestamp, ToSpan},
    values::{
        ids::{ClickId, EventId, EventName, LandingName, Provider, ReceiptId, TransactionId, UserId},
        money::{Amount, Currency},
        signature::Secret,
    },
};
use serde::{Deserialize, Serialize};

/// Names the key of `partners`.
pub const PROVIDER: &str = "provider";
/// Names the version in `partners` and other tables, so that two operators cannot overwrite each other's changes.
pub const VERSION: &str = "version";
/// Names the key of `secrets`.
pub const OWNER: &str = "owner";
pub use app::ports::SYSTEM_OWNER;
/// Names the partition key of `postbacks`.
pub const PROVIDER_TRANSACTION: &str = "provider_transaction";
/// Names the sort key of `postbacks`.
pub const REVISION: &str = "revision";
/// Holds the sort key in `postbacks` of the original postback.
pub const ORIGINAL: &str = "original";
/// Begins the sort key in `postbacks` of a correction. Its number follows, always in the same number of digits.
pub const CORRECTION_PREFIX: &str = "correction-";
/// Names the key of `refusals`.
pub const PROVIDER_CONTENT: &str = "provider_content";
/// Names the key of `clicks`.
pub const CLICK_ID: &str = "click_id";
/// Names the partition key of `audit`.
pub const DAY: &str = "day";
/// Names the sort key of `audit`.
pub const AT_AND_ID: &str = "at_and_id";

/// `partners`: one partner. `secrets`: one owner's secrets. `refusals`: one refusal or conflict. Their fields are the
/// attributes.
pub use app::ports::{
    RefusalKind, StoredPartner as PartnerItem, StoredRefusal as RefusalItem, StoredSecrets as SecretsItem,
};

pub(crate) fn secrets_of(texts: Vec<String>) -> Vec<Secret> {
    texts.into_iter().map(Secret::new).collect()
}

/// Holds one postback in `postbacks`.
///
/// It lists the fields of [`Content`], because `#[serde(flatten)]` would read every attribute of a frequent item twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostbackItem {
    /// Holds the partition key.
    pub provider_transaction: String,
    /// Holds the sort key.
    pub revision: String,
    /// Holds the receipt that was given.
    pub receipt_id: ReceiptId,
    /// Says when the postback was received.
    pub received_at: Timestamp,
    /// Says whether the click id is one of ours.
    pub click: ClickOrigin,
    /// Names the GG3 user.
    pub user_id: UserId,
    /// Identifies the click that brought the user.
    pub click_id: ClickId,
    /// Names the currency of the amount.
    pub currency: Currency,
    /// Holds the exact amount.
    pub amount_decimal: Amount,
    /// Identifies the event of a multi-event campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Names that event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<EventName>,
    /// Lists the parameters that we do not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Holds the original's receipt, only in a correction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_receipt_id: Option<ReceiptId>,
    /// Says when an operator accepted it, only in a correction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_at: Option<Timestamp>,
}

impl PostbackItem {
    /// Returns the partition key of a transaction. A provider has no `#`, so no two transactions share a key.
    pub fn key(provider: &Provider, transaction_id: &TransactionId) -> String {
        format!("{provider}#{transaction_id}")
    }

    /// Returns the content.
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
