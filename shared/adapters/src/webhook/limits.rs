//! Bounds the time and memory of webhooks.

use std::time::Duration;

/// Limits how much of an answer's body is read, in bytes. The last read may exceed the limit. The connection to a
/// longer body is then closed.
pub const MAX_BODY_BYTES: usize = 4096;

/// Limits the list of headers over HTTP/2, in bytes. Over HTTP/1.1 the bounds of hyper hold: 100 headers, and about 400
/// KiB for the head of an answer. Over TLS, [`MAX_ATTEMPT_BYTES`] is reached before.
pub(super) const MAX_HEADER_LIST_BYTES: u32 = 16 * 1024;

/// Limits how many bytes a host may send over TLS for each attempt. Certificates, the head, the part of the body that
/// is read, and everything that belongs to no answer count.
pub(super) const MAX_ATTEMPT_BYTES: usize = 64 * 1024;

/// Limits how many bytes a host may send while no attempt waits for the host, such as session tickets after an answer.
pub(super) const MAX_IDLE_BYTES: usize = 16 * 1024;

/// Limits how many addresses of one name are tried.
pub(super) const MAX_ADDRESSES: usize = 4;

/// Limits the number of hosts to which connections are kept. These are the hosts that were called last.
pub(super) const MAX_HOSTS: usize = 32;

/// Bounds the time and the connections of webhooks. No attempt takes longer than `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Covers the time from the call until the outcome is known.
    pub total: Duration,
    /// Covers the lookup of the host's addresses.
    pub resolve: Duration,
    /// Covers everything before the request is sent: the lookup, TCP and TLS.
    pub connect: Duration,
    /// Covers the part of the body that is read, after the head has arrived.
    pub body: Duration,
    /// Limits how long a connection may wait for its next request.
    pub idle: Duration,
    /// Limits how many connections to one host may wait for their next request; 0 keeps none.
    pub max_idle: usize,
    /// Limits how long the connections to a host are used. Then the host's name is resolved and checked again.
    pub names_fresh: Duration,
}

impl Limits {
    /// Holds the longest accepted total.
    pub const MAX_TOTAL: Duration = Duration::from_mins(1);

    /// Returns the limits for this total. The lookup may take a third, lookup and connecting together two thirds, and
    /// the body a third. The head may take all the remaining time.
    pub fn within(total: Duration) -> Self {
        Self {
            total,
            resolve: total / 3,
            connect: total / 3 * 2,
            body: total / 3,
            // Apache and many servers on Node close after 5 seconds. A request that is sent at that moment fails, and
            // the webhook arrives ten minutes late. Opening a new connection costs far less.
            idle: Duration::from_secs(4),
            // A batch has at most this many messages.
            max_idle: 10,
            names_fresh: Duration::from_secs(30),
        }
    }

    /// Returns true if the limit of each phase is shorter than the limit of the phase that contains it. A timeout then
    /// names the right phase.
    pub(super) fn are_usable(&self) -> bool {
        let Self { total, resolve, connect, body, .. } = *self;
        total <= Self::MAX_TOTAL
            && !resolve.is_zero()
            && resolve < connect
            && connect < total
            && !body.is_zero()
            && body <= total
    }
}
