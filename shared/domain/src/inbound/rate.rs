//! Bounds how often a partner may call.
//!
//! A [`Bucket`] holds tokens of one partner. It starts full, fills by `per_second` tokens a second up to `burst`, and each
//! call takes tokens from it. All arithmetic is exact, in billionths of a token.

use core::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::prelude::*;
use crate::values::config_fault::Faults;

const PER_SECOND: u32 = 100;
const MOST_PER_SECOND: u32 = 10_000;
const MOST_BURST: u32 = 100_000;
/// Gives the default burst, in seconds of the rate.
const BURST_SECONDS: u32 = 10;
/// Gives the parts of a token, as many as a second has nanoseconds.
const TOKEN: i128 = 1_000_000_000;
/// Gives the burst of calls without a good credential, in seconds of their rate.
const STRANGERS_BURST_SECONDS: u32 = 60;

/// Holds a partner's rate as an operator writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateFile {
    /// Gives the calls a second that are answered for any length of time, 1 to 10,000. The default is 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// Gives the calls that are answered at once after a pause, from `per_second` to 100,000. The default is ten times
    /// `per_second`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

/// Holds the rate of a partner's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRate {
    per_second: u32,
    burst: u32,
}

impl Default for CallRate {
    fn default() -> Self {
        Self { per_second: PER_SECOND, burst: PER_SECOND * BURST_SECONDS }
    }
}

impl CallRate {
    /// Returns the rate of calls without a good credential from one address: so many a second for any length of time,
    /// and those of a minute at once.
    pub fn of_strangers(per_second: NonZeroU32) -> Self {
        let per_second = per_second.get();
        Self { per_second, burst: per_second.saturating_mul(STRANGERS_BURST_SECONDS) }
    }

    /// Reads a rate and reports numbers that are out of bounds.
    pub(crate) fn parse(file: RateFile, faults: &mut Faults) -> Self {
        let per_second = file.per_second.unwrap_or(PER_SECOND);
        let burst = file.burst.unwrap_or(per_second.saturating_mul(BURST_SECONDS));
        let legal = (1..=MOST_PER_SECOND).contains(&per_second);
        faults.require(legal, "postback.rate.per_second", "must be from 1 to 10000");
        // A burst below the rate would refuse a partner that sends the calls of one second together.
        if legal && !(per_second..=MOST_BURST).contains(&burst) {
            faults.add("postback.rate.burst", format!("must be from per_second, {per_second}, to {MOST_BURST}"));
        }
        Self { per_second, burst }
    }
}

/// Holds the tokens that a partner has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    parts: i128,
    /// The latest instant at which the bucket was filled.
    filled_at: Timestamp,
}

impl Bucket {
    /// Returns a bucket that is full, whatever the rate is.
    pub fn full(now: Timestamp) -> Self {
        Self { parts: i128::from(u32::MAX) * TOKEN, filled_at: now }
    }

