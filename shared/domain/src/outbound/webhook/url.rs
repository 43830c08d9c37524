//! Holds the URL to which a webhook is sent.

use core::{fmt, net::IpAddr};

use url::{Host, Position, Url};

/// Holds a URL to call: a template that is filled with a delivery's values. It has the host and the path segments of
/// the template.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(pub(super) Url);

/// Holds the host of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'a> {
    /// Holds a host name in lower-case ASCII, to be resolved.
    Name(&'a str),
    /// Holds an address.
    Address(IpAddr),
}

impl WebhookUrl {
    /// Returns the URL. It must not be logged.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the host to connect to.
    pub fn destination(&self) -> Destination<'_> {
        match self.0.host() {
            Some(Host::Ipv4(v4)) => Destination::Address(v4.into()),
            Some(Host::Ipv6(v6)) => Destination::Address(v6.into()),
            Some(Host::Domain(name)) => Destination::Name(name),
            None => unreachable!("an http or https URL has a host"),
        }
    }

    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_else(|| unreachable!("http and https have a port"))
    }

    /// Returns true for https. Plain http is used only on a developer's machine.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns host and port in the form of a request: without a default port, and with an IPv6 address in brackets.
    pub fn authority(&self) -> &str {
        &self.0[Position::BeforeHost..Position::AfterPort]
    }

    /// Returns path and query exactly as they must be in the request line.
    pub fn request_target(&self) -> &str {
        &self.0[Position::BeforePath..Position::AfterQuery]
    }
}

/// Shows only scheme, host and port, because the path may hold a token and the query holds ids.
impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}/…)", &self.0[..Position::BeforePath])
    }
}
