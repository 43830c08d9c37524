//! Records a change by an operator: its author, time, channel and reason.
//!
//! A record names none of GG3's users and no id that leads to one, so that it can stay when a person is erased. A record and
//! its change are stored together, or neither is stored. A record is never changed, and it expires as
//! its [`Operation`] says.

use alloc::collections::BTreeMap;
use core::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::prelude::*;
use crate::retention::{Expiring, Retention};
use crate::values::ids::{DeliveryId, Provider, is_invisible, text_type};

/// Bounds the name of an author, in bytes. The longest ARN has this length.
const MAX_AUTHOR_BYTES: usize = 2_048;
/// Bounds the readable name of an author, in bytes. The longest mail address has this length.
const MAX_AUTHOR_NAME_BYTES: usize = 320;
/// Bounds a reason, in bytes.
const MAX_WHY_BYTES: usize = 1_000;
/// Bounds a detail, in bytes, so that a record stays far below the 400 KB of an item.
const MAX_DETAIL_BYTES: usize = 8 * 1024;

/// Reports a text that is blank, too long, or has control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must have 1 to {max_bytes} bytes, not only blanks, and no control characters")]
pub struct TextFault {
    max_bytes: usize,
}

fn check_text(text: &str, max_bytes: usize) -> Result<(), TextFault> {
    let is_seen = text.chars().any(|sign| !sign.is_whitespace() && !is_invisible(sign));
    let legal = is_seen && text.len() <= max_bytes && !text.chars().any(char::is_control);
    if legal { Ok(()) } else { Err(TextFault { max_bytes }) }
}

fn check_author(text: &str) -> Result<(), TextFault> {
    check_text(text, MAX_AUTHOR_BYTES)
}

fn check_author_name(text: &str) -> Result<(), TextFault> {
    check_text(text, MAX_AUTHOR_NAME_BYTES)
}

fn check_why(text: &str) -> Result<(), TextFault> {
    check_text(text, MAX_WHY_BYTES)
}

text_type!(
    /// Names the author of a change: the ARN of a caller with AWS credentials, or the subject that the console's issuer
    /// gives a person.
    Author, check_author, TextFault
);
text_type!(
    /// Names an author for people: the mail address that the console's issuer tells. It may change, and another person
    /// may get it later, so only [`Author`] says who it was.
    AuthorName, check_author_name, TextFault
);
text_type!(
    /// Gives the reason for a change, in the operator's words.
    Why, check_why, TextFault
);

/// Names the tool through which an operator acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The operator uses the command `postbackctl`.
    Postbackctl,
    /// The operator uses the console.
    Console,
    /// A program uses the management API.
    Api,
    /// A newer version has recorded this channel.
    #[serde(other)]
    Unknown,
}

impl Channel {
    /// Returns the name of the tool.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postbackctl => "postbackctl",
            Self::Console => "console",
            Self::Api => "the API",
            Self::Unknown => "a tool unknown to this version",
        }
    }
}

/// Names the actions of operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Makes the keys of click ids and tracking links, which belong to no partner.
    CreateSystemKeys,
    /// Stores a new partner's configuration.
    CreatePartner,
    /// Changes a partner's configuration.
    ChangePartner,
    /// Pauses a partner's webhooks or postbacks.
    PausePartner,
    /// Ends such a pause.
    ResumePartner,
    /// Publishes the campaigns of all partners.
    PublishCampaigns,
    /// Moves secrets that were stored as one item to an item for each purpose.
    SplitSecrets,
    /// Makes a new credential, webhook secret or key of the system.
    RotateSecret,
    /// Drops all but the newest credential, webhook secret or key of the system.
    DropOldSecret,
    /// Accepts a conflict as a correction.
    AcceptConflict,
    /// Resolves a conflict in favour of the original.
    KeepOriginal,
    /// Sends a refused call again.
    ResubmitRefusal,
    /// Sends recorded conversions to GG3 again.
    ReplayConversions,
    /// Opens another round of attempts of a delivery.
    ResendDelivery,
    /// Sends dead letters to the queue where they are processed.
    RedriveDeadLetters,
    /// Writes the lookups of stored items again.
    RebuildLookups,
    /// Puts an event on the queue `gg3-events` in place of GG3's platform.
    SendEvent,
    /// Erases a person.
    ErasePerson,
    /// Makes a link with which a partner opens its portal.
    MakePortalLink,
    /// Sends a partner a test of its notices.
    TestNotices,
    /// Sends a partner's server a test webhook.
    SendTestWebhook,
    /// A newer version has recorded this action.
    #[serde(other)]
    Unknown,
}

