//! Holds the health of an endpoint: one host to which a partner's webhooks go.
//!
//! An endpoint is up until an attempt fails. It is then suspected. It is down once several deliveries have failed over
//! more than a minute without a success between, and up again after one success. Every method returns the endpoint to
//! store, or nothing if nothing changes, so that an endpoint costs one conditional write a transition.
//!
//! By default, health is only shown. A partner's file can ask for more ([`EndpointPolicy`]): `hold_while_down` lets
//! deliveries wait while the endpoint is suspected or down, except for one trial at a time, and sends what waited at a
//! [`rising rate`](Endpoint::rate). `max_rate` limits the webhooks a second at all times.

mod places;
mod policy;

use core::time::Duration;

use serde::{Deserialize, Serialize};

pub use places::{Place, Places, Rate};
pub use policy::{EndpointPolicy, MOST_PER_SECOND};

use crate::outbound::attempt::{AttemptOutcome, Verdict};
use crate::outbound::retry::{ATTEMPTS, MAX_HOP_SECONDS, MAX_RETRY_AFTER};
use crate::prelude::*;
use crate::values::ids::DeliveryId;
use crate::values::time::UnixMillis;

/// Counts the deliveries that must have failed before an endpoint is down.
pub const FAILED_DELIVERIES: usize = 3;
/// Says how long a worker may use an endpoint that it has read.
pub const FRESH: Duration = Duration::from_secs(15);
/// Gives the time between the failure that made an endpoint suspected and the one that makes it down. It is a minute and
/// [`FRESH`]: every worker then knows for a whole minute that a success would have to be reported.
pub const DOWN_AFTER: Duration = Duration::from_secs(75);
/// Gives the time between two trials of an endpoint that is suspected.
const BETWEEN_TRIALS: Duration = Duration::from_secs(5);
/// Gives the time after which somebody must have made a trial that was possible. A message that waits is looked at every
/// 15 minutes, so after twice that time none is left, and waiting for a trial would be waiting for ever.
const TRIED_WITHIN: Duration = Duration::from_mins(30);
/// Gives the shortest delay of a message that waits for an endpoint, in seconds.
const SHORTEST_WAIT_SECONDS: i64 = 5;

/// Holds the health of one endpoint. Its serialized form is the stored form, except the key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    #[serde(default)]
    version: u64,
    #[serde(default)]
    health: Health,
    /// Says when the endpoint was last up again after it had been down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovered_at: Option<UnixMillis>,
}

/// Says if an endpoint takes webhooks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The endpoint takes webhooks, or nothing is known of it.
    #[default]
    Up,
    /// An attempt has failed since the last success.
    Suspected {
        /// Says when that attempt failed.
        since: UnixMillis,
        /// Lists the deliveries that have failed since, at most [`FAILED_DELIVERIES`].
        failed: Vec<DeliveryId>,
        /// Says from when the next trial may be made.
        trial_from: UnixMillis,
    },
    /// Several deliveries have failed over more than a minute.
    Down {
        /// Says when the first of these attempts failed.
        since: UnixMillis,
        /// Says when the failure came that made the endpoint down.
        noticed_at: UnixMillis,
        /// Says in words how that attempt failed. It names no URL and no value.
        fault: String,
        /// Says from when the next trial may be made.
        trial_from: UnixMillis,
    },
}

/// Describes what an attempt showed of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Identifies the delivery.
    pub delivery_id: DeliveryId,
    /// Says how the attempt ended.
    pub outcome: AttemptOutcome,
    /// Says when the attempt ended.
    pub at: UnixMillis,
}

impl Observation {
    /// Returns true if the attempt failed, so that the webhook must be sent again.
    pub fn is_failure(&self) -> bool {
        self.outcome.verdict() == Verdict::Failed
    }
}

/// Names a change of an endpoint's health that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// The endpoint has gone down.
    Down,
    /// The endpoint is up again.
    Up,
}

