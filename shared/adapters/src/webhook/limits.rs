//! Bounds the time and memory of webhooks.

use std::time::Duration;

/// Limits how much of an answer's body is read, in bytes, give or take one read. Then the connection is closed.
pub const MAX_BODY_BYTES: usize = 4096;

/// Limits the list of headers over HTTP/2, in bytes. Over HTTP/1.1 hyper's own bounds hold: 100 headers, and about 400
/// KiB for the head of an answer, of which TLS lets [`MAX_ATTEMPT_BYTES`] through.
pub(super) const MAX_HEADER_LIST_BYTES: u32 = 16 * 1024;

/// Limits what a host may send for each attempt, in bytes as they come over TLS: certificates, head, the part of the body that is
/// read, and everything in between that is no answer.
pub(super) const MAX_ATTEMPT_BYTES: usize = 64 * 1024;

/// Limits what a host may send while no attempt waits for it, in bytes, such as session tickets after an answer.
pub(super) const MAX_IDLE_BYTES: usize = 16 * 1024;

/// Limits how many addresses of one name are tried.
pub(super) const MAX_ADDRESSES: usize = 4;

/// Limits to how many hosts connections are kept: the ones called last.
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
    /// Limits how long connections to a host are used before its name is resolved and checked again.
    pub names_fresh: Duration,
}

impl Limits {
    /// Holds the longest accepted total.
    pub const MAX_TOTAL: Duration = Duration::from_mins(1);

    /// Returns the limits for this total: a third for the lookup, two thirds until there is a connection, and a third
    /// for the body. The head may take all the remaining time.
    pub fn within(total: Duration) -> Self {
        Self {
            total,
            resolve: total / 3,
            connect: total / 3 * 2,
            body: total / 3,
            // Apache and many servers on Node close after 5 seconds. A request that meets such a close is a failed
            // attempt, and its webhook comes ten minutes late. A new connection costs far less.
            idle: Duration::from_secs(4),
            // A batch has at most this many messages.
            max_idle: 10,
            names_fresh: Duration::from_secs(30),
        }
    }

    /// Returns true if each phase ends before the one around it, so that a timeout names its phase.
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
