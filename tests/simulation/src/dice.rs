//! Numbers that look random, and are the same for the same seed.

#[path = "../../src/split_mix.rs"]
mod split_mix;

use split_mix::SplitMix64;

pub(crate) struct Dice(SplitMix64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// More than 0, at most 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        ((self.0.any() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Of the standard normal distribution (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.fraction().ln()).sqrt() * (std::f64::consts::TAU * self.fraction()).cos()
    }

    /// The time to the next of events that come independently, in milliseconds.
    pub(crate) fn until_next(&mut self, a_second: f64) -> f64 {
        -self.fraction().ln() * 1000.0 / a_second
    }
}