impl Transition {
    /// Returns the transition's name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// Says if an attempt may be made at an endpoint whose partner holds webhooks back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The endpoint is up.
    Open,
    /// The attempt may be made as a trial once this endpoint is stored.
    Trial(Endpoint),
    /// The message must wait.
    Held,
}

impl Endpoint {
    /// Returns the number of changes. It is zero for an endpoint that was never stored.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the health.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Returns since when the endpoint is down.
    pub fn down_since(&self) -> Option<UnixMillis> {
        match self.health {
            Health::Down { since, .. } => Some(since),
            Health::Up | Health::Suspected { .. } => None,
        }
    }

    /// Returns when the endpoint was last up again after it had been down.
    pub fn recovered_at(&self) -> Option<UnixMillis> {
        self.recovered_at
    }

    /// Returns the endpoint after this attempt, or `None` if the attempt changes nothing. An answer of 410 is one of
    /// the answers that were agreed, so it shows a working server like a 2xx. An attempt that could not be sent shows
    /// nothing.
    pub fn after(&self, seen: &Observation) -> Option<Self> {
        match seen.outcome.verdict() {
            Verdict::Delivered | Verdict::Gone => self.after_success(seen.at),
            Verdict::Failed => self.after_failure(seen),
            Verdict::Unsendable => None,
        }
    }

    /// Returns the endpoint after these attempts, in the order in which they ended, or `None` if they change nothing. The
    /// version grows by one however many they are.
    pub fn after_all<'a>(&self, seen: impl IntoIterator<Item = &'a Observation>) -> Option<Self> {
        let after = seen
            .into_iter()
            .fold(None, |endpoint: Option<Self>, seen| endpoint.as_ref().unwrap_or(self).after(seen).or(endpoint))?;
        let news = after.health != self.health || after.recovered_at != self.recovered_at;
        news.then(|| Self { version: self.version.saturating_add(1), ..after })
    }

    fn after_success(&self, at: UnixMillis) -> Option<Self> {
        match self.health {
            // The attempt ended before the first of the failures.
            Health::Suspected { since, .. } | Health::Down { since, .. } if at < since => None,
            Health::Suspected { .. } => Some(self.with(Health::Up)),
            Health::Down { .. } => Some(Self { recovered_at: Some(at), ..self.with(Health::Up) }),
            Health::Up => None,
        }
    }

    fn after_failure(&self, seen: &Observation) -> Option<Self> {
        match &self.health {
            // The attempt ended before the success that made the endpoint up again.
            Health::Up if self.recovered_at.is_some_and(|recovered_at| seen.at < recovered_at) => None,
            Health::Up => {
                let failed = [seen.delivery_id.clone()].into();
                Some(self.with(Health::Suspected { since: seen.at, failed, trial_from: seen.at }))
            }
            Health::Suspected { since, failed, trial_from } => {
                let mut failed = failed.clone();
                let news = failed.len() < FAILED_DELIVERIES && !failed.contains(&seen.delivery_id);
                if news {
                    failed.push(seen.delivery_id.clone());
                }
                let (since, trial_from) = (*since, *trial_from);
                if failed.len() >= FAILED_DELIVERIES && since.plus(DOWN_AFTER) <= seen.at {
                    let fault = seen.outcome.to_string();
                    return Some(self.with(Health::Down { since, noticed_at: seen.at, fault, trial_from: seen.at }));
                }
                news.then(|| self.with(Health::Suspected { since, failed, trial_from }))
            }
            Health::Down { .. } => None,
        }
    }

    /// Returns what people are told if this endpoint replaces another one.
    pub fn transition_from(&self, before: &Self) -> Option<Transition> {
        match (before.down_since(), self.down_since()) {
            (None, Some(_)) => Some(Transition::Down),
            (Some(_), None) => Some(Transition::Up),
            _ => None,
        }
    }

    /// Says if an attempt may be made now. `n` numbers the attempt within its round, and `between_trials` is the time
    /// between two trials of an endpoint that is down.
    ///
    /// The last attempt of a round waits six hours longer than others before it is a trial, so that a delivery is not
    /// exhausted while another one can be tried.
    pub fn admit(&self, n: u8, between_trials: Duration, now: UnixMillis) -> Admission {
        match &self.health {
            Health::Up => Admission::Open,
            Health::Suspected { trial_from, .. } if now < *trial_from => Admission::Held,
            Health::Suspected { .. } => Admission::Trial(self.with_trial_from(now.plus(BETWEEN_TRIALS))),
            Health::Down { trial_from, .. } => {
                let patience = if n >= ATTEMPTS { MAX_RETRY_AFTER } else { Duration::ZERO };
                if now < trial_from.plus(patience) {
                    return Admission::Held;
                }
                Admission::Trial(self.with_trial_from(now.plus(between_trials.max(BETWEEN_TRIALS))))
            }
        }
    }

    /// Returns true if the endpoint is suspected or down and somebody tries it, so that deliveries wait for the result.
    pub fn is_tried(&self, now: UnixMillis) -> bool {
        match self.health {
            Health::Up => false,
            Health::Suspected { trial_from, .. } | Health::Down { trial_from, .. } => {
                now < trial_from.plus(TRIED_WITHIN)
            }
        }
    }

    /// Returns the endpoint with the trial given back, because no attempt was made, or `None` if there is none to give
    /// back.
    pub fn without_trial(&self, now: UnixMillis) -> Option<Self> {
        match self.health {
            Health::Up => None,
            Health::Suspected { trial_from, .. } | Health::Down { trial_from, .. } => {
                (now < trial_from).then(|| self.with_trial_from(now))
            }
        }
    }

    fn with_trial_from(&self, from: UnixMillis) -> Self {
        let mut health = self.health.clone();
        if let Health::Suspected { trial_from, .. } | Health::Down { trial_from, .. } = &mut health {
            *trial_from = from;
        }
        self.with(health)
    }

    fn with(&self, health: Health) -> Self {
        Self { version: self.version.saturating_add(1), health, recovered_at: self.recovered_at }
    }
}

