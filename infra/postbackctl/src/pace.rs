//! Long actions: no more a second than was asked for, with a bar, until they end or somebody interrupts.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

/// Ends when somebody interrupts.
pub(crate) fn interruption() -> JoinHandle<()> {
    tokio::spawn(async { tokio::signal::ctrl_c().await.unwrap_or(()) })
}

/// A bar of so many.
pub(crate) fn bar(total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{pos} of {len} {wide_bar} {per_sec}, {eta} left");
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or_default());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// No more a second than was asked for.
pub(crate) struct Pace {
    begun: Instant,
    /// How many a second, at most.
    pub(crate) rate: u32,
    /// How many there have been.
    pub(crate) sent: usize,
}

impl Pace {
    pub(crate) fn new(rate: u32) -> Self {
        Self { begun: Instant::now(), rate, sent: 0 }
    }

    /// When so many may have been sent, counted from the beginning.
    fn due(&self) -> Duration {
        let millis = u64::try_from(self.sent).unwrap_or(u64::MAX).saturating_mul(1000) / u64::from(self.rate);
        Duration::from_millis(millis)
    }

    /// Waits for the turn of the next. Answers whether somebody interrupted.
    pub(crate) async fn wait(&self, interrupted: &mut JoinHandle<()>) -> bool {
        let left = self.due().saturating_sub(self.begun.elapsed());
        tokio::select! {
            biased;
            _ = interrupted => true,
            () = tokio::time::sleep(left) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_due_only_after_as_many_seconds_as_the_rate_says() {
        let due = |sent, rate| Pace { begun: Instant::now(), rate, sent }.due();
        assert_eq!(due(0, 1), Duration::ZERO);
        assert_eq!(due(100, 10), Duration::from_secs(10));
        assert_eq!(due(1_000_000, 100_000), Duration::from_secs(10));
    }
}
