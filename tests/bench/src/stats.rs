//! Computes medians and their spread.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Summarises several measurements by their median and the range of their middle half.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Gives the median.
    pub median: f64,
    /// Gives the value below which a quarter of the values lies.
    pub low: f64,
    /// Gives the value above which a quarter of the values lies.
    pub high: f64,
}

impl Spread {
    /// Summarises these values.
    pub fn of(values: &[f64]) -> Self {
        Self { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) }
    }

    /// Summarises these durations in microseconds.
    pub fn of_durations(durations: &[Duration]) -> Self {
        Self::of(&durations.iter().copied().map(microseconds).collect::<Vec<_>>())
    }
}

/// Returns the quantile of the values, such as the median for a `part` of 0.5. Returns 0 if there are no values.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
    let at = (last as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// Returns the duration in microseconds.
pub fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Returns a count as a floating-point number for calculations.
#[allow(clippy::cast_precision_loss, reason = "no count here is near the limit")]
pub fn number(count: u64) -> f64 {
    count as f64
}
