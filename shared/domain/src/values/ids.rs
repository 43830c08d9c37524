//! Defines a type for each kind of identifier, so that a click id cannot be passed where a user id is meant.
//!
//! Every value was parsed and is valid. Identifiers are compared byte by byte, never trimmed or case-folded.

use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::digest::{base32, digest_parts};
use crate::prelude::*;

/// Bounds an identifier from outside, in bytes of UTF-8.
///
/// The ids of all trackers that we know fit: the longest click ids have around 200 characters. With this bound, the
/// item of a postback usually has at most 1 KB, which is one DynamoDB write unit.
pub const MAX_ID_BYTES: usize = 255;

/// Says why a text cannot be an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdFault {
    /// The text is empty or only white space.
    #[error("is empty")]
    Blank,
    /// The text has more than [`MAX_ID_BYTES`] bytes.
    #[error("has {bytes} bytes, more than {MAX_ID_BYTES}")]
    TooLong {
        /// Counts the bytes of the text.
        bytes: usize,
    },
    /// The text has a control character, such as a line break, or one of the two characters that SQS refuses.
    #[error("has a control character")]
    Control,
}

fn check_id(text: &str) -> Result<(), IdFault> {
    if text.trim().is_empty() {
        return Err(IdFault::Blank);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdFault::TooLong { bytes: text.len() });
    }
    // SQS refuses messages with U+FFFE or U+FFFF. An id with them could be recorded but never passed on.
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(IdFault::Control);
    }
    Ok(())
}

/// Reports a text that is not a slug: `[a-z0-9][a-z0-9-]{0,62}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be 1 to 63 characters of a-z, 0-9 and -, and must not begin with -")]
pub struct SlugFault;

fn check_slug(text: &str) -> Result<(), SlugFault> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let first = text.bytes().next().is_some_and(legal);
    let rest = text.bytes().all(|byte| legal(byte) || byte == b'-');
    if first && rest && text.len() <= 63 { Ok(()) } else { Err(SlugFault) }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:path, $fault:ty) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the text as it is.
            pub fn new(text: impl Into<String>) -> Result<Self, $fault> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// Returns the text exactly as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $fault;
            fn try_from(text: String) -> Result<Self, $fault> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    };
}

pub(crate) use text_type;

text_type!(
    /// Holds a partner's name in URLs and messages: `[a-z0-9][a-z0-9-]{0,62}`.
    Provider, check_slug, SlugFault
);
text_type!(
    /// Holds the name of a landing page in a partner's configuration: a slug like [`Provider`].
    LandingName, check_slug, SlugFault
);
text_type!(
    /// Identifies a GG3 user. It has 1 to 255 bytes and no control characters.
    UserId, check_id, IdFault
);
text_type!(
    /// Identifies one use of a tracking link. [`crate::inbound::click`] describes the ids that we make. Other ids have
    /// 1 to 255 bytes and no control characters.
    ClickId, check_id, IdFault
);
text_type!(
    /// Holds the partner's own identifier of a transaction, unique within the partner for ever. It has 1 to 255 bytes.
    TransactionId, check_id, IdFault
);
text_type!(
    /// Identifies an event of a multi-event campaign. It has 1 to 255 bytes.
    EventId, check_id, IdFault
);
text_type!(
    /// Holds the event's name for people. It has 1 to 255 bytes.
    EventName, check_id, IdFault
);
text_type!(
    /// Identifies an event that GG3 reports on the queue `gg3-events`. It has 1 to 255 bytes.
    ///
    /// It differs from an [`EventId`], which a partner gives to an event of its own campaign.
    ReportId, check_id, IdFault
);
text_type!(
    /// Holds the partner's own id of a user, as in the partner's tracking link. It is never GG3's own [`UserId`].
    PartnerUserId, check_id, IdFault
);
text_type!(
    /// Identifies one of GG3's main quests. It has 1 to 255 bytes.
    QuestId, check_id, IdFault
);
text_type!(
    /// Holds a campaign's name, unique within its partner for ever: a slug like [`Provider`].
    CampaignName, check_slug, SlugFault
);
text_type!(
    /// Holds the name of the reached goal in a webhook. It has 1 to 255 bytes.
    EventLabel, check_id, IdFault
);
text_type!(
    /// Identifies a receipt: 26 characters of lower-case base 32, which encode 128 random bits.
    ReceiptId, check_id, IdFault
);

