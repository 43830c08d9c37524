//! Limits the memory and the connections of the simulator.

use std::time::Duration;

/// Limits a request's body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Limits a script, in bytes.
pub(crate) const MAX_SCRIPT_BYTES: usize = 64 * 1024;

/// Limits a request's head, in bytes. It is more than the longest URL that a template makes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Limits how long a connection may wait for its next request. Callers keep connections for a shorter time, so the
/// simulator closes none that a caller could still use.
pub(crate) const MAX_IDLE: Duration = Duration::from_secs(75);

/// Limits how much the simulator keeps at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Limits all remembered requests together, in bytes. Beyond it, the name with the most bytes forgets its oldest
    /// request.
    pub remembered_bytes: usize,
    /// Limits the names that have a script or have received a request. A request to a further name is answered 503.
    pub names: usize,
    /// Limits the connections. A further connection waits until another ends.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A process may usually open 1,024 files; the connections take half of them.
        Self { remembered_bytes: 64 * 1024 * 1024, names: 1024, connections: 512 }
    }
}
