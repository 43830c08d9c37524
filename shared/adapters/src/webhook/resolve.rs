//! Resolves and checks the addresses of a partner's host.
//!
//! Each lookup asks the operating system's resolver on a separate thread. This resolver knows the machine's hosts file
//! and the name servers of the network, so we need no second DNS implementation. A lookup that exceeds its limit keeps
//! its thread for some seconds, until the resolver gives up. A batch has at most one such thread for each webhook.

use std::{
    cell::Cell,
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use domain::outbound::{
    attempt::{AttemptFault, DnsFault},
    webhook::Allowance,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;

use super::limits::MAX_ADDRESSES;

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;

tokio::task_local! {
    /// Is true once the attempt of this task has asked for addresses. Only a new connection asks for addresses.
    pub(super) static DIALLED: Cell<bool>;
}

/// Resolves names for new connections. URLs with addresses never come here, because the caller checks them.
#[derive(Clone)]
pub(super) struct Resolver {
    lookup: Lookup,
    allowance: Allowance,
    limit: Duration,
}

/// Says why there is no address to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// The name has no address, or it has a blocked address.
    Fault(AttemptFault),
    /// The lookup took too long.
    TimedOut,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::TimedOut => f.write_str("the lookup timed out"),
        }
    }
}

impl std::error::Error for Unresolved {}

impl Resolver {
    pub(super) fn system(allowance: Allowance, limit: Duration) -> Self {
        Self::with(allowance, limit, Arc::new(|name| Box::pin(system_lookup(name))))
    }

    pub(super) fn with(allowance: Allowance, limit: Duration, lookup: Lookup) -> Self {
        Self { lookup, allowance, limit }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        // The flag belongs to the task. If another connection becomes free meanwhile, a separate task without the flag
        // goes on connecting.
        let _ = DIALLED.try_with(|dialled| dialled.set(true));
        let found = timeout(self.limit, (self.lookup)(name.as_str().to_owned()));
        let allowance = self.allowance;
        Box::pin(async move {
            let found = found.await.map_err(|_| Unresolved::TimedOut)?;
            let found = found.map_err(|error| Unresolved::Fault(AttemptFault::Dns(fault(&error))))?;
            let checked = check(allowance, found).map_err(Unresolved::Fault)?;
            // Port 0 means the URL's port.
            Ok(Box::new(checked.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// Returns the distinct addresses to connect to, in order.
///
/// A name with even one blocked address is refused. No honest name has a blocked address, and the owner of a DNS server
/// could otherwise choose which address is used.
fn check(allowance: Allowance, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, AttemptFault> {
    for address in &found {
        allowance.check(*address).map_err(AttemptFault::Blocked)?;
    }
    let mut addresses: Vec<IpAddr> = Vec::with_capacity(MAX_ADDRESSES);
    for address in found {
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(AttemptFault::Dns(DnsFault::NoAddress)) } else { Ok(addresses) }
}

async fn system_lookup(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// Reads the error text of the C library, because the standard library passes on no code. Knows the texts of glibc and
/// macOS.
fn fault(error: &io::Error) -> DnsFault {
    let words = error.to_string();
    let says = |phrases: [&str; 2]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(["Name or service not known", "nodename nor servname provided"]) {
        DnsFault::NoSuchName
    } else if says(["No address associated with", "Address family for hostname not supported"]) {
        DnsFault::NoAddress
    } else {
        DnsFault::NoAnswer
    }
}
