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

/// Writes an instant as RFC 3339 in UTC with exactly three decimals of a second, so that programs need to read only one
/// form, and texts sort like instants. Reads any RFC 3339.
pub mod three_decimals {
    use core::fmt;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes an instant that may have further decimals, which are cut.
    pub fn serialize<S: Serializer>(at: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{at:.3}"))
    }

    /// Reads an instant with any number of decimals.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }

    /// Does the same for an instant that may be absent.
    pub mod option {
        use core::fmt;

        use serde::{Deserialize, Deserializer, Serializer};

        /// Writes the instant if there is one.
        pub fn serialize<S: Serializer>(at: &Option<impl fmt::Display>, serializer: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => serializer.collect_str(&format_args!("{at:.3}")),
                None => serializer.serialize_none(),
            }
        }

        /// Reads the instant if there is one.
        pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
            deserializer: D,
        ) -> Result<Option<T>, D::Error> {
            Option::deserialize(deserializer)
        }
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

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Shown {
        #[serde(with = "three_decimals")]
        at: Timestamp,
        #[serde(default, with = "three_decimals::option")]
        end: Option<Timestamp>,
    }

    #[test]
    fn an_instant_is_shown_with_three_decimals() {
        for (read, shown) in [("00Z", "00.000Z"), ("00.5Z", "00.500Z"), ("00.275Z", "00.275Z"), ("00.2759Z", "00.275Z")]
        {
            let [read, shown] = [read, shown].map(|second| std::format!("2026-11-23T21:33:{second}"));
            let both: Shown = serde_json::from_value(serde_json::json!({"at": read, "end": read})).unwrap();
            assert_eq!(serde_json::to_value(&both).unwrap(), serde_json::json!({"at": shown, "end": shown}));
        }
        let open: Shown = serde_json::from_value(serde_json::json!({"at": "2026-11-23T21:33:00Z"})).unwrap();
        assert_eq!(serde_json::to_value(&open).unwrap()["end"], serde_json::Value::Null);
    }

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
