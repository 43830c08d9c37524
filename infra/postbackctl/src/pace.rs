//! The pace of long actions: a rate and a bar, until the action ends or the operator interrupts it.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

/// Makes a bar of this many steps. It draws only where standard error is a terminal.
pub(crate) fn bar(total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{pos} of {len} {wide_bar} {per_sec}, {eta} left");
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or_default());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Takes at most `rate` steps a second, and ends when the operator interrupts.
pub(crate) struct Pace {
    begun: Instant,
    rate: u32,
    taken: usize,
    bar: ProgressBar,
    interrupted: JoinHandle<()>,
}

impl Pace {
    /// Begins an action of this many steps, at most `rate` a second. Before this call, an interruption ends the process
    /// at once.
    pub(crate) fn begin(rate: u32, total: usize) -> Self {
        Self::with_bar(rate, bar(total))
    }

    /// Begins an action whose number of steps is not known.
    pub(crate) fn begin_open_ended(rate: u32) -> Self {
        let style = ProgressStyle::with_template("{spinner} {pos} done, {per_sec}");
        let bar = ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self::with_bar(rate, bar)
    }

    fn with_bar(rate: u32, bar: ProgressBar) -> Self {
        let interrupted = tokio::spawn(async { tokio::signal::ctrl_c().await.unwrap_or(()) });
        Self { begun: Instant::now(), rate, taken: 0, bar, interrupted }
    }
}

/// Returns the least time that this many steps take at this rate.
fn due(taken: usize, rate: u32) -> Duration {
    Duration::from_millis(u64::try_from(taken).unwrap_or(u64::MAX).saturating_mul(1000) / u64::from(rate))
}

impl app::operators::Pace for Pace {
    /// Allows as many steps at once as the rate allows in a second.
    fn most_at_once(&self) -> usize {
        usize::try_from(self.rate).unwrap_or(usize::MAX)
    }

    async fn turn(&mut self) -> ControlFlow<()> {
        let left = due(self.taken, self.rate).saturating_sub(self.begun.elapsed());
        tokio::select! {
            biased;
            _ = &mut self.interrupted => ControlFlow::Break(()),
            () = tokio::time::sleep(left) => ControlFlow::Continue(()),
        }
    }

    fn taken(&mut self, steps: usize) {
        self.taken += steps;
        self.bar.inc(u64::try_from(steps).unwrap_or_default());
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_take_as_many_seconds_as_the_rate_says() {
        assert_eq!(due(0, 1), Duration::ZERO);
        assert_eq!(due(100, 10), Duration::from_secs(10));
        assert_eq!(due(1_000_000, 100_000), Duration::from_secs(10));
    }
}