/// Names the things that operators change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Subject {
    /// The change is to a partner's configuration or secrets.
    Partner {
        /// Names the partner.
        provider: Provider,
    },
    /// The change is to the keys that belong to no partner.
    SystemKeys,
    /// The change is to the catalogue of all partners' campaigns.
    Catalogue,
    /// The change is to a postback that contradicts a recorded one.
    Conflict {
        /// Names the partner that sent the postback.
        provider: Provider,
        /// Gives the content id.
        content_id: String,
    },
    /// The change is to a refused call.
    Refusal {
        /// Names the partner that called.
        provider: Provider,
        /// Gives the content id.
        content_id: String,
    },
    /// The change is to the conversions of some partners in a range of time.
    Conversions {
        /// Lists the partners.
        providers: Vec<Provider>,
        /// Gives the first instant of the range.
        #[serde(with = "crate::values::time::three_decimals")]
        from: Timestamp,
        /// Gives the first instant after the range.
        #[serde(with = "crate::values::time::three_decimals")]
        to: Timestamp,
    },
    /// The change is to a delivery.
    Delivery {
        /// Names the partner to which the webhook is owed.
        provider: Provider,
        /// Identifies the delivery.
        delivery_id: DeliveryId,
    },
    /// The change is to a queue.
    Queue {
        /// Holds the queue's name without the stack's name, as in `gg3-events`.
        queue: String,
    },
    /// The change is to the lookups.
    Lookups,
    /// The change is to the records of a person. The record does not name the person.
    Person,
    /// A newer version has recorded this subject.
    #[serde(other)]
    Unknown,
}

impl Subject {
    /// Returns true if the subject belongs to this partner.
    pub fn concerns(&self, wanted: &Provider) -> bool {
        match self {
            Self::Partner { provider }
            | Self::Conflict { provider, .. }
            | Self::Refusal { provider, .. }
            | Self::Delivery { provider, .. } => provider == wanted,
            Self::Conversions { providers, .. } => providers.contains(wanted),
            Self::SystemKeys | Self::Catalogue | Self::Queue { .. } | Self::Lookups | Self::Person | Self::Unknown => {
                false
            }
        }
    }
}

/// Identifies a record: its operation's 16 hexadecimal digits, and its number within the operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuditId(String);

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Holds the record of one change by an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Identifies the record.
    pub id: AuditId,
    /// Says when the change was made, to the millisecond.
    #[serde(with = "crate::values::time::three_decimals")]
    pub at: Timestamp,
    /// Names the author of the change.
    pub author: Author,
    /// Names the author for people, if more is known than [`author`](Self::author).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_name: Option<AuthorName>,
    /// Names the tool that the author used.
    pub channel: Channel,
    /// Names the action.
    pub action: Action,
    /// Names the subject of the change.
    pub subject: Subject,
    /// Gives the reason, if the operator gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Maps the names of further details to their texts. They never hold a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// Says when the record expires, in Unix seconds. A store keeps this beside the record.
    #[serde(skip)]
    pub expires_at: i64,
}

impl AuditRecord {
    /// Adds a detail. A text of more than [`MAX_DETAIL_BYTES`] bytes is cut and ends in `…`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        let mut text = value.to_string();
        if text.len() > MAX_DETAIL_BYTES {
            text.truncate(text.floor_char_boundary(MAX_DETAIL_BYTES));
            text.push('…');
        }
        self.details.insert(name.to_owned(), text);
        self
    }

    /// Returns the UTC day of the change, under which the record is stored.
    pub fn day(&self) -> Date {
        day(self.at)
    }

    /// Returns true if the record has expired. DynamoDB deletes expired records only within days, so they must be left
    /// out.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now.as_second()
    }
}

/// Returns the UTC day of an instant.
pub fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// Describes one command or request of an operator, which may make several changes.
#[derive(Debug)]
pub struct Operation {
    author: Author,
    author_name: Option<AuthorName>,
    channel: Channel,
    why: Option<Why>,
    id: [u8; 8],
    /// Says how long the records are kept.
    retention: Retention,
    /// Counts the records of this operation.
    records: AtomicU32,
}

