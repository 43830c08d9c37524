//! Lists the changes that operators have made.

use std::sync::Arc;

use app::operators::audit::{self, action_words, subject_words};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    audit::{AuditRecord, Subject},
    jiff::{SignedDuration, Timestamp},
    values::{ids::Provider, printable::printable},
};
use maud::{Markup, html};

use super::listed::filter;
use crate::{
    layout::{self, time, value, words},
    ports::{Console, Ports},
    reply::Trouble,
    site::Site,
    visit::Visit,
};

const LIST: &str = "/audit";
/// Limits the changes of a page.
const MOST: usize = 100;
/// Says how many days a page covers.
const DAYS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Lists the newest changes of seven days. The field `until` holds the last instant of the seven days.
pub(crate) async fn list<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let until = until(visit.query.get("until"), (console.now)())?;
    let named = visit.query.get("provider");
    let unknown = |_| Trouble::Malformed(format!("{named} is no name of a partner."));
    let provider = if named.is_empty() { None } else { Some(Provider::new(named).map_err(unknown)?) };
    let since = until.saturating_sub(DAYS).unwrap_or(Timestamp::MIN);
    // The page before this one ends where this one begins.
    let after = since + SignedDuration::from_millis(1);
    let mut records = audit::list(&console.audits, (after, until), provider.as_ref()).await?;
    let rest = audit::cut(&mut records, MOST);
    let before = format!("{:.3}", rest.unwrap_or(since));
    let words = if rest.is_some() { "Older ones of these days" } else { "The 7 days before" };
    let body = html! {
        h1 { "Changes" }
        p.lead { "Who changed what, when and why, from " (time(since)) " to " (time(until)) "." }
        (filter(&console.site, &visit, LIST, &html! {}))
        @if records.is_empty() { section.card.empty { p { "Nobody changed anything in these days." } } }
        @for record in &records { (shown(&console.site, record)) }
        nav.older aria-label="Older changes" {
            a href=(console.site.path_with(LIST, &[("provider", named), ("until", &before)])) { (words) }
        }
    };
    Ok(layout::page(&console.site, &visit, "Changes", &body))
}

/// Reads the last instant of a page. An instant in the future is the present one.
fn until(text: &str, now: Timestamp) -> Result<Timestamp, Trouble> {
    if text.is_empty() {
        return Ok(now);
    }
    let read: Result<Timestamp, _> = text.parse();
    read.map(|at| at.min(now))
        .map_err(|_| Trouble::Malformed(format!("{text} is no instant such as 2026-11-23T12:00:00Z.")))
}

fn shown(site: &Site, record: &AuditRecord) -> Markup {
    let AuditRecord { at, author, author_name, channel, action, subject, why, details, .. } = record;
    html! {
        section.card {
            h2 {
                (action_words(*action)) ": "
                @if let Some(href) = page_of(site, subject) { a href=(href) { (subject_words(subject)) } } @else { (subject_words(subject)) }
            }
            p.when { (time(*at)) " by " @if let Some(name) = author_name { (words(name.as_str())) " (" (words(author.as_str())) ")" } @else { (words(author.as_str())) } " through " (channel.as_str()) }
            @if let Some(why) = why { p { "“" (words(why.as_str())) "”" } }
            @if !details.is_empty() { dl.facts { @for (name, text) in details { div {
                dt { (printable(&name.replace('_', " "))) }
                @for line in text.lines() { dd { (value(line)) } }
            } } } }
        }
    }
}

/// Returns the page about the subject of a change, if there is one.
fn page_of(site: &Site, subject: &Subject) -> Option<String> {
    let (page, field, text) = match subject {
        Subject::Partner { provider } => ("/partner", "name", provider.to_string()),
        Subject::Delivery { delivery_id, .. } => ("/webhook", "id", delivery_id.to_string()),
        Subject::Conflict { content_id, .. } => ("/conflict", "key", content_id.clone()),
        Subject::Refusal { content_id, .. } => ("/refusal", "key", content_id.clone()),
        _ => return None,
    };
    Some(site.path_with(page, &[(field, &text)]))
}
