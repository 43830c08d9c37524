//! Lists every page, with the visitors that may open it.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::Method,
    middleware::from_fn_with_state,
    response::Response,
    routing::{MethodRouter, get, post},
};
use domain::session::Role;

use crate::{
    api,
    guard::{Access, CONSOLE, guard, unknown},
    pages::{
        attention, audit, conflicts, days, kit, overview, partners, portal, postbacks, refusals, reports, resend,
        search, session, style, test_webhook, webhooks,
    },
    ports::{Console, Ports},
};

/// Describes one page, or one call of the API.
pub(crate) struct Route<P: Ports> {
    #[cfg_attr(not(test), expect(dead_code, reason = "the handler has it too; tests walk all pages by it"))]
    pub(crate) method: Method,
    /// Holds the path below `/console` or [`api::BASE`].
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) handler: MethodRouter<Arc<Console<P>>>,
}

/// Returns all pages. Each is served only through this list, so none lacks its guard.
pub(crate) fn routes<P: Ports>() -> Vec<Route<P>> {
    use Access::{Anybody, File, Operators, Partners, PartnersByLink, SignedIn};
    let shows = |path, access, handler| Route { method: Method::GET, path, access, handler };
    let changes = |path, access, handler| Route { method: Method::POST, path, access, handler };
    vec![
        shows("/style.css", File, get(style::sheet)),
        shows("/icon.svg", File, get(style::icon)),
        shows("/sign-in", Anybody, get(session::ask::<P>)),
        shows("/sign-in/start", Anybody, get(session::start::<P>)),
        shows("/signed-in", Anybody, get(session::finish::<P>)),
        changes("/sign-out", SignedIn, post(session::sign_out::<P>)),
        shows("", SignedIn, get(overview::home::<P>)),
        shows("/days", Operators(Role::Viewer), get(days::show::<P>)),
        shows("/days-picture", Operators(Role::Viewer), get(days::picture::<P>)),
        shows("/dead-letters", Operators(Role::Viewer), get(attention::list::<P>)),
        shows("/search", Operators(Role::Viewer), get(search::find::<P>)),
        shows("/conflicts", Operators(Role::Viewer), get(conflicts::list::<P>)),
        shows("/conflict", Operators(Role::Viewer), get(conflicts::one::<P>)),
        changes("/conflict", Operators(Role::Operator), post(conflicts::resolve::<P>)),
        shows("/refusals", Operators(Role::Viewer), get(refusals::list::<P>)),
        shows("/refusal", Operators(Role::Viewer), get(refusals::one::<P>)),
        changes("/refusal", Operators(Role::Operator), post(refusals::send_again::<P>)),
        shows("/postbacks", Operators(Role::Viewer), get(postbacks::list::<P>)),
        shows("/webhooks", Operators(Role::Viewer), get(webhooks::list::<P>)),
        shows("/webhook", Operators(Role::Viewer), get(webhooks::one::<P>)),
        changes("/webhook", Operators(Role::Operator), post(webhooks::send_again::<P>)),
        shows("/webhooks-resend", Operators(Role::Operator), get(resend::preview::<P>)),
        changes("/webhooks-resend", Operators(Role::Operator), post(resend::send::<P>)),
        shows("/webhooks-test", Operators(Role::Operator), get(test_webhook::ask::<P>)),
        changes("/webhooks-test", Operators(Role::Operator), post(test_webhook::send::<P>)),
        shows("/partners", Operators(Role::Viewer), get(partners::list::<P>)),
        shows("/partner", Operators(Role::Viewer), get(partners::one::<P>)),
        changes("/partner", Operators(Role::Operator), post(partners::change::<P>)),
        shows("/partners-kit", Operators(Role::Viewer), get(kit::of_partner::<P>)),
        changes("/partners-link", Operators(Role::Operator), post(partners::credentials::link::<P>)),
        changes("/partners-token", Operators(Role::Admin), post(partners::credentials::token::<P>)),
        shows("/partner-file", Operators(Role::Viewer), get(partners::file::show::<P>)),
        changes("/partner-file", Operators(Role::Admin), post(partners::file::change::<P>)),
        shows("/reports", Operators(Role::Viewer), get(reports::ask::<P>)),
        shows("/audit", Operators(Role::Viewer), get(audit::list::<P>)),
        shows("/portal", Anybody, get(portal::enter::<P>)),
        changes("/portal", Anybody, post(portal::follow::<P>)),
        changes("/portal-url", Anybody, post(portal::by_url::enter::<P>)),
        changes("/try", Partners, post(portal::try_out::<P>)),
        shows("/log", Partners, get(portal::log::<P>)),
        shows("/code", Partners, get(portal::code::list::<P>)),
        shows("/kit", Partners, get(kit::own_kit::<P>)),
        shows("/signature", Partners, get(portal::signature::ask::<P>)),
        changes("/signature", Partners, post(portal::signature::check::<P>)),
        shows("/numbers", Partners, get(portal::progress::numbers::<P>)),
        shows("/go-live", Partners, get(portal::progress::steps::<P>)),
        shows("/sent", Partners, get(portal::sent::<P>)),
        shows("/sent-again", PartnersByLink, get(resend::own_preview::<P>)),
        changes("/sent-again", PartnersByLink, post(resend::own_send::<P>)),
        shows("/sent-test", PartnersByLink, get(test_webhook::own_ask::<P>)),
        changes("/sent-test", PartnersByLink, post(test_webhook::own_send::<P>)),
        shows("/sent-webhook", Partners, get(portal::sent_one::<P>)),
    ]
}

/// Returns the router of all pages and calls.
pub(crate) fn router<P: Ports>(console: Arc<Console<P>>) -> Router {
    let mut router = Router::new();
    for Route { path, access, handler, .. } in routes::<P>() {
        let guard = from_fn_with_state((console.clone(), access), guard::<P>);
        router = router.route(&format!("{CONSOLE}{path}"), handler.layer(guard));
    }
    for Route { path, access, handler, .. } in api::routes::<P>() {
        let guard = from_fn_with_state((console.clone(), access), api::guard::<P>);
        router = router.route(&format!("{}{path}", api::BASE), handler.layer(guard));
    }
    router.fallback(nowhere::<P>).with_state(console)
}

/// Answers a request for which there is no route.
async fn nowhere<P: Ports>(console: State<Arc<Console<P>>>, request: Request) -> Response<Body> {
    if request.uri().path().starts_with(api::BASE) {
        api::unknown(&console.site)
    } else {
        unknown(console, request).await
    }
}
