//! Builds tracking links, which are URLs that tell a landing page which user clicked.
//!
//! There are three kinds. The signed `/click` link redirects to the landing page. The redirect leads to the landing
//! page's URL with `user_id` and `click_id` added. The media-buying link leads to GG3, and partners put it on their own
//! pages.

use jiff::Timestamp;
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use thiserror::Error;
use url::Url;

use crate::inbound::parameters::{self, Parameters};
use crate::prelude::*;
use crate::values::ids::{LandingName, Provider, UserId};
use crate::values::signature::{self, STRICT, Secret};

/// Bounds a base URL, in bytes.
pub const MAX_BASE_URL_BYTES: usize = 2048;

/// Holds the URL of a page, to which tracking parameters are added. The URL is absolute and https, and it has a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Says why a text cannot be a base URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BaseUrlFault {
    /// The text is not a URL.
    #[error("is not an absolute URL: {0}")]
    NotUrl(String),
    /// The scheme is not https.
    #[error("must begin with https://")]
    NotHttps,
    /// The URL has a user name or a password.
    #[error("must not have a user name or password in it")]
    Userinfo,
    /// The text has more than [`MAX_BASE_URL_BYTES`] bytes.
    #[error("must be at most {MAX_BASE_URL_BYTES} bytes")]
    TooLong,
}

impl BaseUrl {
    /// Parses a URL as browsers do. An international host becomes its ASCII form.
    pub fn parse(text: &str) -> Result<Self, BaseUrlFault> {
        if text.len() > MAX_BASE_URL_BYTES {
            return Err(BaseUrlFault::TooLong);
        }
        let url = Url::parse(text).map_err(|fault| BaseUrlFault::NotUrl(fault.to_string()))?;
        if url.scheme() != "https" {
            return Err(BaseUrlFault::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlFault::Userinfo);
        }
        Ok(Self(url))
    }

    /// Returns the URL without added parameters.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the URL with these parameters added to the query. Values are percent-encoded, except for macros.
    ///
    /// A parameter that the base URL already has is replaced in place. The rest of the query stays the same byte by
    /// byte, except that `?` becomes `%3F`, so that the result has exactly one question mark before the fragment.
    pub fn with(&self, parameters: &[(&str, LinkValue<'_>)]) -> String {
        let mut url = self.0.clone();
        let mut segments: Vec<String> = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|segment| !segment.is_empty())
            .map(|segment| segment.replace('?', "%3F"))
            .collect();
        for (name, value) in parameters {
            let written = format!("{}={}", utf8_percent_encode(name, STRICT), value.encoded());
            let mut written = Some(written);
            segments = segments
                .into_iter()
                .filter_map(|segment| if is_named(&segment, name) { written.take() } else { Some(segment) })
                .collect();
            segments.extend(written);
        }
        let query = segments.join("&");
        url.set_query(if query.is_empty() { None } else { Some(&query) });
        String::from(url)
    }
}

fn is_named(segment: &str, name: &str) -> bool {
    let written = segment.split('=').next().unwrap_or_default().replace('+', " ");
    percent_decode_str(&written).eq(name.bytes())
}

/// Holds a parameter's value in a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkValue<'a> {
    /// The value is percent-encoded.
    Text(&'a str),
    /// The value is a macro of the partner's tracker. It is not encoded, because the tracker would not recognise it
    /// then.
    Macro(&'a TrackerMacro),
}

impl LinkValue<'_> {
    fn encoded(&self) -> String {
        match self {
            Self::Text(text) => utf8_percent_encode(text, STRICT).to_string(),
            Self::Macro(text) => text.0.clone(),
        }
    }
}

/// Holds a macro of a partner's tracker: 1 to 64 visible ASCII characters that have no meaning in a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerMacro(String);

impl TrackerMacro {
    /// Returns the macro as the tracker reads it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses a macro, such as `{clickId}`.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        // A `#` would cut the URL, and the URL library would encode quotes and angle brackets.
        let legal = |byte: u8| byte.is_ascii_graphic() && !b"&#+=?\"'<>`\\".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be 1 to 64 visible ASCII characters without & # + = ? quotes < > ` \\")
        }
    }
}

/// Names the parameters of a signed link.
const SIGNED: [&str; 3] = ["user_id", "expires", "sig"];

/// Holds the values of a signed link `/click/{provider}/{landing}?user_id=…&expires=…&sig=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickLink {
    /// Names the partner.
    pub provider: Provider,
    /// Names the landing page.
    pub landing: LandingName,
    /// Identifies the GG3 user that the link was made for.
    pub user_id: UserId,
    /// Holds the last second at which the link works, in Unix seconds.
    pub expires: i64,
}

/// Says why a click link is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClickLinkFault {
    /// The query cannot be read, or a parameter is missing or repeated.
    #[error("{0}")]
    Malformed(String),
    /// `sig` is missing, or it is not our signature of this link.
    #[error("the signature is missing or does not belong to this link")]
    BadSignature,
    /// The link has expired.
    #[error("the link has expired")]
    Expired,
}

