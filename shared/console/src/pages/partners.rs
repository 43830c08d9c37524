//! Lists partners, examines one of them, and pauses and resumes it.

pub(crate) mod credentials;
pub(crate) mod file;

use std::sync::Arc;

use app::{
    operators::{
        doctor::{Doctor, DoctorFault, Finding, Level},
        pause_partner::{PauseFault, Wanted, pause},
    },
    ports::{Partners as _, StoredPartner},
};
use axum::{body::Body, extract::State, response::Response};
use domain::{
    jiff::SignedDuration,
    partner::{PAUSED_RETRY_SECONDS, Side},
    session::Role,
    values::ids::Provider,
};
use maud::{Markup, html};

use super::{
    begin,
    listed::{next_partners, some},
    reason,
};
use crate::{
    layout::{self, form_secret, time, value, words},
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    site::Site,
    visit::Visit,
};

const LIST: &str = "/partners";
const ONE: &str = "/partner";
/// Says for how long a partner's calls and webhooks are examined.
const EXAMINED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Lists the partners in the order of their names.
pub(crate) async fn list<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let (stored, next) = some(&console, &visit).await?;
    let body = html! {
        h1 { "Partners" }
        @if visit.may(Role::Admin) { p.links { a.button href=(console.site.path("/partner-file")) { "A new partner" } } }
        @if stored.is_empty() {
            section.card.empty { p { "No partner is configured yet. " code { "postbackctl apply" } " adds partners." } }
        } @else {
            section.card { div.wide tabindex="0" { table {
                thead { tr { th scope="col" { "partner" } th scope="col" { "calls" } th scope="col" { "webhooks" } th scope="col" { "changed" } } }
                tbody { @for partner in &stored { tr {
                    th scope="row" { a href=(path_of(&console.site, &partner.provider)) { (partner.provider) } }
                    @for side in [Side::Postbacks, Side::Webhooks] { td { (standing(partner, side)) } }
                    td { (time(partner.updated_at)) }
                } } }
            } } }
        }
        (next_partners(&console.site, LIST, next.as_ref()))
    };
    Ok(layout::page(&console.site, &visit, "Partners", &body))
}

fn standing(partner: &StoredPartner, side: Side) -> Markup {
    html! {
        @if partner.pauses.since(side).is_some() { span.status.waits { "paused" } } @else { span.status.good { "as agreed" } }
    }
}

fn path_of(site: &Site, provider: &Provider) -> String {
    site.path_with(ONE, &[("name", provider.as_str())])
}

/// Reads the partner that a field names.
pub(crate) async fn named<P: Ports>(console: &Console<P>, name: &str) -> Result<StoredPartner, Trouble> {
    let provider = Provider::new(name).map_err(|_| Trouble::NotFound)?;
    console.configuration.partner(&provider).await?.ok_or(Trouble::NotFound)
}

/// Examines a partner, as `postbackctl doctor` does, and offers what can be done about it.
pub(crate) async fn one<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let partner = named(&console, visit.query.get("name")).await?;
    let provider = &partner.provider;
    let findings = examined(&console, provider).await?;
    let of = |page: &str| console.site.path_with(page, &[("provider", provider.as_str())]);
    let pages = [
        ("/postbacks", "Postbacks"),
        ("/refusals", "Refusals"),
        ("/conflicts", "Conflicts"),
        ("/webhooks", "Webhooks"),
        ("/audit", "Changes"),
    ];
    let body = html! {
        h1 { (provider) }
        p.links {
            @for (page, name) in pages { a.button href=(of(page)) { (name) } " " }
            a.button href=(console.site.path_with("/partner-file", &[("name", provider.as_str())])) { "Its file" } " "
            a.button href=(console.site.path_with("/partners-kit", &[("name", provider.as_str())])) download { "Its kit" }
            @if visit.may(Role::Operator) { " " a.button href=(of("/webhooks-test")) { "A test webhook" } }
        }
        section.card {
            h2 { "How it does" }
            p.hint { "Calls and webhooks of the last 7 days. Dead letters are not looked at here: " code { "postbackctl doctor " (provider) } }
            ul.findings { @for finding in &findings { (shown(finding)) } }
        }
        @if visit.may(Role::Operator) {
            @for side in [Side::Webhooks, Side::Postbacks] { (pausing(&console.site.path(ONE), &visit, &partner, side)) }
        }
        (credentials::offered(&console, &visit, &partner)?)
    };
    Ok(layout::page(&console.site, &visit, provider.as_str(), &body))
}