text_type!(
    /// Identifies a delivery in our tables and as the `webhook-id` of all its attempts: 32 characters of lower-case
    /// base 32. [`DeliveryId::of`] makes it.
    DeliveryId, check_id, IdFault
);
text_type!(
    /// Distinguishes the chains of messages of one delivery: 13 characters of lower-case base 32, which encode 64
    /// random bits.
    ///
    /// It is stored in every item, so it is short. It must be unique only within one attempt of one delivery.
    ChainTicket, check_id, IdFault
);
text_type!(
    /// Distinguishes the claims of different workers under the same ticket. A new mark is made for each received
    /// message.
    ClaimMark, check_id, IdFault
);

impl DeliveryId {
    /// Returns the id of the delivery that is owed to this partner when this GG3 user reaches this campaign's goal.
    ///
    /// The id is derived, not random. If the same goal is evaluated again, after a crash or in parallel, the id is the
    /// same. A delivery is put only if its id is absent, so there is only one delivery per participant and campaign.
    /// Campaign names are never reused, so the id stays valid for ever. The parts are length-prefixed, so no two
    /// deliveries hash the same text. The id has 160 bits of SHA-256.
    pub fn of(provider: &Provider, campaign: &CampaignName, participant: &UserId) -> Self {
        Self(base32(&digest_parts("delivery", &[provider.as_str(), campaign.as_str(), participant.as_str()])[..20]))
    }
}

impl ChainTicket {
    /// Makes a ticket of these random bytes.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(base32(&bytes))
    }
}

impl ClaimMark {
    /// Makes a mark of these random bytes.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(base32(&bytes))
    }
}

impl ReceiptId {
    /// Makes a receipt id of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(base32(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_has_1_to_63_letters_and_begins_without_a_dash() {
        for good in ["a", "0", "acme", "a-b", "acme-2", "a--", &"x".repeat(63)] {
            assert!(Provider::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "acme_1", "a.b", "a/b", "ä", " a", &"x".repeat(64)] {
            assert_eq!(Provider::new(bad), Err(SlugFault), "{bad}");
        }
    }

    #[test]
    fn an_id_is_bounded_and_kept_byte_by_byte() {
        assert_eq!(UserId::new(" x ").unwrap().as_str(), " x ");
        assert_eq!(UserId::new("   "), Err(IdFault::Blank));
        for unsendable in ["a\nb", "a\0", "a\u{85}", "\u{fffe}", "x\u{ffff}"] {
            assert_eq!(UserId::new(unsendable), Err(IdFault::Control), "{unsendable:?}");
        }
        assert!(UserId::new("é".repeat(127)).is_ok());
        assert_eq!(UserId::new("é".repeat(128)), Err(IdFault::TooLong { bytes: 256 }));
    }

    #[test]
    fn a_delivery_id_is_reproducible_and_unique() {
        let id = |provider: &str, campaign: &str, participant: &str| {
            let names = (Provider::new(provider).unwrap(), CampaignName::new(campaign).unwrap());
            DeliveryId::of(&names.0, &names.1, &UserId::new(participant).unwrap())
        };
        // Ids are stored for ever. If this text changed, every `webhook-id` would change.
        assert_eq!(id("acme", "welcome", "gg3-42").as_str(), "potx6mqsd6xcwr7blml5wt3ncxhye4ed");
        assert_ne!(id("acme", "welcome", "gg3-42"), id("acme", "welcome", "gg3-43"));
        assert_ne!(id("a", "bc", "d"), id("ab", "c", "d"));
        assert_ne!(id("a", "b", "cd"), id("a", "bc", "d"));
    }
}