impl ClickLink {
    /// Returns the signed link under this API base URL, which has no trailing slash.
    pub fn signed(&self, api_url: &str, secret: &Secret) -> String {
        let sig = signature::sign(secret, &self.canonical());
        let user_id = utf8_percent_encode(self.user_id.as_str(), STRICT);
        let Self { provider, landing, expires, .. } = self;
        format!("{api_url}/click/{provider}/{landing}?user_id={user_id}&expires={expires}&sig={sig}")
    }

    /// Reads and verifies the query of a `/click` request. Ignores all other parameters, even malformed ones, because
    /// advertisers and browsers add many to a link. The gateway bounds the query to about 10 KB.
    pub fn verify(
        provider: Provider,
        landing: LandingName,
        query: &[u8],
        secrets: &[Secret],
        now: Timestamp,
    ) -> Result<Self, ClickLinkFault> {
        let malformed = |words: &str| ClickLinkFault::Malformed(words.to_owned());
        let sent = Parameters::split(query, b"");
        if let Some(fault) = sent.repeated(SIGNED.into_iter()).first() {
            let name = fault.parameter.as_deref().unwrap_or_default();
            return Err(ClickLinkFault::Malformed(format!("the parameter {name} is repeated")));
        }
        let value = |name: &str| {
            let raw = sent.raw(name).ok_or_else(|| ClickLinkFault::Malformed(format!("{name} is missing")))?;
            parameters::decode(raw).map_err(|_| ClickLinkFault::Malformed(format!("{name} is badly encoded")))
        };
        let user_id = UserId::new(value("user_id")?).map_err(|fault| malformed(&format!("user_id {fault}")))?;
        let expires = value("expires")?.parse().map_err(|_| malformed("expires is not a number of Unix seconds"))?;
        let link = Self { provider, landing, user_id, expires };
        let sig = sent.raw("sig").unwrap_or_default();
        if !signature::verify(secrets, &link.canonical(), sig) {
            return Err(ClickLinkFault::BadSignature);
        }
        if now.as_second() > expires { Err(ClickLinkFault::Expired) } else { Ok(link) }
    }

