//! How long ago something was, on a machine that may have slept in between.

use std::time::{Duration, Instant, SystemTime};

/// Since when something is. Between invocations a function's machine is frozen, and its monotonic clock may be frozen
/// with it; the other clock may be set back. Whichever says longer is believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Age {
    monotonic: Instant,
    wall: SystemTime,
}

impl Default for Age {
    fn default() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }
}

impl Age {
    pub(super) fn exceeds(&self, bound: Duration) -> bool {
        self.monotonic.elapsed().max(self.wall.elapsed().unwrap_or_default()) >= bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slept_is_as_old_as_the_clock_on_the_wall_says() {
        let hour = Duration::from_hours(1);
        let slept = Age { wall: SystemTime::now() - hour, ..Age::default() };
        assert!(slept.exceeds(hour) && !Age::default().exceeds(hour));
        let set_back = Age { wall: SystemTime::now() + hour, ..Age::default() };
        assert!(!set_back.exceeds(hour) && set_back.exceeds(Duration::ZERO));
    }
}
