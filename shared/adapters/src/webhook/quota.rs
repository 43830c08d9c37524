//! Bounds how many bytes a host may send. All bytes count: those of answers, of 1xx answers, and of frames that belong
//! to no answer. hyper and h2 skip such frames without a limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::{MAX_ATTEMPT_BYTES, MAX_IDLE_BYTES};

tokio::task_local! {
    /// Holds the quota of the host to which this task opens a connection.
    pub(super) static QUOTA: Quota;
}

/// Counts the bytes of one host over all connections to that host. A host may send [`MAX_IDLE_BYTES`], and
/// [`MAX_ATTEMPT_BYTES`] more for each attempt that is under way.
#[derive(Debug, Clone)]
pub(super) struct Quota(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    attempts: usize,
    left: usize,
    exceeded: bool,
    /// Counts all bytes that were accepted.
    #[cfg(test)]
    taken: usize,
}

/// Represents an attempt that may receive bytes until it is dropped.
pub(super) struct Receiving(Quota);

impl Quota {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Counts {
            attempts: 0,
            left: MAX_IDLE_BYTES,
            exceeded: false,
            #[cfg(test)]
            taken: 0,
        })))
    }

    /// Begins an attempt.
    pub(super) fn begin(&self) -> Receiving {
        let mut counts = self.counts();
        counts.exceeded &= counts.attempts > 0;
        counts.attempts += 1;
        counts.left += MAX_ATTEMPT_BYTES;
        Receiving(self.clone())
    }

    /// Takes bytes that arrived from the quota. Returns false if too few are left. The connection must then end.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let mut counts = self.counts();
        let left = counts.left.checked_sub(bytes);
        counts.exceeded |= left.is_none();
        counts.left = left.unwrap_or(0);
        #[cfg(test)]
        if left.is_some() {
            counts.taken += bytes;
        }
        left.is_some()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiving {
    /// Returns true if the host sent too much since the attempt began.
    pub(super) fn is_exceeded(&self) -> bool {
        self.0.counts().exceeded
    }
}

impl Drop for Receiving {
    /// Takes back the bytes that the attempt did not use, so that a host cannot save up bytes for later.
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        counts.attempts = counts.attempts.saturating_sub(1);
        counts.left = match counts.attempts {
            0 => MAX_IDLE_BYTES,
            attempts => counts.left.min(MAX_IDLE_BYTES + attempts * MAX_ATTEMPT_BYTES),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Quota {
        /// Returns how many bytes were accepted so far.
        pub(in crate::webhook) fn taken(&self) -> usize {
            self.counts().taken
        }
    }

    #[test]
    fn each_attempt_adds_its_bytes_while_it_lasts() {
        let quota = Quota::new();
        assert!(quota.take(MAX_IDLE_BYTES) && !quota.take(1));
        let (first, second) = (quota.begin(), quota.begin());
        assert!(!first.is_exceeded() && !second.is_exceeded());
        assert!(quota.take(2 * MAX_ATTEMPT_BYTES));
        assert!(!quota.take(1) && first.is_exceeded() && second.is_exceeded());
    }

    #[test]
    fn bytes_that_an_attempt_leaves_over_are_not_saved_up() {
        let quota = Quota::new();
        for _ in 0..3 {
            drop(quota.begin());
        }
        let last = quota.begin();
        drop(quota.begin());
        assert!(quota.take(MAX_IDLE_BYTES + MAX_ATTEMPT_BYTES) && !quota.take(1));
        drop(last);
        assert!(quota.take(MAX_IDLE_BYTES) && !quota.take(1));
    }

    #[test]
    fn an_excess_while_nobody_waited_is_no_later_attempts_fault() {
        let quota = Quota::new();
        assert!(!quota.take(MAX_IDLE_BYTES + 1));
        assert!(!quota.begin().is_exceeded());
    }
}
