//! Makes random numbers that are the same for the same seed.

use fastrand::Rng;

/// Returns the random numbers of one part of a run. Each part has its own, so that an additional number in one part
/// changes nothing in another.
pub(crate) fn of(seed: u64, part: &str) -> Rng {
    // FNV-1a gives the same result on every machine and with every compiler.
    let hash = part
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    Rng::with_seed(seed ^ hash)
}
