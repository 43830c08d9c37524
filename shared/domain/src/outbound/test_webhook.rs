//! Limits how often a partner's server gets a test webhook, so that nobody lets us hammer a host.

use jiff::{SignedDuration, Timestamp};

use crate::prelude::*;
use crate::values::ids::Provider;

/// Sets how many permits for test webhooks a partner has, whoever asks for the tests.
pub const PERMITS: u8 = 3;
/// Sets how long a test webhook uses its permit. A partner's server gets at most [`PERMITS`] tests in this time.
pub const PERMIT_LASTS: SignedDuration = SignedDuration::from_mins(1);

/// Holds a permit for a test webhook while it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestPermit {
    /// Holds the key under which the permit is stored: `test#`, the partner, `#` and the permit's number.
    pub key: String,
    /// Says from when another test may use the permit, in Unix seconds.
    pub expires_at: i64,
}

impl TestPermit {
    /// Returns the permits of a partner as they are while a test uses them that begins now.
    pub fn of(provider: &Provider, now: Timestamp) -> impl Iterator<Item = Self> {
        let expires_at = now.as_second().saturating_add(PERMIT_LASTS.as_secs());
        (0..PERMITS).map(move |number| Self { key: format!("test#{provider}#{number}"), expires_at })
    }

    /// Returns true if another test may use the permit. A permit that was never stored is free too.
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.expires_at <= now.as_second()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_is_used_for_a_minute() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let permits: Vec<TestPermit> = TestPermit::of(&Provider::new("acme").unwrap(), at(100)).collect();
        assert_eq!(
            permits.iter().map(|it| &*it.key).collect::<Vec<_>>(),
            ["test#acme#0", "test#acme#1", "test#acme#2"]
        );
        assert!(permits.iter().all(|permit| !permit.is_free(at(159)) && permit.is_free(at(160))));
    }
}
