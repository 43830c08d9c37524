//! Medians and their spread.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What several measurements of one thing say: the middle one, and between which the middle half lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// A quarter is below.
    pub low: f64,
    /// A quarter is above.
    pub high: f64,
}

impl Spread {
    /// Of these.
    pub fn of(values: &[f64]) -> Self {
        Self { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) }
    }

    /// Of these, in microseconds.
    pub fn of_durations(durations: &[Duration]) -> Self {
        Self::of(&durations.iter().copied().map(microseconds).collect::<Vec<_>>())
    }
}

/// The value that this part of the values is not above; 0 of none.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
    let at = (last as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// In microseconds.
pub fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A count as what is calculated with.
#[allow(clippy::cast_precision_loss, reason = "no count here is near the limit")]
pub fn number(count: u64) -> f64 {
    count as f64
}
