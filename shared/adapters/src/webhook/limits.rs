//! How much time and memory one webhook may take.

use std::time::Duration;

/// At most this much of an answer's body is taken, in bytes; then its connection is closed.
pub const MAX_BODY_BYTES: usize = 4096;

/// An answer whose status line and headers are larger than this, in bytes, is none. So much is buffered of a
/// connection at a time as well.
pub(super) const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most addresses of one name that are tried.
pub(super) const MAX_ADDRESSES: usize = 4;

/// How many names are remembered.
pub(super) const MAX_NAMES: usize = 256;

/// How long one attempt may take. Whatever its phases may, together they never take longer than `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From being asked to send until the outcome is known.
    pub total: Duration,
    /// For the host's address.
    pub resolve: Duration,
    /// For the connection, to whichever of the host's addresses.
    pub connect: Duration,
    /// For the TLS handshake.
    pub tls: Duration,
    /// For the status line and headers, from when there is a connection.
    pub headers: Duration,
    /// For as much of the body as is taken, from when the headers are there.
    pub body: Duration,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How many connections may wait for their next request; 0 for none.
    pub max_idle: usize,
    /// How long a name's addresses are remembered: as long, a partner that moves is called where it was.
    pub names_fresh: Duration,
}

impl Limits {
    /// The longest total taken.
    pub const MAX_TOTAL: Duration = Duration::from_mins(1);

    /// Limits under this total: a third of it each for the partner's address, for reaching it, for TLS and for the body;
    /// for the headers, all that is left.
    pub fn within(total: Duration) -> Self {
        Self {
            total,
            resolve: total / 3,
            connect: total / 3,
            tls: total / 3,
            headers: total,
            body: total / 3,
            // Load balancers of AWS close after 60 seconds; being first spares a failed attempt.
            idle: Duration::from_secs(50),
            max_idle: 64,
            names_fresh: Duration::from_secs(30),
        }
    }

    pub(super) fn are_usable(&self) -> bool {
        let phases = [self.resolve, self.connect, self.tls, self.headers, self.body];
        self.total <= Self::MAX_TOTAL && phases.iter().all(|phase| !phase.is_zero() && *phase <= self.total)
    }
}
