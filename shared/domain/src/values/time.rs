//! Holds instants to the millisecond. Media buying uses them for everything that it compares, stores and sends.

use core::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Holds an instant in Unix milliseconds. It is stored as a number and shown in RFC 3339.
///
/// Every instant is cut to the millisecond when it is read, so that comparisons give the same result before and after
/// storage. Arithmetic saturates, so no date from outside can cause an overflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(i64);

impl UnixMillis {
    /// Makes the instant of these Unix milliseconds.
    pub fn from_millisecond(millisecond: i64) -> Self {
        Self(millisecond)
    }

    /// Returns the Unix milliseconds.
    pub fn as_millisecond(self) -> i64 {
        self.0
    }

    /// Converts the instant to a timestamp. An instant outside the range of timestamps becomes the first or the last
    /// timestamp.
    pub fn timestamp(self) -> Timestamp {
        let end = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_millisecond(self.0).unwrap_or(end)
    }

    /// Returns the instant this much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// Returns the instant this much earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<Timestamp> for UnixMillis {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.timestamp(), f)
    }
}

impl fmt::Debug for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arithmetic_never_overflows(millisecond: i64, seconds: u64) {
            let moment = UnixMillis::from_millisecond(millisecond);
            let duration = Duration::from_secs(seconds);
            prop_assert!(moment.minus(duration) <= moment && moment <= moment.plus(duration));
            prop_assert!(!moment.to_string().is_empty());
        }

        #[test]
        fn cutting_to_the_millisecond_keeps_the_order(a in -4_000_000_000_000_000_000i64..4_000_000_000_000_000_000, b in -4_000_000_000_000_000_000i64..4_000_000_000_000_000_000) {
            let [a, b] = [a, b].map(|nanosecond| Timestamp::from_nanosecond(nanosecond.into()).unwrap());
            prop_assert!(a > b || UnixMillis::from(a) <= UnixMillis::from(b));
        }
    }
}
