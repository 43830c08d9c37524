//! Instants to the millisecond: what media buying compares, keeps and sends.

use core::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An instant in Unix milliseconds; stored as that number, shown as RFC 3339.
///
/// Everything that is compared is cut to the millisecond in the same way when it is read, so that what was stored and
/// read again still compares as it did. Arithmetic stops at the ends rather than wrapping: no date from outside can
/// make it overflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// The instant of these Unix milliseconds.
    pub fn from_millisecond(millisecond: i64) -> Self {
        Self(millisecond)
    }

    /// Unix milliseconds.
    pub fn as_millisecond(self) -> i64 {
        self.0
    }

    /// As a timestamp; what lies outside its range becomes its nearest end.
    pub fn timestamp(self) -> Timestamp {
        let end = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Timestamp::from_millisecond(self.0).unwrap_or(end)
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This much earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.timestamp(), f)
    }
}

impl fmt::Debug for Moment {
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
        fn no_instant_and_no_duration_overflow(millisecond: i64, seconds: u64) {
            let moment = Moment::from_millisecond(millisecond);
            let duration = Duration::from_secs(seconds);
            prop_assert!(moment.minus(duration) <= moment && moment <= moment.plus(duration));
            prop_assert!(!moment.to_string().is_empty());
        }

        #[test]
        fn cutting_to_the_millisecond_keeps_the_order(a in -4_000_000_000_000_000_000i64..4_000_000_000_000_000_000, b in -4_000_000_000_000_000_000i64..4_000_000_000_000_000_000) {
            let [a, b] = [a, b].map(|nanosecond| Timestamp::from_nanosecond(nanosecond.into()).unwrap());
            prop_assert!(a > b || Moment::from(a) <= Moment::from(b));
        }
    }
}
