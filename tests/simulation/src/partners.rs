//! Holds the partners: how many deliveries each is owed, and how its server answers.

use fastrand::Rng;

use crate::dice::normal;

/// Counts the partners.
pub(crate) const PARTNERS: usize = 10_000;
/// Gives the place of the largest partner, which is down for two hours.
pub(crate) const DOWN: usize = 0;
/// Limits the time of an attempt in milliseconds, as `WebhookAttemptSeconds` does.
const ATTEMPT_LIMIT_MS: f64 = 10_000.0;
/// Gives the time in which a server that is down answers 500, in milliseconds.
const REFUSAL_MS: i64 = 60;
/// Counts the failing attempts in a thousand to a partner that is up.
const FAILING_OF_THOUSAND: u64 = 10;

/// Holds all partners.
pub(crate) struct Partners {
    /// Gives each partner's end on a line from 0 to 1. A wider part is owed more deliveries.
    ends: Vec<f64>,
    /// Gives each partner's median time to answer, in milliseconds.
    medians: Vec<f64>,
}

/// Says in which way the partner is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// The server does not answer, and each attempt takes the whole limit.
    Hangs,
    /// The server answers 500 at once.
    Refuses,
}

impl Partners {
    /// Draws the partners. The largest is owed twice as much as the second, three times as much as the third, and so
    /// on (Zipf).
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut sum = 0.0;
        let mut ends: Vec<f64> = (1..=PARTNERS)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        for end in &mut ends {
            *end /= sum;
        }
        // The medians are 50 to 500 ms, half of them below 160 ms.
        let medians = (0..PARTNERS).map(|_| 50.0 * 10f64.powf(rng.f64())).collect();
        Self { ends, medians }
    }

    /// Draws the partner of the next delivery.
    pub(crate) fn pick(&self, rng: &mut Rng) -> usize {
        let at = rng.f64();
        self.ends.partition_point(|end| *end < at).min(PARTNERS - 1)
    }

    /// Returns the part of all deliveries that is owed to the partner that is down.
    pub(crate) fn share_of_down(&self) -> f64 {
        self.ends[DOWN]
    }

    /// Returns how long an attempt takes, in milliseconds, and true if it delivers.
    pub(crate) fn answer(&self, partner: usize, outage: Option<Outage>, rng: &mut Rng) -> (i64, bool) {
        match outage {
            Some(Outage::Hangs) => (ATTEMPT_LIMIT_MS as i64, false),
            Some(Outage::Refuses) => (REFUSAL_MS, false),
            None => {
                let took = self.medians[partner] * (0.6 * normal(rng)).exp();
                let delivers = took < ATTEMPT_LIMIT_MS && rng.u64(..1000) >= FAILING_OF_THOUSAND;
                (took.min(ATTEMPT_LIMIT_MS) as i64, delivers)
            }
        }
    }
}
