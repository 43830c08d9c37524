//! How far webhooks may go: in production to public addresses only, on a developer's machine to its own as well.

use core::net::IpAddr;

use url::{Host, Url};

use super::WebhookUrl;
use crate::address::{self, Blocked};

/// How far a webhook may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Public addresses by https on the ports 443 and 8443: everywhere but on a developer's machine.
    PublicOnly,
    /// Loopback, http and any port as well.
    Development(Development),
}

/// Proof that this is a developer's machine: it exists only where AWS itself is on loopback, so that no deployment can
/// be configured into calling its own machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Development(());

/// The loopback allowance was asked for where AWS is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the development allowance needs an AWS endpoint on loopback")]
pub struct NotDevelopment;

impl Development {
    /// The allowance, if this AWS endpoint's URL is one of this machine's own.
    pub fn try_new(aws_endpoint: &str) -> Result<Self, NotDevelopment> {
        let url = Url::parse(aws_endpoint).map_err(|_| NotDevelopment)?;
        let own = match url.host() {
            Some(Host::Ipv4(v4)) => v4.is_loopback(),
            Some(Host::Ipv6(v6)) => v6.is_loopback(),
            // RFC 6761 keeps these names for loopback.
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        };
        if own { Ok(Self(())) } else { Err(NotDevelopment) }
    }
}

impl Allowance {
    /// Whether this address may be dialled: the guard to ask about every address that a name resolves to, and about a
    /// literal.
    pub fn check(self, address: IpAddr) -> Result<(), Blocked> {
        match self {
            Self::Development(_) if address.is_loopback() => Ok(()),
            Self::Development(_) | Self::PublicOnly => address::check(address),
        }
    }

    /// Whether a URL of this scheme may be called on this port: https on 443 and 8443, and anything in development. Of its
    /// host it says nothing: ask [`check`](Self::check) about the address.
    pub fn permits(self, url: &WebhookUrl) -> bool {
        let scheme = if url.is_secure() { "https" } else { "http" };
        self.permits_scheme(scheme) && self.permits_port(url.port())
    }

    pub(super) fn permits_scheme(self, scheme: &str) -> bool {
        scheme == "https" || (scheme == "http" && self != Self::PublicOnly)
    }

    pub(super) fn permits_port(self, port: u16) -> bool {
        [443, 8443].contains(&port) || self != Self::PublicOnly
    }
}