    fn canonical(&self) -> String {
        let expires = self.expires.to_string();
        let parts = [
            ("provider", self.provider.as_str()),
            ("landing", self.landing.as_str()),
            ("user_id", self.user_id.as_str()),
            ("expires", &expires),
        ];
        signature::canonical(parts.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }
}

/// Returns the link that a partner puts on its own pages: `https://gg3.xyz/…?click_id={clickId}&provider=acme`.
///
/// `macros` maps the parameters that the pages of gg3.xyz read, `click_id` and `user_id`, to the partner's macros.
pub fn media_buying_link(page: &BaseUrl, provider: &Provider, macros: &[(&str, TrackerMacro)]) -> String {
    let mut parameters: Vec<(&str, LinkValue<'_>)> =
        macros.iter().map(|(name, text)| (*name, LinkValue::Macro(text))).collect();
    parameters.push(("provider", LinkValue::Text(provider.as_str())));
    page.with(&parameters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: [(&str, LinkValue<'_>); 2] =
        [("user_id", LinkValue::Text("12345")), ("click_id", LinkValue::Text("67890"))];

    fn base(text: &str) -> BaseUrl {
        BaseUrl::parse(text).unwrap()
    }

    #[test]
    fn the_documents_example_is_built_exactly() {
        assert_eq!(
            base("https://www.example.com/landing-page").with(&IDS),
            "https://www.example.com/landing-page?user_id=12345&click_id=67890"
        );
        let page = base("https://gg3.xyz/quests/complete-50-quests");
        let macros = [("click_id", TrackerMacro::new("{clickId}").unwrap())];
        assert_eq!(
            media_buying_link(&page, &Provider::new("acme").unwrap(), &macros),
            "https://gg3.xyz/quests/complete-50-quests?click_id={clickId}&provider=acme"
        );
    }

    #[test]
    fn an_awkward_base_url_keeps_its_query_and_fragment() {
        for (given, made) in [
            ("https://a.example", "https://a.example/?user_id=12345&click_id=67890"),
            ("https://a.example/p?", "https://a.example/p?user_id=12345&click_id=67890"),
            ("https://a.example/p?&", "https://a.example/p?user_id=12345&click_id=67890"),
            ("https://a.example/p?x=1", "https://a.example/p?x=1&user_id=12345&click_id=67890"),
            ("https://a.example/p?x=1&", "https://a.example/p?x=1&user_id=12345&click_id=67890"),
            ("https://a.example/p#top", "https://a.example/p?user_id=12345&click_id=67890#top"),
            ("https://a.example/p?x=%2F+y#a?b", "https://a.example/p?x=%2F+y&user_id=12345&click_id=67890#a?b"),
            ("https://a.example/p?x=1?y=2", "https://a.example/p?x=1%3Fy=2&user_id=12345&click_id=67890"),
            ("https://a.example/p?user_id=0&z=1", "https://a.example/p?user_id=12345&z=1&click_id=67890"),
            ("https://a.example/p?user%5Fid=0&user_id&z", "https://a.example/p?user_id=12345&z&click_id=67890"),
            ("https://zażółć.example/ó", "https://xn--za-6ja4f8n1l.example/%C3%B3?user_id=12345&click_id=67890"),
            ("https://a.example:8443/p%20q", "https://a.example:8443/p%20q?user_id=12345&click_id=67890"),
        ] {
            assert_eq!(base(given).with(&IDS), made, "{given}");
        }
    }

    #[test]
    fn only_https_without_userinfo_is_a_base() {
        for bad in
            ["", "/p", "a.example", "http://a.example", "javascript:alert(1)", "https://", "https://u:p@a.example/"]
        {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_built_link_has_one_question_mark_and_each_value_once(
            path in "[a-z/?&=#%]{0,20}", user in "[^\u{0}-\u{1f}\u{7f}-\u{9f}]{1,20}", click in ".{1,20}",
        ) {
            let Ok(base) = BaseUrl::parse(&format!("https://a.example/{path}")) else { return Ok(()) };
            let link = base.with(&[("user_id", LinkValue::Text(&user)), ("click_id", LinkValue::Text(&click))]);
            let parsed = Url::parse(&link).unwrap();
            let before_fragment = link.split('#').next().unwrap();
            prop_assert_eq!(before_fragment.matches('?').count(), 1);
            prop_assert_eq!(parsed.fragment(), base.0.fragment());
            let found = |name: &str| parsed.query_pairs().filter(|(n, _)| n == name).map(|(_, v)| v.into_owned()).collect::<Vec<_>>();
            prop_assert_eq!(found("user_id"), [user.clone()]);
            prop_assert_eq!(found("click_id"), [click.clone()]);
            prop_assert_eq!(BaseUrl::parse(&link).unwrap().with(&[("user_id", LinkValue::Text(&user)), ("click_id", LinkValue::Text(&click))]), link);
        }

        #[test]
        fn only_a_signed_link_verifies_and_only_until_it_expires(user in "[^\u{0}-\u{1f}\u{7f}-\u{9f}\u{fffe}\u{ffff}]{1,20}", expires in 0i64..4_000_000_000, late in 0i64..1000) {
            prop_assume!(UserId::new(&*user).is_ok());
            let secret = [Secret::new("k")];
            let link = ClickLink { provider: Provider::new("acme").unwrap(), landing: LandingName::new("welcome").unwrap(), user_id: UserId::new(user).unwrap(), expires };
            let url = link.signed("https://api.example", &secret[0]);
            let query = url.split_once('?').unwrap().1;
            let verify = |query: &str, secrets: &[Secret], second: i64| ClickLink::verify(link.provider.clone(), link.landing.clone(), query.as_bytes(), secrets, Timestamp::from_second(second).unwrap());
            prop_assert_eq!(verify(query, &secret, expires), Ok(link.clone()));
            prop_assert_eq!(verify(query, &[Secret::new("new"), secret[0].clone()], expires), Ok(link.clone()));
            prop_assert_eq!(verify(query, &secret, expires + 1 + late), Err(ClickLinkFault::Expired));
            prop_assert_eq!(verify(query, &[Secret::new("x")], expires), Err(ClickLinkFault::BadSignature));
            prop_assert_eq!(verify(&query.replace("expires=", "expires=1"), &secret, expires), Err(ClickLinkFault::BadSignature));
        }

        #[test]
        fn what_is_not_ours_never_spoils_a_link(
            more in prop::collection::vec("utm_source=[a-z]{0,3}|=|=x|%zz=1|[a-z]{70}=1|tags%5B%5D=1|fbclid|%ff", 0..80), at in 0usize..80,
        ) {
            let secret = [Secret::new("k")];
            let link = ClickLink { provider: Provider::new("acme").unwrap(), landing: LandingName::new("welcome").unwrap(), user_id: UserId::new("u").unwrap(), expires: 9 };
            let url = link.signed("", &secret[0]);
            let mut query: Vec<&str> = url.split_once('?').unwrap().1.split('&').collect();
            let at = at.min(more.len());
            for (place, segment) in more.iter().enumerate() {
                query.insert(if place < at { 0 } else { query.len() }, segment);
            }
            let query = query.join("&");
            let verified = ClickLink::verify(link.provider.clone(), link.landing.clone(), query.as_bytes(), &secret, Timestamp::UNIX_EPOCH);
            prop_assert_eq!(verified, Ok(link));
        }

        #[test]
        fn a_repeated_parameter_of_ours_is_refused(name in prop::sample::select(&SIGNED[..])) {
            let query = format!("user_id=u&expires=1&sig=0&{name}=1");
            let link = ClickLink::verify(Provider::new("a").unwrap(), LandingName::new("b").unwrap(), query.as_bytes(), &[], Timestamp::UNIX_EPOCH);
            prop_assert_eq!(link, Err(ClickLinkFault::Malformed(format!("the parameter {name} is repeated"))));
        }

        #[test]
        fn no_query_makes_the_verifier_panic(query in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = ClickLink::verify(Provider::new("a").unwrap(), LandingName::new("b").unwrap(), &query, &[], Timestamp::UNIX_EPOCH);
        }
    }
}