/// Examines what a partner did in the last 7 days.
pub(crate) async fn examined<P: Ports>(console: &Console<P>, provider: &Provider) -> Result<Vec<Finding>, Trouble> {
    let now = (console.now)();
    let doctor = Doctor {
        partners: &console.configuration,
        trail: &console.audits,
        listings: &console.trace.listings,
        inbound: &console.trace.inbound,
        deliveries: &console.trace.deliveries,
        endpoints: &console.trace.endpoints,
    };
    doctor.examine(provider, (now - EXAMINED, now)).await.map_err(|fault| match fault {
        DoctorFault::Unavailable(fault) => Trouble::Unavailable(fault),
        DoctorFault::Unknown(_) => Trouble::NotFound,
    })
}

fn shown(Finding { level, about, found, cure }: &Finding) -> Markup {
    let (mood, level) = match level {
        Level::Good => ("good", "good"),
        Level::Note => ("plain", "note"),
        Level::Act => ("bad", "act"),
    };
    html! { li {
        span class=(format!("status {mood}")) { (level) }
        div { strong { (about.words()) } ": " (words(found)) @if let Some(cure) = cure { span.cure { (words(cure)) } } }
    } }
}

/// Draws the form that pauses a part of a partner, or ends its pause.
fn pausing(action: &str, visit: &Visit, partner: &StoredPartner, side: Side) -> Markup {
    let since = partner.pauses.since(side);
    let (title, effect) = match side {
        Side::Webhooks => {
            ("Webhooks", "No webhook of any campaign is sent. What is owed waits, and spends no attempt.".to_owned())
        }
        Side::Postbacks => (
            "Calls",
            format!(
                "Calls are answered 503 and not recorded. A partner that repeats them, as it was told to, at the earliest after {PAUSED_RETRY_SECONDS} s, loses nothing."
            ),
        ),
    };
    html! {
        form.card method="post" action=(action) {
            h2 { (title) @if since.is_some() { " " span.status.waits { "paused" } } }
            p { @if let Some(since) = since { "Paused since " (time(since)) ". " } (effect) " A change takes effect within a minute." }
            (form_secret(visit))
            input type="hidden" name="name" value=(partner.provider);
            input type="hidden" name="part" value=(side.words());
            (reason())
            div.choices {
                @if since.is_some() { button.strong name="do" value="resume" { "Resume " (side.words()) } }
                @else { button name="do" value="pause" { "Pause " (side.words()) } }
            }
        }
    }
}

/// Pauses or resumes a part of a partner, as `postbackctl pause` and `postbackctl resume` do.
pub(crate) async fn change<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let provider = Provider::new(visit.form.get("name")).map_err(|_| Trouble::NotFound)?;
    let paused = match visit.form.get("do") {
        "pause" => Some(true),
        "resume" => Some(false),
        _ => None,
    };
    let paused = paused.ok_or_else(|| Trouble::Malformed("Choose to pause or to resume.".to_owned()))?;
    changed(&console, &visit, &provider, paused).await?;
    Ok(redirect(&path_of(&console.site, &provider), &[]))
}

/// Pauses or resumes what the field `part` names.
pub(crate) async fn changed<P: Ports>(
    console: &Console<P>,
    visit: &Visit,
    provider: &Provider,
    paused: bool,
) -> Result<(), Trouble> {
    let side = [Side::Webhooks, Side::Postbacks].into_iter().find(|side| side.words() == visit.form.get("part"));
    let side = side.ok_or_else(|| Trouble::Malformed("Choose a part: webhooks or postbacks.".to_owned()))?;
    let (operation, _) = begin(console, visit)?;
    let wanted = Wanted { provider, side, paused };
    pause(&console.configuration, wanted, (&operation, (console.now)())).await.map_err(|fault| match fault {
        PauseFault::Unavailable(fault) | PauseFault::Unclear(_, fault) => Trouble::Unavailable(fault),
        PauseFault::Unknown(_) => Trouble::NotFound,
        PauseFault::Changed(_) => {
            Trouble::Conflict(format!("{provider} was changed by somebody else in the meantime. Look at it again."))
        }
    })?;
    Ok(())
}

/// Draws the partner's name as a heading of a page about it.
fn heading(site: &Site, provider: &Provider) -> Markup {
    html! { h1 { a href=(path_of(site, provider)) { (value(provider.as_str())) } } }
}
