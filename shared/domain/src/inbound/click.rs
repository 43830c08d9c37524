//! Makes click ids that the function `postback` can verify without reading from a store.
//!
//! A click id has 25 bytes, written as 40 characters of lower-case base 32: 6 bytes of time (Unix milliseconds), 9
//! random bytes, and the first 10 bytes of an HMAC over partner, user, time and random bytes.

use core::fmt;

use hmac::Mac;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::prelude::*;
use crate::values::digest::base32;
use crate::values::ids::{ClickId, LandingName, Provider, UserId};
use crate::values::signature::Secret;

const TIME: usize = 6;
const RANDOM: usize = 9;
const MAC: usize = 10;

/// Holds the keys of click ids. The first key is the newest and makes click ids; all keys verify them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickKeys(Vec<Secret>);

impl ClickKeys {
    /// Takes these keys. Returns `None` if there are none, because no click id could be made.
    pub fn new(keys: Vec<Secret>) -> Option<Self> {
        if keys.is_empty() { None } else { Some(Self(keys)) }
    }

    /// Makes a fresh click id for this user at this partner.
    pub fn mint(&self, provider: &Provider, user_id: &UserId, now: Timestamp, random: [u8; RANDOM]) -> ClickId {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default().to_be_bytes();
        let mut bytes = Vec::with_capacity(TIME + RANDOM + MAC);
        bytes.extend(millis.into_iter().skip(8 - TIME));
        bytes.extend(random);
        if let Some(newest) = self.0.first() {
            let mac = truncated_mac(newest, provider, user_id, &bytes);
            bytes.extend(mac);
        }
        ClickId::new(base32(&bytes)).unwrap_or_else(|_| unreachable!("40 letters and digits are a click id"))
    }

    /// Says whether we made this click id for this user at this partner.
    pub fn origin(&self, provider: &Provider, user_id: &UserId, click_id: &ClickId) -> ClickOrigin {
        let text = click_id.as_str();
        let folded = text.bytes().all(|byte| !byte.is_ascii_uppercase());
        let bytes = data_encoding::BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).unwrap_or_default();
        let Some((made, given)) = bytes.split_at_checked(TIME + RANDOM) else {
            return ClickOrigin::Foreign;
        };
        let mut equal = subtle::Choice::from(0);
        for key in &self.0 {
            equal |= truncated_mac(key, provider, user_id, made).ct_eq(given);
        }
        if folded && bool::from(equal) { ClickOrigin::Verified } else { ClickOrigin::Foreign }
    }
}

fn truncated_mac(key: &Secret, provider: &Provider, user_id: &UserId, made: &[u8]) -> Vec<u8> {
    // The message is unambiguous: a provider has no 0 byte, a user id has no control character, and the rest has a
    // fixed length.
    let message = [b"click\0", provider.as_str().as_bytes(), b"\0", user_id.as_str().as_bytes(), b"\0", made].concat();
    key.mac(&message).finalize().into_bytes().into_iter().take(MAC).collect()
}

/// Says whether a conversion's click id is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClickOrigin {
    /// We made the click id for this user at this partner.
    Verified,
    /// The click id is not ours, or belongs to another user or partner.
    Foreign,
}

impl fmt::Display for ClickOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::Foreign => "foreign",
        })
    }
}

/// Records one use of a tracking link towards a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Click {
    /// Identifies the click.
    pub click_id: ClickId,
    /// Names the partner whose landing page the link led to.
    pub provider: Provider,
    /// Names the landing page.
    pub landing: LandingName,
    /// Identifies the GG3 user who clicked.
    pub user_id: UserId,
    /// Says when the user clicked.
    pub clicked_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(names: &[&str]) -> ClickKeys {
        ClickKeys::new(names.iter().map(|name| Secret::new(*name)).collect()).unwrap()
    }

    fn id<T>(parsed: Result<T, impl fmt::Debug>) -> T {
        parsed.unwrap()
    }

    proptest! {
        #[test]
        fn a_click_id_verifies_for_its_own_user_and_partner_only(random: [u8; 9], millis in 0i64..4_000_000_000_000, user in "[a-z0-9]{1,20}", other in "[a-z0-9]{1,20}") {
            let now = Timestamp::from_millisecond(millis).unwrap();
            let (acme, globex) = (id(Provider::new("acme")), id(Provider::new("globex")));
            let (user, other) = (id(UserId::new(user)), id(UserId::new(other)));
            let made = keys(&["k"]).mint(&acme, &user, now, random);
            prop_assert_eq!(made.as_str().len(), 40);
            prop_assert_eq!(keys(&["k"]).origin(&acme, &user, &made), ClickOrigin::Verified);
            prop_assert_eq!(keys(&["new", "k"]).origin(&acme, &user, &made), ClickOrigin::Verified);
            prop_assert_eq!(keys(&["new"]).origin(&acme, &user, &made), ClickOrigin::Foreign);
            prop_assert_eq!(keys(&["k"]).origin(&globex, &user, &made), ClickOrigin::Foreign);
            prop_assert_eq!(keys(&["k"]).origin(&acme, &other, &made) == ClickOrigin::Verified, user == other);
            let shouted = id(ClickId::new(made.as_str().to_uppercase()));
            prop_assert_eq!(keys(&["k"]).origin(&acme, &user, &shouted) == ClickOrigin::Verified, shouted == made);
        }

        #[test]
        fn an_invented_click_id_is_foreign(text in "[ -~]{1,60}") {
            prop_assume!(!text.trim().is_empty());
            let origin = keys(&["k"]).origin(&id(Provider::new("acme")), &id(UserId::new("u")), &id(ClickId::try_from(text)));
            prop_assert_eq!(origin, ClickOrigin::Foreign);
        }
    }
}
