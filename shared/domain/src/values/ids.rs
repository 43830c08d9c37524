//! Defines a type for each kind of identifier, so that a click id cannot be passed where a user id is meant.
//!
//! Every value was parsed and is valid. Identifiers are compared byte by byte, never trimmed or case-folded.

use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::digest::{base32, digest_parts, provider_key, provider_of_key};
use crate::prelude::*;

/// Bounds an identifier from outside, in bytes of UTF-8.
///
/// The ids of all trackers that we know fit: the longest click ids have around 200 characters. With this bound, the
/// item of a postback usually has at most 1 KB, which is one DynamoDB write unit.
pub const MAX_ID_BYTES: usize = 255;

/// Says why a text cannot be an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdFault {
    /// The text is empty, or only white space and invisible signs.
    #[error("is empty")]
    Blank,
    /// The text begins with white space or an invisible sign.
    #[error("begins with {}", told(*.0))]
    Begins(char),
    /// The text ends with white space or an invisible sign.
    #[error("ends with {}", told(*.0))]
    Ends(char),
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

/// Checks an id that comes from outside. Two ids that differ only in white space or invisible signs around them look
/// the same to people, and a tracker's template often adds such signs, so ids have none.
fn check_id(text: &str) -> Result<(), IdFault> {
    check_stored_id(text)?;
    if text.chars().all(is_invisible) {
        return Err(IdFault::Blank);
    }
    match (text.chars().next(), text.chars().next_back()) {
        (Some(first), _) if is_invisible(first) => Err(IdFault::Begins(first)),
        (_, Some(last)) if is_invisible(last) && !is_of_sign_before(text, last) => Err(IdFault::Ends(last)),
        _ => Ok(()),
    }
}

