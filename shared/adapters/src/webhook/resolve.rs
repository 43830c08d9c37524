//! The addresses of a partner's host, each of them checked.
//!
//! By the operating system's resolver, on a thread of its own: it knows the machine's hosts file and its network's name
//! servers, and brings no second DNS implementation. A lookup that outlives its limit keeps its thread until the
//! resolver gives up, which is a matter of seconds and of one thread for each webhook of a batch.

use std::{
    future::Future,
    io,
    net::IpAddr,
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{
    attempt::{AttemptFault, DnsFault},
    webhook::{Allowance, Destination, WebhookUrl},
};
use lru::LruCache;

use super::{
    age::Age,
    limits::{MAX_ADDRESSES, MAX_NAMES},
};

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
type Lookup = Box<dyn Fn(String) -> Found + Send + Sync>;

/// Addresses that may be dialled, in the order to try them in.
pub(super) type Checked = Arc<[IpAddr]>;

pub(super) struct Resolver {
    lookup: Lookup,
    allowance: Allowance,
    fresh: Duration,
    known: Mutex<LruCache<String, (Checked, Age)>>,
}

impl Resolver {
    pub(super) fn system(allowance: Allowance, fresh: Duration) -> Self {
        Self::with(allowance, fresh, Box::new(|name| Box::pin(system_lookup(name))))
    }

    pub(super) fn with(allowance: Allowance, fresh: Duration, lookup: Lookup) -> Self {
        let bound = NonZeroUsize::new(MAX_NAMES).unwrap_or(NonZeroUsize::MIN);
        Self { lookup, allowance, fresh, known: Mutex::new(LruCache::new(bound)) }
    }

    /// The addresses to dial, and no others.
    ///
    /// A name with even one address that must not be dialled is refused altogether: no honest name has one, and of one
    /// that has, which address answers is for whoever answers for it to choose. Only what passed is remembered.
    pub(super) async fn addresses(&self, url: &WebhookUrl) -> Result<Checked, AttemptFault> {
        let name = match url.destination() {
            Destination::Address(address) => return check(self.allowance, vec![address]),
            Destination::Name(name) => name,
        };
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let found = (self.lookup)(name.to_owned()).await.map_err(|error| AttemptFault::Dns(fault(&error)))?;
        let checked = check(self.allowance, found)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.put(name.to_owned(), (checked.clone(), Age::default()));
        Ok(checked)
    }

    fn known(&self, name: &str) -> Option<Checked> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (addresses, age) = known.get(name)?;
        (!age.exceeds(self.fresh)).then(|| addresses.clone())
    }
}

fn check(allowance: Allowance, found: Vec<IpAddr>) -> Result<Checked, AttemptFault> {
    for address in &found {
        allowance.check(*address).map_err(AttemptFault::Blocked)?;
    }
    let mut addresses: Vec<IpAddr> = Vec::with_capacity(MAX_ADDRESSES);
    for address in found {
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(AttemptFault::Dns(DnsFault::NoAddress)) } else { Ok(addresses.into()) }
}

async fn system_lookup(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// The standard library tells why only in the C library's words: glibc's and macOS's are known here.
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
