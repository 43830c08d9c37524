//! Limits the memory and the connections of the simulator.

use std::time::Duration;

/// Limits a request's body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Limits a script, in bytes.
pub(crate) const MAX_SCRIPT_BYTES: usize = 64 * 1024;

/// Limits a request's head, in bytes. The limit is longer than any URL that a template makes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Limits how long a connection may wait for its next request. Callers keep connections for a shorter time. The
/// simulator therefore never closes a connection that a caller could still use.
pub(crate) const MAX_IDLE: Duration = Duration::from_secs(75);

/// Limits how much the simulator keeps at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Limits the total size of all remembered requests, in bytes. Beyond the limit, the oldest request of the name
    /// with the most bytes is forgotten.
    pub remembered_bytes: usize,
    /// Limits how many names may have a script or a received request. A request to a further name is answered 503.
    pub names: usize,
    /// Limits the connections. A further connection waits until another ends.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A process may usually open 1,024 files. Connections may take half of these files.
        Self { remembered_bytes: 64 * 1024 * 1024, names: 1024, connections: 512 }
    }
}