impl Operation {
    /// Begins an operation of this author. `random` MUST be random, because it makes the ids of operations unique.
    pub fn new(author: Author, channel: Channel, why: Option<Why>, random: [u8; 8]) -> Self {
        let retention = Expiring::AuditRecord.default_retention();
        Self { author, author_name: None, channel, why, id: random, retention, records: AtomicU32::new(0) }
    }

    /// Names the author for people.
    #[must_use]
    pub fn named(self, author_name: Option<AuthorName>) -> Self {
        Self { author_name, ..self }
    }

    /// Keeps the records of this operation for this long.
    #[must_use]
    pub fn keeping_records(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Makes the record of one change. If the change is tried again, the caller must use the same record again.
    pub fn record(&self, at: Timestamp, action: Action, subject: Subject) -> AuditRecord {
        let number = self.records.fetch_add(1, Ordering::Relaxed);
        AuditRecord {
            id: AuditId(format!("{}-{number}", data_encoding::HEXLOWER.encode(&self.id))),
            at: Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at),
            author: self.author.clone(),
            author_name: self.author_name.clone(),
            channel: self.channel,
            action,
            subject,
            why: self.why.clone(),
            details: BTreeMap::new(),
            expires_at: self.retention.end(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation() -> Operation {
        let author = Author::new("arn:aws:iam::123456789012:user/jo").unwrap();
        Operation::new(author, Channel::Postbackctl, Why::new("ticket 7").ok(), [1; 8])
    }

    #[test]
    fn records_of_one_operation_share_its_id_and_differ() {
        let operation = operation();
        let ids: Vec<String> = (0..2)
            .map(|_| operation.record(Timestamp::UNIX_EPOCH, Action::PublishCampaigns, Subject::Catalogue).id.0)
            .collect();
        assert_eq!(ids, ["0101010101010101-0", "0101010101010101-1"]);
    }

    #[test]
    fn a_record_without_a_readable_name_is_read_as_before() {
        let named = operation().named(AuthorName::new("jo@gg3.example").ok());
        let record = named.record(Timestamp::UNIX_EPOCH, Action::PublishCampaigns, Subject::Catalogue);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<AuditRecord>(&text).unwrap().author_name, record.author_name);
        let old = text.replace(r#""author_name":"jo@gg3.example","#, "");
        assert_ne!(old, text);
        let read: AuditRecord = serde_json::from_str(&old).unwrap();
        assert_eq!((read.author_name, read.author), (None, record.author));
        for bad in ["", " ", "a\nb", &"x".repeat(321)] {
            assert!(AuthorName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_record_expires_as_its_operation_says() {
        let at: Timestamp = "2026-11-30T23:59:59.9999Z".parse().unwrap();
        let other = operation().keeping_records(Expiring::AuditRecord.retention(36).unwrap());
        for (operation, days) in [(operation(), 400), (other, 36)] {
            let record = operation.record(at, Action::PublishCampaigns, Subject::Catalogue);
            assert_eq!(record.day().to_string(), "2026-11-30");
            assert_eq!(record.expires_at, at.as_second() + days * 86_400);
            assert!(!record.has_expired(at) && record.has_expired(Timestamp::from_second(record.expires_at).unwrap()));
        }
    }

    #[test]
    fn records_of_newer_versions_can_be_read() {
        let record = operation().record(Timestamp::UNIX_EPOCH, Action::PublishCampaigns, Subject::Catalogue);
        let text = serde_json::to_string(&record.with("version", 3)).unwrap();
        let newer = text
            .replace("publish_campaigns", "paint_it_black")
            .replace(r#""kind":"catalogue""#, r#""kind":"wall","height":"3 m""#)
            .replace("postbackctl", "telepathy");
        let read: AuditRecord = serde_json::from_str(&newer).unwrap();
        assert_eq!((read.action, read.subject, read.channel), (Action::Unknown, Subject::Unknown, Channel::Unknown));
        assert_eq!(read.details["version"], "3");
    }

    #[test]
    fn a_reason_is_neither_blank_nor_long_nor_several_lines() {
        for bad in ["", "  ", "\u{200b}\u{a0}", "two\nlines", &"x".repeat(1_001)] {
            assert!(Why::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_detail_is_cut_between_characters() {
        let record = operation().record(Timestamp::UNIX_EPOCH, Action::PublishCampaigns, Subject::Catalogue);
        let detail = record.with("long", "é".repeat(10_000)).details.remove("long").unwrap();
        assert_eq!((detail.len(), detail.chars().last()), (MAX_DETAIL_BYTES + '…'.len_utf8(), Some('…')));
    }
}