    /// Takes the tokens of one call. The call takes `share` tokens, so that as many buckets together keep to the rate.
    ///
    /// # Errors
    ///
    /// Takes nothing if too few tokens are left, and returns the whole seconds, at least 1, until there are enough.
    pub fn take(&mut self, rate: CallRate, share: NonZeroU32, now: Timestamp) -> Result<(), u32> {
        let call = i128::from(share.get()) * TOKEN;
        let per_second = i128::from(rate.per_second);
        // A clock that goes back fills nothing, and fills nothing twice when it goes on.
        let elapsed = (now.as_nanosecond() - self.filled_at.as_nanosecond()).max(0);
        let most = i128::from(rate.burst.max(share.get())) * TOKEN;
        self.parts = (self.parts + elapsed * per_second).min(most);
        self.filled_at = self.filled_at.max(now);
        if self.parts >= call {
            self.parts -= call;
            return Ok(());
        }
        let a_second = per_second * TOKEN;
        let seconds = (call - self.parts + a_second - 1) / a_second;
        Err(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALONE: NonZeroU32 = NonZeroU32::MIN;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn parsed(per_second: Option<u32>, burst: Option<u32>) -> Result<CallRate, Vec<String>> {
        let mut faults = Faults::default();
        let rate = CallRate::parse(RateFile { per_second, burst }, &mut faults);
        if faults.0.is_empty() { Ok(rate) } else { Err(faults.0.into_iter().map(|fault| fault.path).collect()) }
    }

    #[test]
    fn a_rate_has_defaults_and_bounds() {
        assert_eq!(parsed(None, None), Ok(CallRate { per_second: 100, burst: 1000 }));
        assert_eq!(parsed(None, None), Ok(CallRate::default()));
        assert_eq!(parsed(Some(5), None), Ok(CallRate { per_second: 5, burst: 50 }));
        for (per_second, burst) in [(1, 1), (10_000, 10_000), (10_000, 100_000)] {
            assert_eq!(parsed(Some(per_second), Some(burst)), Ok(CallRate { per_second, burst }));
        }
        for (per_second, burst, fault) in [
            (Some(0), None, "per_second"),
            (Some(10_001), None, "per_second"),
            (Some(u32::MAX), Some(0), "per_second"),
            (None, Some(99), "burst"),
            (Some(1), Some(0), "burst"),
            (Some(1), Some(100_001), "burst"),
        ] {
            assert_eq!(parsed(per_second, burst), Err([format!("postback.rate.{fault}")].into()));
        }
    }

    #[test]
    fn a_refused_call_is_told_when_one_is_allowed() {
        let rate = CallRate { per_second: 2, burst: 2 };
        for (share, wait, until) in [(1, 1, 500), (2, 1, 1000), (7, 4, 3500)] {
            let share = NonZeroU32::new(share).unwrap();
            let mut bucket = Bucket::full(at(0));
            while bucket.take(rate, share, at(0)).is_ok() {}
            assert_eq!(bucket.take(rate, share, at(0)), Err(wait));
            assert_eq!(bucket.take(rate, share, at(until - 1)), Err(1));
            assert_eq!(bucket.take(rate, share, at(until)), Ok(()));
        }
    }

    #[test]
    fn a_lowered_rate_applies_to_a_bucket_that_was_full() {
        let mut bucket = Bucket::full(at(0));
        assert_eq!(bucket.take(CallRate::default(), ALONE, at(0)), Ok(()));
        let lowered = CallRate { per_second: 1, burst: 1 };
        assert_eq!(bucket.take(lowered, ALONE, at(0)), Ok(()));
        assert_eq!(bucket.take(lowered, ALONE, at(0)), Err(1));
    }

    proptest! {
        /// A call is refused exactly if it would make some span of time hold more than the burst and the rate of the span.
        /// Therefore a partner never gets more, and a partner within its rate is never refused.
        #[test]
        fn a_bucket_answers_exactly_the_rate(
            (per_second, burst) in (1_u32..50).prop_flat_map(|rate| (Just(rate), rate..100)),
            share in 1_u32..5,
            gaps in prop::collection::vec(prop_oneof![Just(0_i64), 0_i64..40, 0_i64..3000], 1..300),
        ) {
            let (rate, tokens) = (CallRate { per_second, burst }, NonZeroU32::new(share).unwrap());
            let mut bucket = Bucket::full(at(0));
            let (mut now, mut answered) = (0, Vec::<i64>::new());
            for gap in gaps {
                now += gap;
                let most = |since: i64| i64::from(burst.max(share)) * 1000 + i64::from(per_second) * (now - since);
                let within = answered.iter().rev().zip(2_i64..).all(|(&since, calls)| {
                    calls * i64::from(share) * 1000 <= most(since)
                });
                match bucket.take(rate, tokens, at(now)) {
                    Ok(()) => {
                        prop_assert!(within);
                        answered.push(now);
                    }
                    Err(seconds) => {
                        prop_assert!(!within && seconds >= 1);
                        let later = at(now + i64::from(seconds) * 1000);
                        prop_assert!(bucket.clone().take(rate, tokens, later).is_ok());
                    }
                }
            }
        }

        #[test]
        fn a_clock_that_jumps_gives_no_more_than_its_span(
            instants in prop::collection::vec(0_i64..5000, 1..200),
        ) {
            let rate = CallRate { per_second: 3, burst: 4 };
            let mut bucket = Bucket::full(at(instants[0]));
            let answered = instants.iter().filter(|now| bucket.take(rate, ALONE, at(**now)).is_ok()).count();
            let span = instants.iter().max().unwrap() - instants[0];
            prop_assert!(i64::try_from(answered).unwrap() * 1000 <= 4000 + 3 * span);
        }
    }
}
