//! Draws random numbers from the distributions that the day needs, in addition to the uniform ones of `fastrand`.

use fastrand::Rng;

/// Returns a number that is more than 0 and at most 1, so that it has a logarithm.
pub(crate) fn fraction(rng: &mut Rng) -> f64 {
    1.0 - rng.f64()
}

/// Returns a number of the standard normal distribution (Box and Muller).
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * fraction(rng).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos()
}

/// Returns the time to the next event, in milliseconds, if events come independently at this rate.
pub(crate) fn until_next(rng: &mut Rng, a_second: f64) -> f64 {
    -fraction(rng).ln() * 1000.0 / a_second
}
