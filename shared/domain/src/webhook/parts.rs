//! The parts of a URL as they stand in its text.

use core::fmt;

use crate::prelude::*;

/// A part of a URL that no macro may stand in: it says whom we call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the first colon.
    Scheme,
    /// User name and password.
    Userinfo,
    /// The host.
    Host,
    /// The port.
    Port,
    /// After the sharp sign.
    Fragment,
}

impl fmt::Display for Place {
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

/// A URL's text cut at its own marks, before anything is made of it.
pub(super) struct Parts<'a> {
    scheme: &'a str,
    pub(super) userinfo: Option<&'a str>,
    host: &'a str,
    port: &'a str,
    pub(super) path_and_query: &'a str,
    pub(super) fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// `None` where there is no authority.
    pub(super) fn split(text: &'a str) -> Option<Self> {
        // In `https:/a.example/x://b.example` the mark is in the path: a URL's reader takes a.example for the host, and all
        // that is said here of host and path would be said of something else.
        let (scheme, rest) =
            text.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', ':', '?', '#', '@']))?;
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (authority, path_and_query) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))?;
        // An empty one, as in `https://@a.example`, is one as well.
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo), host_port),
            None => (None, authority),
        };
        let (host, port) = match host_port.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (host_port, ""),
        };
        // `https:///a.example` is read by some as a host after all.
        (!authority.is_empty()).then_some(Self { scheme, userinfo, host, port, path_and_query, fragment })
    }

    /// Where else than in path and query there are braces.
    pub(super) fn misplaced_macros(&self) -> Vec<Place> {
        let places = [
            (Place::Scheme, self.scheme),
            (Place::Userinfo, self.userinfo.unwrap_or_default()),
            (Place::Host, self.host),
            (Place::Port, self.port),
            (Place::Fragment, self.fragment.unwrap_or_default()),
        ];
        places.into_iter().filter(|(_, text)| text.contains(['{', '}'])).map(|(place, _)| place).collect()
    }
}
