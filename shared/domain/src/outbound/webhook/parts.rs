//! Splits a URL's text into its parts.

use core::fmt;

use crate::prelude::*;

/// Names a part of a URL that must not contain macros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlPart {
    /// The part is before the first colon.
    Scheme,
    /// The part is a user name and password.
    Userinfo,
    /// The part is the host.
    Host,
    /// The part is the port.
    Port,
    /// The part is after the `#`.
    Fragment,
}

impl fmt::Display for UrlPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "scheme",
            Self::Userinfo => "user name or password",
            Self::Host => "host",
            Self::Port => "port",
            Self::Fragment => "fragment",
        })
    }
}

/// Holds the parts of a URL's text, before the URL is parsed.
pub(super) struct Parts<'a> {
    scheme: &'a str,
    pub(super) userinfo: Option<&'a str>,
    host: &'a str,
    port: &'a str,
    pub(super) path_and_query: &'a str,
    pub(super) fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Splits a URL's text. Returns `None` if it has no authority.
    pub(super) fn split(text: &'a str) -> Option<Self> {
        // In `https:/a.example/x://b.example` the `://` is in the path, and a URL parser takes a.example for the host.
        // Without this rule, the checks here would look at b.example, although a.example is called.
        let (scheme, rest) =
            text.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', ':', '?', '#', '@']))?;
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (authority, path_and_query) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))?;
        // An empty user name, as in `https://@a.example`, counts too.
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo), host_port),
            None => (None, authority),
        };
        let (host, port) = match host_port.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (host_port, ""),
        };
        // Some readers take a.example in `https:///a.example` for the host.
        (!authority.is_empty()).then_some(Self { scheme, userinfo, host, port, path_and_query, fragment })
    }

    /// Returns the parts with braces, other than the path and the query.
    pub(super) fn misplaced_macros(&self) -> Vec<UrlPart> {
        let places = [
            (UrlPart::Scheme, self.scheme),
            (UrlPart::Userinfo, self.userinfo.unwrap_or_default()),
            (UrlPart::Host, self.host),
            (UrlPart::Port, self.port),
            (UrlPart::Fragment, self.fragment.unwrap_or_default()),
        ];
        places.into_iter().filter(|(_, text)| text.contains(['{', '}'])).map(|(place, _)| place).collect()
    }
}
