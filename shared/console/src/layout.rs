//! Draws what all pages share: the frame with its navigation, times, and lists of values.

use app::operators::lookup_coverage::{Gap, Missing};
use axum::{body::Body, http::StatusCode, response::Response};
use domain::{jiff::Timestamp, session::Visitor, values::printable::printable};
use maud::{DOCTYPE, Markup, html};

use crate::{
    reply,
    site::Site,
    visit::{FORM, Visit},
};

/// Lists the pages of operators, in the order of the navigation.
const OPERATORS: &[(&str, &str)] = &[
    ("", "Overview"),
    ("/conflicts", "Conflicts"),
    ("/refusals", "Refusals"),
    ("/postbacks", "Postbacks"),
    ("/webhooks", "Webhooks"),
    ("/partners", "Partners"),
    ("/reports", "Reports"),
    ("/audit", "Changes"),
];

/// Lists the pages of partners, in the order of the navigation.
const PARTNERS: &[(&str, &str)] = &[
    ("", "Integration"),
    ("/code", "Code"),
    ("/log", "Log"),
    ("/sent", "Webhooks"),
    ("/signature", "Signature"),
    ("/numbers", "Numbers"),
    ("/go-live", "Go live"),
];

/// Returns a whole page as a response.
pub(crate) fn page(site: &Site, visit: &Visit, title: &str, body: &Markup) -> Response<Body> {
    reply::page(StatusCode::OK, shell(site, visit, title, body))
}

/// Draws the frame around a page.
pub(crate) fn shell(site: &Site, visit: &Visit, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (printable(title)) " · GG3 Postback" }
                link rel="icon" type="image/svg+xml" href=(site.path("/icon.svg"));
                link rel="stylesheet" href=(site.path("/style.css"));
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header.top {
                    a.brand href=(site.path("")) { span.mark aria-hidden="true" {} "GG3 Postback" }
                    @match visit.visitor() {
                        Some(Visitor::Operator { name, role, .. }) => {
                            form.find role="search" action=(site.path("/search")) {
                                input type="search" name="q" value=(shown_query(visit)) aria-label="Search"
                                    placeholder="acme/T-1, a user, a click or a webhook-id";
                                button { "Search" }
                            }
                            (leave(site, visit, &format!("{} · {}", printable(name), role.as_str())))
                        },
                        Some(Visitor::Partner { provider, reads_only: false }) => (leave(site, visit, provider.as_str())),
                        Some(Visitor::Partner { provider, reads_only: true }) => (leave(site, visit, &format!("{provider} · read only"))),
                        None => {},
                    }
                }
                @match visit.visitor() {
                    Some(Visitor::Operator { .. }) => (navigation(site, visit, OPERATORS)),
                    Some(Visitor::Partner { .. }) => (navigation(site, visit, PARTNERS)),
                    None => {},
                }
                main #content { (body) }
            }
        }
    }
}

fn shown_query(visit: &Visit) -> &str {
    if visit.page == "/search" { visit.query.get("q") } else { "" }
}

fn navigation(site: &Site, visit: &Visit, pages: &[(&str, &str)]) -> Markup {
    html! {
        nav.tabs aria-label="Pages" {
            @for (path, name) in pages {
                // The page of one conflict belongs to the list of conflicts, and `/sent-webhook` to `/sent`.
                @let is_below = !path.is_empty() && (format!("{}s", visit.page) == *path || visit.page.starts_with(&format!("{path}-")));
                @let current = visit.page == *path || is_below || path.is_empty() && ["/try", "/days", "/dead-letters"].contains(&visit.page.as_str());
                a href=(site.path(path)) aria-current=[current.then_some("page")] { (name) }
            }
        }
    }
}

fn leave(site: &Site, visit: &Visit, who: &str) -> Markup {
    html! {
        form.leave method="post" action=(site.path("/sign-out")) {
            span.who { (who) }
            (form_secret(visit))
            button.quiet { "Sign out" }
        }
    }
}

/// Draws the hidden field that every form of a session sends.
pub(crate) fn form_secret(visit: &Visit) -> Markup {
    html! { input type="hidden" name=(FORM) value=(visit.form_secret()); }
}

/// Draws an instant in UTC, to the second.
pub(crate) fn time(at: Timestamp) -> Markup {
    let whole = format!("{at:.0}");
    let readable = whole.replace('T', " ").replace('Z', "");
    html! { time datetime=(whole) title="UTC" { (readable) } }
}

/// Draws a value that came from outside, in its own direction and with its invisible characters made visible.
pub(crate) fn value(text: &str) -> Markup {
    html! { @if text.is_empty() { span.none { "–" } } @else { bdi.value { (printable(text)) } } }
}

/// Draws a sentence that may quote a value from outside.
pub(crate) fn words(text: &str) -> Markup {
    html! { bdi { (printable(text)) } }
}

/// Draws names and values beside each other.
pub(crate) fn facts(facts: &[(String, String)]) -> Markup {
    html! {
        @if !facts.is_empty() {
            dl.facts { @for (name, text) in facts { div { dt { (printable(name)) } dd { (value(text)) } } } }
        }
    }
}

/// Warns that a list may lack entries.
pub(crate) fn gaps(gaps: &[Gap]) -> Markup {
    html! {
        @for Gap { table, missing } in gaps {
            p.warning role="note" {
                @match missing {
                    Missing::Before { since } => { "Entries of " (table) " before " (time(*since)) " are missing here. An operator can add them: " code { "postbackctl lookups rebuild" } },
                    Missing::Newest { up_to, .. } => { "The newest entries of " (table) " are missing here. They are complete up to " (time(*up_to)) "; look again in some minutes." },
                }
            }
        }
    }
}
