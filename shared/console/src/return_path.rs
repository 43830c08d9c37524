//! Knows to which page a person comes back after signing in: the one that was opened without a session.

use data_encoding::BASE64URL_NOPAD;

use crate::site::Site;

/// Limits a path with its query, in bytes. A browser keeps it in a cookie, and the address of the sign-in holds it encoded.
const MAX_BYTES: usize = 1_000;

/// Holds a page of the console, as a path below the console's own with its query, such as `/conflict?key=a`. It never
/// leads to another site, and its GET changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnPath(String);

impl ReturnPath {
    /// Parses a path that begins with `/` and whose parts have only small letters and hyphens, with or without a query of
    /// visible ASCII characters. Returns `None` for every other text: one with a host, a scheme, dots, backslashes or a
    /// fragment, and for the first page, to which everybody comes without a return path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let is_part =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase());
        let is_page = path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part));
        let is_query = query.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\'));
        (text.len() <= MAX_BYTES && is_page && is_query).then(|| Self(text.to_owned()))
    }

    /// Returns the path and query as a text that [`parse`](Self::parse) reads.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path from the root of the console's host.
    pub(crate) fn on(&self, site: &Site) -> String {
        site.path(&self.0)
    }

    /// Returns the value of a cookie.
    pub(crate) fn to_cookie(&self) -> String {
        BASE64URL_NOPAD.encode(self.0.as_bytes())
    }

    /// Reads the value of a cookie, which the browser may have changed.
    pub(crate) fn of_cookie(value: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
        Self::parse(&String::from_utf8(bytes).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    const CONSOLES: [&str; 2] = ["https://gg3.example/console", "http://127.0.0.1:4570/_aws/execute-api/abc/console"];

    /// Asserts that a browser that follows this path from the sign-in stays in the console.
    fn assert_stays(path: &ReturnPath) {
        for console in CONSOLES {
            let site = Site::parse(console).unwrap();
            let from = Url::parse(&site.signed_in_url()).unwrap();
            let to = from.join(&path.on(&site)).unwrap();
            assert!(site.is_origin(&to.origin().ascii_serialization()), "{to}");
            assert!(to.path().starts_with(&site.path("/")), "{to}");
            assert_eq!((to.fragment(), to.username(), to.password()), (None, "", None), "{to}");
        }
    }

    #[test]
    fn pages_with_queries_are_return_paths() {
        for page in ["/conflict?key=acme%23a&x=+", "/webhooks", "/reports?from=2026-11-01&at=a:b", "/webhook?id=a?b/c"]
        {
            let path = ReturnPath::parse(page).unwrap();
            assert_eq!((path.as_str(), ReturnPath::of_cookie(&path.to_cookie()).as_ref()), (page, Some(&path)));
            assert_stays(&path);
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_return_path() {
        for bad in [
            "",
            "/",
            "?a=b",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/conflict/../../v1",
            "/./x",
            "/%2e%2e/x",
            "/conflict#a",
            "/conflict?a#b",
            "/conflict?a=\r\nSet-Cookie: a=b",
            "/conflict?a b",
            "/conflict/",
            "/Conflict",
            "@evil.example",
            "/conflict@evil.example",
            "/é",
            &format!("/a?{}", "x".repeat(MAX_BYTES)),
        ] {
            assert_eq!(ReturnPath::parse(bad), None, "{bad}");
        }
        for bad in ["", "=", "L2NvbmZsaWN0=", "Ly9ldmlsLmV4YW1wbGU", "gICA"] {
            assert_eq!(ReturnPath::of_cookie(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_leads_out_of_the_console(text in any::<String>()) {
            if let Some(path) = ReturnPath::parse(&text) {
                assert_stays(&path);
            }
        }

        #[test]
        fn no_text_like_a_path_leads_out_of_the_console(text in "[/\\\\.%?#@:&=a-c2eE\t -]{0,24}") {
            if let Some(path) = ReturnPath::parse(&text) {
                assert_stays(&path);
                prop_assert_eq!(ReturnPath::of_cookie(&path.to_cookie()), Some(path));
            }
        }
    }
}
