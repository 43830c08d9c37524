//! Numbers that look random, and are the same for the same seed.

#[path = "../../src/split_mix.rs"]
mod split_mix;

use split_mix::SplitMix64;

/// The dice of one part of a run.
#[derive(Debug, Clone)]
pub(crate) struct Dice(SplitMix64);

impl Dice {
    /// The dice of one part of a run: parts with other names have other numbers, whatever the order they are thrown in.
    pub(crate) fn of(seed: u64, part: &str) -> Self {
        // FNV-1a, so that one more throw in one part changes nothing in another.
        let hash = part.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(SplitMix64::new(seed ^ hash))
    }

    /// 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// True so many times of a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let place = usize::try_from(self.below(all.len() as u64)).unwrap();
        &all[place]
    }

    /// All of these, in some order.
    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, usize::try_from(self.below(at as u64 + 1)).unwrap());
        }
    }
}
