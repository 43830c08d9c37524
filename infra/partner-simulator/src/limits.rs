//! What the simulator may take of the machine.

use std::time::Duration;

/// The most of a request's body that is read, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// The longest script, in bytes.
pub(crate) const MAX_SCRIPT_BYTES: usize = 64 * 1024;

/// The largest head of a request, in bytes: more than the longest URL that a template makes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long a connection may wait for its next request: longer than a caller keeps one, so that none is closed under it.
pub(crate) const MAX_IDLE: Duration = Duration::from_secs(75);

/// How much is kept at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of all requests together, in bytes. Beyond it, the name that has most forgets its oldest.
    pub remembered_bytes: usize,
    /// Names that have a script or received something. A further one is answered 503.
    pub names: usize,
    /// Connections. A further one waits for one of them to end.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Half of the files that a process may usually open.
        Self { remembered_bytes: 64 * 1024 * 1024, names: 1024, connections: 512 }
    }
}
