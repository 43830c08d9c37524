//! Bounds on the time and memory of webhooks.

use std::time::Duration;

/// The most of an answer's body that is read, in bytes, give or take one read. The rest is left, and its connection closed.
pub const MAX_BODY_BYTES: usize = 4096;

/// The largest list of headers that is taken over HTTP/2, in bytes. Over HTTP/1.1 the bounds are hyper's own: 100
/// headers, and about 400 KiB for an answer's head.
pub(super) const MAX_HEADER_LIST_BYTES: u32 = 16 * 1024;

/// The number of addresses of one name that are tried.
pub(super) const MAX_ADDRESSES: usize = 4;

/// The number of hosts to which connections are kept, those called last.
pub(super) const MAX_HOSTS: usize = 32;

/// The time and the connections that webhooks may take. No attempt takes longer than `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From being asked to send until the outcome is known.
    pub total: Duration,
    /// For the addresses of the host's name.
    pub resolve: Duration,
    /// For everything before the request is sent: the addresses, TCP and TLS.
    pub connect: Duration,
    /// For the part of the body that is read, from when the head is there.
    pub body: Duration,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How many connections to one host may wait for their next request; 0 for none.
    pub max_idle: usize,
    /// How long the connections to a host are used before its name is resolved and checked again.
    pub names_fresh: Duration,
}

impl Limits {
    /// The longest total that is accepted.
    pub const MAX_TOTAL: Duration = Duration::from_mins(1);

    /// Returns the limits for this total: a third of it for the addresses, two thirds until there is a connection, and a
    /// third for the body. The head may take all that is left.
    pub fn within(total: Duration) -> Self {
        Self {
            total,
            resolve: total / 3,
            connect: total / 3 * 2,
            body: total / 3,
            // Apache and many servers on Node close after 5 seconds. A request that meets such a close is a failed attempt,
            // and its webhook comes ten minutes late. A new connection costs far less.
            idle: Duration::from_secs(4),
            // As many as a batch has messages.
            max_idle: 10,
            names_fresh: Duration::from_secs(30),
        }
    }

    /// Tells whether an attempt ends, and each phase ends before the one around it, so that a timeout names its phase.
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
