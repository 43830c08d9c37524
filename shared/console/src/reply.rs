//! Makes responses: pages, redirects and faults, each with the headers that keep a browser from doing more.

use app::{operators::lookup_coverage::LookupFault, operators::trace::TraceFault, ports::Unavailable};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::values::printable::printable;
use maud::{Markup, html};
use tracing::error;

/// Allows a page its own style sheet and its own forms, and nothing else: no script, no frame, no foreign host.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Adds the headers of every response.
pub(crate) fn harden(response: &mut Response<Body>) {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Other sites learn nothing from a link. With no-referrer, a browser would send `Origin: null` with our own forms,
        // and the guard would take them for another site's.
        (header::REFERRER_POLICY, "same-origin"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // Only the style sheet may be stored, and says so itself.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Returns a redirect that a browser follows with a GET. `to` is a path that [`crate::site::Site`] made, or the issuer's
/// URL. `cookies` are whole headers.
pub(crate) fn redirect(to: &str, cookies: &[String]) -> Response<Body> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let Ok(to) = HeaderValue::try_from(to) else { return StatusCode::BAD_REQUEST.into_response() };
    response.headers_mut().insert(header::LOCATION, to);
    for cookie in cookies {
        response.headers_mut().extend(HeaderValue::try_from(cookie).ok().map(|cookie| (header::SET_COOKIE, cookie)));
    }
    response
}

/// Says why a page cannot be shown.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There is no such page, or the visitor may not know that there is one.
    NotFound,
    /// The visitor has no session.
    NotSignedIn,
    /// The call has no token that names a person. The text says what to send.
    NoToken(&'static str),
    /// The visitor's role does not allow it, or the form did not come from one of our pages.
    Forbidden(&'static str),
    /// A field is missing or wrong. The text says which, and how to mend it.
    Malformed(String),
    /// The call contradicts an earlier one of the same name.
    Unprocessable(&'static str),
    /// It was asked for too often. The text says when to try again.
    TooOften(&'static str),
    /// Somebody else came first, or the records do not allow the change. Nothing was changed.
    Conflict(String),
    /// A service failed.
    Unavailable(Unavailable),
    /// Something outside failed. The text says what, and when to try again.
    Later(String),
    /// The lookups cannot be relied on.
    Lost(String),
}

impl From<Unavailable> for Trouble {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

impl From<LookupFault> for Trouble {
    fn from(fault: LookupFault) -> Self {
        match fault {
            LookupFault::Unavailable(fault) => Self::Unavailable(fault),
            LookupFault::Lost(_) => Self::Lost(fault.to_string()),
        }
    }
}

impl From<TraceFault> for Trouble {
    fn from(fault: TraceFault) -> Self {
        match fault {
            TraceFault::Unavailable(fault) => Self::Unavailable(fault),
            TraceFault::Lookups(fault) => fault.into(),
            TraceFault::NoPartner(_) => Self::Malformed(format!("{fault}.")),
        }
    }
}

impl Trouble {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotSignedIn | Self::NoToken(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Unavailable(_) | Self::Later(_) | Self::Lost(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Logs a service that failed. Nothing else is worth a line.
    pub(crate) fn log(&self) {
        if let Self::Unavailable(Unavailable { service, reason }) = self {
            error!(service, reason, "a page is not available");
        }
    }

    /// Returns a title and a sentence for people.
    pub(crate) fn words(&self) -> (&'static str, String) {
        match self {
            Self::NotFound => ("Not found", "There is no such page.".to_owned()),
            Self::NotSignedIn => ("Not signed in", "Your session has ended. Sign in and try again.".to_owned()),
            Self::NoToken(why) => ("No valid token", (*why).to_owned()),
            Self::Forbidden(why) => ("Not allowed", (*why).to_owned()),
            Self::Unprocessable(why) => ("Nothing was changed", (*why).to_owned()),
            Self::TooOften(why) => ("Too often", (*why).to_owned()),
            Self::Malformed(why) => ("Cannot be read", why.clone()),
            Self::Conflict(why) => ("Nothing was changed", why.clone()),
            Self::Unavailable(_) => {
                let words =
                    "A service that this page needs does not answer. Nothing is half done; try again in a minute.";
                ("Not available", words.to_owned())
            }
            Self::Later(why) => ("Not available", why.clone()),
            Self::Lost(why) => ("Not available", format!("This page would be incomplete: {why}.")),
        }
    }
}

impl IntoResponse for Trouble {
    /// Makes the response without a page. The guard puts the page around it, because the page names the visitor.
    fn into_response(self) -> Response<Body> {
        self.log();
        let (title, words) = self.words();
        let mut response = self.status().into_response();
        if matches!(self, Self::TooOften(_)) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response.extensions_mut().insert(Explained { title, words });
        response
    }
}

/// Holds the title and the sentence of a page that cannot be shown.
#[derive(Debug, Clone)]
pub(crate) struct Explained {
    pub(crate) title: &'static str,
    pub(crate) words: String,
}

impl Explained {
    pub(crate) fn body(&self) -> Markup {
        html! { section.card.narrow { h1 { (self.title) } p { (printable(&self.words)) } } }
    }
}

/// Returns a page as a response.
pub(crate) fn page(status: StatusCode, markup: Markup) -> Response<Body> {
    let mut response = (status, markup.into_string()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
