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
use crate::values::config_fault::Faults;
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

    /// Returns the time of the click if we made this click id for this user at this partner, or `None` if the click id
    /// is foreign. The click id itself holds the time.
    pub fn clicked_at(&self, provider: &Provider, user_id: &UserId, click_id: &ClickId) -> Option<Timestamp> {
        let text = click_id.as_str();
        let folded = text.bytes().all(|byte| !byte.is_ascii_uppercase());
        let bytes = data_encoding::BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).unwrap_or_default();
        let (made, given) = bytes.split_at_checked(TIME + RANDOM)?;
        let mut equal = subtle::Choice::from(0);
        for key in &self.0 {
            equal |= truncated_mac(key, provider, user_id, made).ct_eq(given);
        }
        if !folded || !bool::from(equal) {
            return None;
        }
        let millis = made.iter().take(TIME).fold(0_i64, |millis, byte| (millis << 8) | i64::from(*byte));
        Timestamp::from_millisecond(millis).ok()
    }

    /// Says whether we made this click id for this user at this partner.
    pub fn origin(&self, provider: &Provider, user_id: &UserId, click_id: &ClickId) -> ClickOrigin {
        ClickOrigin::of(self.clicked_at(provider, user_id, click_id))
    }
}

/// Holds the agreement about click ids that we made, as an operator writes it. It does not concern foreign click ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClickRule {
    /// Refuses a new transaction that comes more than this many days after the click.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_days: Option<u32>,
    /// Lets a click be used by one transaction only for each event.
    #[serde(default)]
    pub once_per_event: bool,
}

/// Bounds [`ClickRule::valid_days`]: ten years.
const MOST_VALID_DAYS: u32 = 3_650;
const DAY_SECONDS: i64 = 24 * 60 * 60;

impl ClickRule {
    /// Reports a number of days that is out of bounds.
    pub(crate) fn check(self, faults: &mut Faults) {
        let legal = self.valid_days.is_none_or(|days| (1..=MOST_VALID_DAYS).contains(&days));
        faults.require(legal, "postback.click.valid_days", "must be from 1 to 3650");
    }

    /// Returns true if a click of this time is too old to pay now.
    pub fn has_expired(self, clicked_at: Timestamp, now: Timestamp) -> bool {
        let age = now.as_second().saturating_sub(clicked_at.as_second());
        self.valid_days.is_some_and(|days| age > i64::from(days) * DAY_SECONDS)
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

impl ClickOrigin {
    /// Returns the origin of a click id with this time of the click.
    pub fn of(clicked_at: Option<Timestamp>) -> Self {
        if clicked_at.is_some() { Self::Verified } else { Self::Foreign }
    }
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
            prop_assert_eq!(keys(&["k"]).clicked_at(&acme, &user, &made), Some(now));
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
    #[test]
    fn a_click_is_valid_to_the_second_and_for_ever_by_default() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let rule = ClickRule { valid_days: Some(2), once_per_event: false };
        for (age, has_expired) in [(-5, false), (0, false), (2 * DAY_SECONDS, false), (2 * DAY_SECONDS + 1, true)] {
            assert_eq!(rule.has_expired(at(1_000), at(1_000 + age)), has_expired, "{age}");
            assert!(!ClickRule::default().has_expired(at(1_000), at(1_000 + age)));
        }
    }
}
