//! Lets a person follow the log: the browser loads the page again by itself, without a script.
//!
//! Nobody's page is loaded again unasked. The person starts it, sees that it goes on, and stops it; it also stops by itself,
//! so that a page that was forgotten costs no reads for long.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue},
    response::Response,
};
use domain::jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use crate::{layout::time, site::Site, visit::Visit};

/// Names the field that holds the Unix second since which the log is followed.
const FOLLOW: &str = "follow";
/// Says after how many seconds the page is loaded again. Entries of the last few seconds may be missing anyway.
const AGAIN_SECONDS: &str = "10";
/// Says for how long the log is followed.
const LASTS: SignedDuration = SignedDuration::from_mins(15);

/// Says if a page is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Following {
    /// Nobody follows it.
    No,
    /// It is loaded again, and has been since this instant.
    Since(Timestamp),
    /// It was followed long enough.
    Ended,
}

impl Following {
    /// Reads the field of a visit. Only the newest entries can be followed.
    pub(super) fn of(visit: &Visit, now: Timestamp) -> Self {
        let begun = visit.query.get(FOLLOW).parse().ok().and_then(|second| Timestamp::from_second(second).ok());
        let is_newest = ["refused", "accepted"].iter().all(|field| visit.query.get(field).is_empty());
        match begun {
            Some(begun) if is_newest && begun <= now && now.duration_since(begun) < LASTS => Self::Since(begun),
            Some(begun) if is_newest && begun <= now => Self::Ended,
            _ => Self::No,
        }
    }

    /// Draws what is going on, and the link that starts or stops it. `count` counts what
    /// came since an instant: refused and accepted calls, each with true if there may be more.
    pub(super) fn shown(
        self,
        site: &Site,
        page: &str,
        now: Timestamp,
        count: impl Fn(Timestamp) -> [(usize, bool); 2],
    ) -> Markup {
        let shown = |(count, is_more): (usize, bool)| format!("{count}{}", if is_more { " or more" } else { "" });
        let start = site.path_with(page, &[(FOLLOW, &now.as_second().to_string())]);
        html! {
            section.card {
                @match self {
                    Self::Since(begun) => {
                        @let [refused, accepted] = count(begun).map(shown);
                        p role="status" { strong { (refused) " refused, " (accepted) " accepted" } " since " (time(begun)) ", as of " (time(now)) "." }
                        p.hint { "This page loads itself again every " (AGAIN_SECONDS) " seconds for " (LASTS.as_mins()) " minutes, until you stop it." }
                        p.links { a.button href=(site.path(page)) { "Stop following" } }
                    },
                    Self::Ended => {
                        p role="status" { "Following has ended after " (LASTS.as_mins()) " minutes." }
                        p.links { a.button href=(start) { "Follow again" } }
                    },
                    Self::No => {
                        p { "New calls appear when you load this page again, or by themselves if you follow it." }
                        p.links { a.button href=(start) { "Follow new calls" } }
                    },
                }
            }
        }
    }

    /// Makes the browser load a followed page again.
    pub(super) fn keep_up(self, mut response: Response<Body>) -> Response<Body> {
        if let Self::Since(_) = self {
            let again = HeaderValue::from_static(AGAIN_SECONDS);
            response.headers_mut().insert(HeaderName::from_static("refresh"), again);
        }
        response
    }
}
