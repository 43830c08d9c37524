//! The partners: how much each is owed, and how its server answers.

use fastrand::Rng;

use crate::dice::normal;

/// How many there are.
pub(crate) const PARTNERS: usize = 10_000;
/// The one that is down for two hours: the largest.
pub(crate) const DOWN: usize = 0;
/// How long an attempt may take: `WebhookAttemptSeconds`.
const ATTEMPT_LIMIT_MS: f64 = 10_000.0;
/// How quickly a server says 500 that is down but there.
const REFUSAL_MS: i64 = 60;
/// Of a thousand attempts to a partner that is up, so many fail.
const FAILING_OF_THOUSAND: u64 = 10;

/// All of them.
pub(crate) struct Partners {
    /// Where each ends on a line from 0 to 1: the wider its part, the more it is owed.
    ends: Vec<f64>,
    /// What half of its answers take less than, in milliseconds.
    medians: Vec<f64>,
}

/// How the partner that is down is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// Nothing answers: each attempt takes as long as it may.
    Hangs,
    /// Each attempt is answered 500 at once.
    Refuses,
}

impl Partners {
    /// The largest is owed twice as much as the second, three times as much as the third, and so on (Zipf).
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
        // 50 to 500 ms, as many below 160 as above.
        let medians = (0..PARTNERS).map(|_| 50.0 * 10f64.powf(rng.f64())).collect();
        Self { ends, medians }
    }

    /// Whose the next delivery is.
    pub(crate) fn pick(&self, rng: &mut Rng) -> usize {
        let at = rng.f64();
        self.ends.partition_point(|end| *end < at).min(PARTNERS - 1)
    }

    /// The part of all deliveries that is owed to the partner that is down.
    pub(crate) fn share_of_down(&self) -> f64 {
        self.ends[DOWN]
    }

    /// How long an attempt takes, in milliseconds, and whether it delivers.
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