/// Returns the delay in seconds after which a message that waits for its endpoint is looked at again, 5 to 900. A
/// message that has been due for long waits longer, half as long again, so that a long wait costs few messages.
pub fn wait_seconds(due_at: UnixMillis, now: UnixMillis) -> u16 {
    let overdue = now.as_millisecond().saturating_sub(due_at.as_millisecond()) / 1000;
    let seconds = (overdue / 2).clamp(SHORTEST_WAIT_SECONDS, MAX_HOP_SECONDS.into());
    u16::try_from(seconds).unwrap_or(MAX_HOP_SECONDS)
}

/// Counts what one worker has seen of an endpoint since it started. It decides which failures are worth a read or a
/// write, so that an endpoint that fails now and then costs neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Run {
    failures: u32,
    succeeded_at: Option<UnixMillis>,
}

impl Run {
    /// Gives the failures in a row that are worth a write whatever was before.
    const IN_A_ROW: u32 = 5;
    /// Gives the time for which a success makes single failures unsuspicious.
    const AFTER_SUCCESS: Duration = Duration::from_secs(10);

    /// Adds an attempt.
    pub fn add(&mut self, seen: &Observation) {
        match seen.outcome.verdict() {
            Verdict::Delivered | Verdict::Gone => *self = Self { failures: 0, succeeded_at: Some(seen.at) },
            Verdict::Failed => self.failures = self.failures.saturating_add(1),
            Verdict::Unsendable => {}
        }
    }

    /// Returns true if the last attempts failed, and not only now and then.
    pub fn is_suspicious(&self, now: UnixMillis) -> bool {
        let succeeded_lately = self.succeeded_at.is_some_and(|at| now <= at.plus(Self::AFTER_SUCCESS));
        self.failures >= Self::IN_A_ROW || (self.failures > 0 && !succeeded_lately)
    }
}

#[cfg(test)]
mod tests;
