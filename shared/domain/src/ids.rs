//! Identifiers, one type each, so that a click id cannot be passed where a user id is meant.
//!
//! A value that exists is valid: the only way in is a parse. Identifiers that partners choose are compared byte by
//! byte, never trimmed, never case-folded.

use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{prelude::*, refusal::digest_parts};

/// The longest identifier accepted from outside, in bytes of UTF-8.
///
/// Long enough for every tracker we know (the longest click ids are around 200 characters), and short enough that a
/// postback's item usually stays within 1 KB, which is one DynamoDB write unit.
pub const MAX_ID_BYTES: usize = 255;

/// Why a text cannot be an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdFault {
    /// Nothing there, or nothing but white space.
    #[error("is empty")]
    Blank,
    /// More than [`MAX_ID_BYTES`] bytes.
    #[error("has {bytes} bytes, more than {MAX_ID_BYTES}")]
    TooLong {
        /// How many bytes it has.
        bytes: usize,
    },
    /// A control character, such as a line break, or one of the two that no SQS message can carry.
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
    // U+FFFE and U+FFFF are no characters, and SQS refuses a message that has one: an id with them could be recorded
    // but never passed on.
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(IdFault::Control);
    }
    Ok(())
}

/// A text is not a slug: `[a-z0-9][a-z0-9-]{0,62}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be 1 to 63 of a-z, 0-9 and -, not beginning with -")]
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
            /// Parses the text, as it is.
            pub fn new(text: impl Into<String>) -> Result<Self, $fault> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// The text, exactly as it was parsed.
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
    /// The name of a partner on the wire: `[a-z0-9][a-z0-9-]{0,62}`.
    Provider, check_slug, SlugFault
);
text_type!(
    /// The name of a landing page in a partner's configuration: a slug like [`Provider`].
    LandingName, check_slug, SlugFault
);
text_type!(
    /// Who did it: GG3's identifier inbound, the partner's outbound. 1 to 255 bytes, no control characters.
    UserId, check_id, IdFault
);
text_type!(
    /// One use of a tracking link. Ours have a form of their own ([`crate::click`]), others' are any text of 1 to 255
    /// bytes without control characters.
    ClickId, check_id, IdFault
);
text_type!(
    /// The partner's own identifier of what happened, unique within the partner, for ever. 1 to 255 bytes.
    TransactionId, check_id, IdFault
);
text_type!(
    /// Which event of a multi-event campaign. 1 to 255 bytes.
    EventId, check_id, IdFault
);
text_type!(
    /// What that event is called, for people. 1 to 255 bytes.
    EventName, check_id, IdFault
);
text_type!(
    /// What one of GG3's own events is called, on the queue `gg3-events`. 1 to 255 bytes.
    ///
    /// Not an [`EventId`], which is a partner's word for one of its own.
    ReportId, check_id, IdFault
);
text_type!(
    /// A partner's name for one of its users, as its tracking link brings it to GG3: never GG3's own [`UserId`].
    PartnerUserId, check_id, IdFault
);
text_type!(
    /// One of GG3's main quests. 1 to 255 bytes.
    QuestId, check_id, IdFault
);
text_type!(
    /// The name of a campaign, unique within its partner for ever: a slug like [`Provider`].
    CampaignName, check_slug, SlugFault
);
text_type!(
    /// What a webhook calls the goal that was reached. 1 to 255 bytes.
    EventLabel, check_id, IdFault
);
text_type!(
    /// What a receipt is called by: 26 characters of lower-case base 32, 128 random bits.
    ReceiptId, check_id, IdFault
);

text_type!(
    /// What a delivery is called, in our tables and as the `webhook-id` of all its attempts: 32 characters of
    /// lower-case base 32. Made by [`DeliveryId::of`].
    DeliveryId, check_id, IdFault
);
text_type!(
    /// Tells the chains of messages of one delivery apart: 13 characters of lower-case base 32, 64 random bits.
    ///
    /// It need not be unique beyond one attempt of one delivery, and it stands in every item: so it is short.
    Ticket, check_id, IdFault
);
text_type!(
    /// Tells one worker's claim from another's under the same ticket: made afresh for each message received.
    Mark, check_id, IdFault
);

impl DeliveryId {
    /// The delivery owed to this partner for this participant, a GG3 user, reaching this campaign's goal.
    ///
    /// Derived, not drawn: whoever evaluates the same goal again, after a crash or beside another, arrives at the same
    /// id, so that putting the delivery if absent is all that "once per participant and campaign" needs. Campaigns'
    /// names are never used again, so it is the same for ever. Its parts are length-prefixed: no two deliveries share
    /// a text. 160 bits of SHA-256.
    pub fn of(provider: &Provider, campaign: &CampaignName, participant: &UserId) -> Self {
        Self(base32(&digest_parts("delivery", &[provider.as_str(), campaign.as_str(), participant.as_str()])[..20]))
    }
}

impl Ticket {
    /// A ticket of these random bytes.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(base32(&bytes))
    }
}

impl Mark {
    /// A mark of these random bytes.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(base32(&bytes))
    }
}

impl ReceiptId {
    /// A receipt id of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(base32(&bytes))
    }
}

/// Lower-case RFC 4648 base 32 without padding: survives trackers that fold case, and is one word to a double click.
pub(crate) fn base32(bytes: &[u8]) -> String {
    data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_one_to_sixty_three_of_its_letters_and_does_not_begin_with_a_dash() {
        for good in ["a", "0", "acme", "a-b", "acme-2", "a--", &"x".repeat(63)] {
            assert!(Provider::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "acme_1", "a.b", "a/b", "ä", " a", &"x".repeat(64)] {
            assert_eq!(Provider::new(bad), Err(SlugFault), "{bad}");
        }
    }

    #[test]
    fn an_id_is_kept_byte_by_byte_and_bounded() {
        assert_eq!(UserId::new(" x ").unwrap().as_str(), " x ");
        assert_eq!(UserId::new("   "), Err(IdFault::Blank));
        for unsendable in ["a\nb", "a\0", "a\u{85}", "\u{fffe}", "x\u{ffff}"] {
            assert_eq!(UserId::new(unsendable), Err(IdFault::Control), "{unsendable:?}");
        }
        assert!(UserId::new("é".repeat(127)).is_ok());
        assert_eq!(UserId::new("é".repeat(128)), Err(IdFault::TooLong { bytes: 256 }));
    }

    #[test]
    fn a_delivery_is_called_the_same_by_whoever_works_it_out_and_no_two_share_a_name() {
        let id = |provider: &str, campaign: &str, participant: &str| {
            let names = (Provider::new(provider).unwrap(), CampaignName::new(campaign).unwrap());
            DeliveryId::of(&names.0, &names.1, &UserId::new(participant).unwrap())
        };
        // Stored for ever: a change of this text is a change of every webhook-id.
        assert_eq!(id("acme", "welcome", "gg3-42").as_str(), "potx6mqsd6xcwr7blml5wt3ncxhye4ed");
        assert_ne!(id("acme", "welcome", "gg3-42"), id("acme", "welcome", "gg3-43"));
        assert_ne!(id("a", "bc", "d"), id("ab", "c", "d"));
        assert_ne!(id("a", "b", "cd"), id("a", "bc", "d"));
    }
}
