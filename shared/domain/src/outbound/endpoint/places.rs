//! Gives webhooks that must not go out all at once their places in time.

use core::time::Duration;

use super::{Endpoint, EndpointPolicy, MOST_PER_SECOND};
use crate::outbound::retry::MAX_HOP_SECONDS;
use crate::values::time::UnixMillis;

/// Gives the rate in the first minute after an endpoint is up again, in webhooks a second. It doubles each minute.
const FIRST_RATE: u32 = 10;
/// Gives the time between two steps of the rising rate.
const STEP: Duration = Duration::from_mins(1);
/// Gives the time after which the rising rate no longer applies.
const RISES_FOR: Duration = Duration::from_hours(1);
/// Gives the span in which webhooks go out at once, so that a place within it needs no wait.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Limits the webhooks to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    until: UnixMillis,
}

/// Holds places in a row, which a worker has reserved. Instants are microseconds of the Unix epoch, because places are
/// closer together than milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Gives the first place, in microseconds.
    pub first: i64,
    /// Gives the time between two places, in microseconds.
    pub step: i64,
}

/// Says when a webhook may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The webhook may go out now.
    Now,
    /// The webhook may go out from this instant.
    At(UnixMillis),
}

impl Rate {
    /// Returns the webhooks a second.
    pub fn per_second(self) -> u32 {
        self.per_second
    }

    /// Returns the time between two places, in microseconds.
    pub fn step(self) -> i64 {
        (1_000_000 + i64::from(self.per_second) - 1) / i64::from(self.per_second.max(1))
    }

    /// Returns the instant before which places may be reserved: when the rate changes, or as far ahead as a message can
    /// be delayed.
    pub fn until(self) -> UnixMillis {
        self.until
    }
}

impl Places {
    /// Returns the place of this number, from 0.
    pub fn place(self, number: u32, now: UnixMillis) -> Place {
        let micros = self.first.saturating_add(self.step.saturating_mul(number.into()));
        // Rounded up, so that no place is early.
        let at = UnixMillis::from_millisecond(micros.saturating_add(999).div_euclid(1000));
        if at <= now.plus(AT_ONCE) { Place::Now } else { Place::At(at) }
    }
}

impl Endpoint {
    /// Returns the limit that holds now, if there is one. After an endpoint that was held is up again, the rate is 10 a
    /// second and doubles each minute, up to the partner's `max_rate` or 500. After an hour, only `max_rate` holds.
    pub fn rate(&self, policy: EndpointPolicy, now: UnixMillis) -> Option<Rate> {
        let ahead = now.plus(Duration::from_secs(MAX_HOP_SECONDS.into()));
        let most = policy.max_rate.unwrap_or(MOST_PER_SECOND);
        let recovered_at = self.recovered_at.filter(|_| policy.hold_while_down);
        let rising = recovered_at.filter(|at| now < at.plus(RISES_FOR));
        let Some(recovered_at) = rising else {
            return policy.max_rate.map(|per_second| Rate { per_second, until: ahead });
        };
        let steps = (now.as_millisecond() - recovered_at.as_millisecond()).max(0) / 60_000;
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        let per_second = 2_u32.checked_pow(steps).map_or(u32::MAX, |times| FIRST_RATE.saturating_mul(times));
        if per_second >= most {
            return Some(Rate { per_second: most, until: ahead });
        }
        let changes_at = recovered_at.plus(STEP.saturating_mul(steps.saturating_add(1)));
        Some(Rate { per_second, until: changes_at.min(ahead) })
    }
}
