//! Knows the console's own address, and the names of its cookies.

use domain::session::{SESSION_LASTS, SIGN_IN_LASTS, Token};
use url::Url;

use crate::return_path::ReturnPath;

/// Names the cookie of a session. With this prefix, a browser takes the cookie only over a secure connection and only
/// from this host.
pub(crate) const SESSION_COOKIE: &str = "__Host-session";
/// Names the cookie of a sign-in that has begun.
pub(crate) const SIGN_IN_COOKIE: &str = "__Host-sign-in";
/// Names the cookie of the page to which a sign-in leads.
pub(crate) const RETURN_COOKIE: &str = "__Host-return";
/// Names the path to which the issuer sends a person back.
pub(crate) const SIGNED_IN: &str = "/signed-in";

/// Holds the console's URL.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    url: String,
    base: String,
    origin: String,
}

impl Site {
    /// Parses the URL of the first page, such as `https://api.example.com/console`. Returns `None` if it is not a URL of
    /// HTTP.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let parsed = Url::parse(url.trim_end_matches('/')).ok().filter(Url::has_host)?;
        let is_http = ["http", "https"].contains(&parsed.scheme());
        let is_plain = parsed.query().is_none() && parsed.fragment().is_none() && parsed.username().is_empty();
        let base = parsed.path().trim_end_matches('/').to_owned();
        let origin = parsed.origin().ascii_serialization();
        (is_http && is_plain).then(|| Self { url: format!("{origin}{base}"), base, origin })
    }

    /// Returns the URL to which the issuer sends a person back.
    pub(crate) fn signed_in_url(&self) -> String {
        format!("{}{SIGNED_IN}", self.url)
    }

    /// Returns the path of a page, as links name it. `page` is empty for the first page, and otherwise begins with `/`.
    pub(crate) fn path(&self, page: &str) -> String {
        format!("{}{page}", self.base)
    }

    /// Returns the path of a page with parameters, whose values are percent-encoded.
    pub(crate) fn path_with(&self, page: &str, parameters: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { self.path(page) } else { format!("{}?{query}", self.path(page)) }
    }

    /// Returns the URL with which tracking links and postback URLs begin.
    pub(crate) fn api(&self) -> &str {
        self.url.strip_suffix("/console").unwrap_or(&self.url)
    }

    /// Returns true if a browser that names this origin shows one of our pages.
    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        origin == self.origin
    }
}

/// Returns the header that stores a session's token in the browser.
pub(crate) fn session_cookie(token: &Token) -> String {
    cookie(SESSION_COOKIE, &token.reveal(), SESSION_LASTS.as_secs())
}

/// Returns the header that stores the secret of a sign-in in the browser.
pub(crate) fn sign_in_cookie(token: &Token) -> String {
    cookie(SIGN_IN_COOKIE, &token.reveal(), SIGN_IN_LASTS.as_secs())
}

/// Returns the header that stores in the browser to which page a sign-in leads.
pub(crate) fn return_cookie(path: &ReturnPath) -> String {
    cookie(RETURN_COOKIE, &path.to_cookie(), SIGN_IN_LASTS.as_secs())
}

/// Returns the header that removes a cookie.
pub(crate) fn no_cookie(name: &str) -> String {
    cookie(name, "", 0)
}

/// The cookie also comes with a link from another site, because the issuer sends a person back by such a link. It never
/// comes with another site's form.
fn cookie(name: &str, value: &str, seconds: i64) -> String {
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_below_the_consoles_own_path() {
        let site = Site::parse("http://127.0.0.1:4570/_aws/execute-api/abc/console/").unwrap();
        assert_eq!(site.path(""), "/_aws/execute-api/abc/console");
        assert_eq!(site.signed_in_url(), "http://127.0.0.1:4570/_aws/execute-api/abc/console/signed-in");
        let link = site.path_with("/search", &[("q", "acme/T 1&x=<"), ("after", "")]);
        assert_eq!(link, "/_aws/execute-api/abc/console/search?q=acme%2FT+1%26x%3D%3C");
        assert!(site.is_origin("http://127.0.0.1:4570"));
        for other in ["http://127.0.0.1:4571", "https://127.0.0.1:4570", "null", ""] {
            assert!(!site.is_origin(other), "{other}");
        }
        for bad in ["", "console", "ftp://a/console", "https://a/console?x", "https://u@a/console"] {
            assert!(Site::parse(bad).is_none(), "{bad}");
        }
    }
}