/// Checks an id that was stored or comes from GG3's own platform. Ids were stored before [`check_id`] refused white
/// space around them.
fn check_stored_id(text: &str) -> Result<(), IdFault> {
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

/// Returns true for white space and for characters that are not displayed: Unicode's `White_Space` and
/// `Default_Ignorable_Code_Point`, the empty Braille pattern, and the marks of annotations.
pub(crate) fn is_invisible(sign: char) -> bool {
    sign.is_whitespace()
        || matches!(
            sign,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Returns true for a variation selector that belongs to the sign before it, as at the end of many emoji.
fn is_of_sign_before(text: &str, last: char) -> bool {
    let before = text.chars().rev().nth(1);
    matches!(last, '\u{fe00}'..='\u{fe0f}') && before.is_some_and(|sign| !sign.is_ascii() && !is_invisible(sign))
}

/// Names an invisible character for people.
fn told(sign: char) -> String {
    let name = match sign {
        ' ' => " (a blank)",
        '\u{a0}' => " (a no-break space)",
        '\u{200b}' => " (a zero-width space)",
        '\u{feff}' => " (a byte order mark)",
        _ => "",
    };
    format!("U+{:04X}{name}", u32::from(sign))
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
    ($(#[$doc:meta])* $name:ident, check_id, $fault:ty) => {
        text_type!($(#[$doc])* $name, check_id, check_stored_id, $fault);
    };
    ($(#[$doc:meta])* $name:ident, $check:path, $fault:ty) => {
        text_type!($(#[$doc])* $name, $check, $check, $fault);
    };
    ($(#[$doc:meta])* $name:ident, $check:path, $check_stored:path, $fault:ty) => {
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
            /// Reads a text that was stored, perhaps before the present rules, or that GG3's platform sent.
            fn try_from(text: String) -> Result<Self, $fault> {
                $check_stored(&text)?;
                Ok(Self(text))
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

/// Begins an id that takes the place of an erased one. The hash of the erased id follows.
const ERASED: &str = "erased-";

/// Returns the hash of the erased id if this is the id that took its place.
pub(crate) fn erased_hash(id: &str) -> Option<&str> {
    let is_hash = |hash: &&str| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.strip_prefix(ERASED).filter(is_hash)
}

macro_rules! erasable {
    ($($name:ident),*) => { $(
        impl $name {
            /// Returns the id that takes the place of an erased one with this hash.
            pub(crate) fn erased(hash: &str) -> Self {
                Self(format!("{ERASED}{hash}"))
            }
        }
    )* };
}

erasable!(UserId, ClickId, PartnerUserId);

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

/// Identifies a partner's transaction in our tables: the provider, `#`, and a SHA-256 in hex.
///
/// The transaction id cannot be read from it, so that the key can stay when the id is erased.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionKey(String);

impl TransactionKey {
    /// Returns the key of a partner's transaction. The hashed parts are length-prefixed, so no two transactions hash the
    /// same text.
    pub fn of(provider: &Provider, transaction_id: &TransactionId) -> Self {
        Self(provider_key(provider, "transaction", &[provider.as_str(), transaction_id.as_str()]))
    }

    /// Returns the text of the key, where a transaction id is needed that is erased or cannot be read.
    pub fn to_id(&self) -> TransactionId {
        TransactionId(self.0.clone())
    }

    /// Parses the text of a key.
    pub fn parse(text: &str) -> Option<Self> {
        provider_of_key(text).map(|_| Self(text.to_owned()))
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
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
        assert_eq!(UserId::new("x  y").unwrap().as_str(), "x  y");
        for blank in ["", "   ", "\u{200b}", "\u{feff} "] {
            assert_eq!(UserId::new(blank), Err(IdFault::Blank));
        }
        for unsendable in ["a\nb", "a\0", "a\u{85}", "\u{fffe}", "x\u{ffff}"] {
            assert_eq!(UserId::new(unsendable), Err(IdFault::Control), "{unsendable:?}");
        }
        assert!(UserId::new("é".repeat(127)).is_ok());
        assert_eq!(UserId::new("é".repeat(128)), Err(IdFault::TooLong { bytes: 256 }));
    }

    #[test]
    fn an_id_has_nothing_invisible_around_it() {
        for sign in [' ', '\u{a0}', '\u{200b}', '\u{feff}', '\u{2060}', '\u{3000}', '\u{ad}', '\u{fe0f}', '\u{2800}'] {
            assert_eq!(TransactionId::new(format!("{sign}T")), Err(IdFault::Begins(sign)));
            assert_eq!(TransactionId::new(format!("T{sign}")), Err(IdFault::Ends(sign)));
            assert!(TransactionId::new(format!("T{sign}T")).is_ok());
            // Ids that were stored before the rule stay readable.
            assert_eq!(TransactionId::try_from(format!("T{sign}")).unwrap().as_str(), format!("T{sign}"));
        }
        assert!(EventName::new("Purchase \u{2764}\u{fe0f}").is_ok());
        let fault = TransactionId::new("T\u{200b}").unwrap_err();
        assert_eq!(fault.to_string(), "ends with U+200B (a zero-width space)");
    }

    #[test]
    fn a_transaction_key_is_reproducible_and_unique() {
        let key = |provider: &str, id: &str| {
            TransactionKey::of(&Provider::new(provider).unwrap(), &TransactionId::new(id).unwrap())
        };
        // Keys are stored for ever. If this text changed, recorded transactions would be recorded again.
        let known = "acme#f9267bff54122cd005385ebf12fdd7b68e1671e5d263295e331d286b0bd0d184";
        assert_eq!(key("acme", "123123123").as_str(), known);
        assert_eq!(TransactionKey::parse(known), Some(key("acme", "123123123")));
        let hashes = [key("a", "bc"), key("ab", "c"), key("b", "bc")];
        let hashes: std::collections::BTreeSet<_> = hashes.iter().map(|key| key.as_str().split_once('#')).collect();
        assert_eq!(hashes.len(), 3);
        for other in ["", "acme", "acme#1", &known.to_uppercase(), &format!("{known}0"), &known.replace("acme", "")] {
            assert_eq!(TransactionKey::parse(other), None, "{other}");
        }
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
