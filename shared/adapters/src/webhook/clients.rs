//! Keeps an HTTP client for each host, so that the connections to one host can be dropped alone.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use domain::outbound::webhook::WebhookUrl;
use lru::LruCache;
use reqwest::{Client, redirect, retry};
use rustls::ClientConfig;
use tower::util::MapFutureLayer;

use super::{
    limits::{Limits, MAX_HEADER_LIST_BYTES, MAX_HOSTS},
    quota::{QUOTA, Quota},
    resolve::Resolver,
};

/// Sets the difference between the wall clock and the monotonic clock from which the machine counts as having slept.
const SLEPT: Duration = Duration::from_secs(1);

/// Holds the clients of the hosts that were called last. Their number and their age are bounded.
pub(super) struct Clients {
    known: Mutex<LruCache<String, Known>>,
    limits: Limits,
    https_only: bool,
    tls: ClientConfig,
    resolver: Resolver,
}

struct Known {
    client: Client,
    quota: Quota,
    made: Instant,
    made_at: SystemTime,
}

impl Known {
    /// Returns true while the client's connections may be used: the client is young enough, and the machine has not
    /// slept since the client was made.
    ///
    /// Between invocations a function's machine is frozen, and connections die unnoticed. The monotonic clock may be
    /// frozen too, and then no connection looks idle. The wall clock goes on, but somebody may set it back.
    fn is_fresh(&self, names_fresh: Duration) -> bool {
        let (monotonic, wall) = (self.made.elapsed(), self.made_at.elapsed().unwrap_or_default());
        monotonic.max(wall) < names_fresh && wall.saturating_sub(monotonic) < SLEPT
    }
}

impl Clients {
    pub(super) fn new(limits: Limits, https_only: bool, tls: ClientConfig, resolver: Resolver) -> Self {
        let hosts = NonZeroUsize::new(MAX_HOSTS).unwrap_or(NonZeroUsize::MIN);
        Self { known: Mutex::new(LruCache::new(hosts)), limits, https_only, tls, resolver }
    }

    /// Returns the client for this URL's host, the host's quota, and true if the client existed before.
    pub(super) fn of(&self, url: &WebhookUrl) -> Result<(Client, Quota, bool), reqwest::Error> {
        let origin = origin(url);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(origin).filter(|known| known.is_fresh(self.limits.names_fresh)) {
            return Ok((known.client.clone(), known.quota.clone(), true));
        }
        let quota = Quota::new();
        let client = self.build(quota.clone())?;
        let (made, made_at) = (Instant::now(), SystemTime::now());
        known.put(origin.to_owned(), Known { client: client.clone(), quota: quota.clone(), made, made_at });
        Ok((client, quota, false))
    }

    /// Drops the connections to a host whose answer did not end properly. Requests that these connections already carry
    /// are completed.
    pub(super) fn forget(&self, url: &WebhookUrl) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).pop(origin(url));
    }

    fn build(&self, quota: Quota) -> Result<Client, reqwest::Error> {
        let Limits { total, connect, idle, max_idle, .. } = self.limits;
        Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            // Every connection counts against its host's quota, even if a separate task opens the connection.
            .connector_layer(MapFutureLayer::new(move |connecting| QUOTA.scope(quota.clone(), connecting)))
            .dns_resolver(self.resolver.clone())
            .https_only(self.https_only)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .timeout(total)
            .connect_timeout(connect)
            // If the other side accepts no bytes for this long, the connection ends, even if no attempt uses it.
            .tcp_user_timeout(total)
            .pool_idle_timeout(idle)
            .pool_max_idle_per_host(max_idle)
            // An unreadable header does not spoil an answer.
            .http1_ignore_invalid_headers_in_responses(true)
            .http2_max_header_list_size(MAX_HEADER_LIST_BYTES)
            // These windows bound the bytes that a partner can send before we read them: for one answer, and for all
            // answers together.
            .http2_initial_stream_window_size(MAX_HEADER_LIST_BYTES)
            .http2_initial_connection_window_size(16 * MAX_HEADER_LIST_BYTES)
            .build()
    }
}

/// Returns scheme, host and port.
fn origin(url: &WebhookUrl) -> &str {
    let whole = url.as_str();
    whole.strip_suffix(url.request_target()).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Clients {
        /// Lets time pass for the wall clock only, as in a frozen sandbox.
        pub(in crate::webhook) fn sleep(&self, time: Duration) {
            for (_, known) in self.known.lock().unwrap().iter_mut() {
                known.made_at -= time;
            }
        }
    }

    #[test]
    fn a_clients_age_is_that_of_the_clock_that_went_further() {
        let (now, hour) = (SystemTime::now(), Duration::from_hours(1));
        let allowance = domain::outbound::webhook::Allowance::PublicOnly;
        let resolver = Resolver::with(allowance, hour, std::sync::Arc::new(|_| Box::pin(std::future::pending())));
        let limits = Limits::within(Duration::from_secs(1));
        let clients = Clients::new(limits, true, crate::webhook::tls::config(None).unwrap(), resolver);
        let known = |made_at| {
            let quota = Quota::new();
            Known { client: clients.build(quota.clone()).unwrap(), quota, made: Instant::now(), made_at }
        };
        assert!(known(now).is_fresh(hour) && !known(now).is_fresh(Duration::ZERO));
        assert!(!known(now - SLEPT).is_fresh(hour));
        assert!(known(now + hour).is_fresh(hour) && !known(now + hour).is_fresh(Duration::ZERO));
    }
}
