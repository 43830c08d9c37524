//! Limits the addresses of webhooks: public addresses in production, and also loopback on a developer's machine.

use core::net::IpAddr;

use url::{Host, Url};

use super::url::WebhookUrl;
use crate::outbound::address::{self, Blocked};

/// Names the addresses that webhooks may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Webhooks may lead to public addresses by https on ports 443 and 8443. This is the rule outside of development.
    PublicOnly,
    /// Webhooks may also lead to loopback, by http and on any port.
    Development(Development),
}

/// Proves that the program runs on a developer's machine. The value can be made only if the AWS endpoint is on
/// loopback, so that no deployment can be configured to call its own machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Development(());

/// Reports that the loopback allowance was requested although the AWS endpoint is not on loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the development allowance needs an AWS endpoint on loopback")]
pub struct NotDevelopment;

impl Development {
    /// Returns the allowance if this URL of the AWS endpoint is on loopback.
    pub fn try_new(aws_endpoint: &str) -> Result<Self, NotDevelopment> {
        let url = Url::parse(aws_endpoint).map_err(|_| NotDevelopment)?;
        let own = match url.host() {
            Some(Host::Ipv4(v4)) => v4.is_loopback(),
            Some(Host::Ipv6(v6)) => v6.is_loopback(),
            // RFC 6761 reserves these names for loopback.
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        };
        if own { Ok(Self(())) } else { Err(NotDevelopment) }
    }
}

impl Allowance {
    /// Checks that this address may be dialled. Callers check every address to which a name resolves, and every address
    /// that is written in a URL.
    pub fn check(self, address: IpAddr) -> Result<(), Blocked> {
        match self {
            Self::Development(_) if address.is_loopback() => Ok(()),
            Self::Development(_) | Self::PublicOnly => address::check(address),
        }
    }

    /// Returns true if this URL's scheme and port are permitted: https on 443 and 8443, or anything in development. The
    /// host is not checked here; [`check`](Self::check) checks addresses.
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
