//! One deadline over all that an attempt waits for.

use std::{future::Future, time::Duration};

use domain::attempt::{AttemptFault, Phase};
use tokio::time::{Instant, timeout_at};

/// When an attempt began, and when it is over whatever it is waiting for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    began: Instant,
    total: Duration,
}

impl Deadline {
    /// The attempt begins now.
    pub(super) fn start(total: Duration) -> Self {
        Self { began: Instant::now(), total }
    }

    /// How long the attempt has taken so far.
    pub(super) fn elapsed(self) -> Duration {
        self.began.elapsed()
    }

    /// How much of `limit` is left of the attempt.
    pub(super) fn left(self, limit: Duration) -> Duration {
        limit.min(self.total.saturating_sub(self.elapsed()))
    }

    /// Waits for one thing at most so long, and never beyond the total.
    pub(super) async fn wait<T>(
        self,
        waiting_for: Phase,
        limit: Duration,
        what: impl Future<Output = Result<T, AttemptFault>>,
    ) -> Result<T, AttemptFault> {
        match timeout_at(Instant::now() + self.left(limit), what).await {
            Ok(done) => done,
            Err(_) => Err(AttemptFault::TimedOut { waiting_for, after_ms: self.elapsed_ms() }),
        }
    }

    fn elapsed_ms(self) -> u32 {
        u32::try_from(self.elapsed().as_millis()).unwrap_or(u32::MAX)
    }
}
