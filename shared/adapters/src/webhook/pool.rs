//! Connections that wait for their next request.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::webhook::WebhookUrl;

use super::{age::Age, connection::Connection};

/// Whom a connection is for. To which of the host's addresses it leads is the connection's to say, and whether that is
/// one of the host's still, the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    secure: bool,
    authority: String,
}

impl Origin {
    pub(super) fn of(url: &WebhookUrl) -> Self {
        Self { secure: url.is_secure(), authority: url.authority().to_owned() }
    }
}

struct Idle {
    origin: Origin,
    connection: Connection,
    since: Age,
}

/// Bounded in number and time. A few dozen at most, so they are looked through one by one.
pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    max_idle: usize,
    max_age: Duration,
}

impl Pool {
    pub(super) fn new(max_idle: usize, max_age: Duration) -> Self {
        Self { idle: Mutex::default(), max_idle, max_age }
    }

    /// A connection to this origin that leads to one of these addresses, the one used last. All that cannot be used any
    /// more are closed.
    pub(super) fn take(&self, origin: &Origin, addresses: &[IpAddr]) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|entry| !entry.since.exceeds(self.max_age) && !entry.connection.is_closed());
        let fits = |entry: &Idle| {
            entry.origin == *origin && addresses.contains(&entry.connection.peer) && entry.connection.is_ready()
        };
        let at = idle.iter().rposition(fits)?;
        if let Some(entry) = idle.get_mut(at)
            && let Some(shared) = entry.connection.share()
        {
            entry.since = Age::default();
            return Some(shared);
        }
        idle.remove(at).map(|entry| entry.connection)
    }

    /// Whether there is any to take.
    pub(super) fn is_empty(&self) -> bool {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Keeps a connection whose answer ended in order. Of those that can be shared, one an address is enough.
    pub(super) fn put(&self, origin: Origin, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = connection.share().is_some();
        let same = |entry: &Idle| {
            entry.origin == origin && entry.connection.peer == connection.peer && entry.connection.share().is_some()
        };
        if shared && idle.iter().any(same) {
            return;
        }
        idle.push_back(Idle { origin, connection, since: Age::default() });
        while idle.len() > self.max_idle {
            idle.pop_front();
        }
    }

    /// Forgets a connection that did not do its duty, so that nobody else waits for it.
    pub(super) fn retire(&self, connection: &Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|entry| !entry.connection.is(connection));
    }
}
