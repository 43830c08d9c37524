//! Lets a partner's engineer in by the partner's own postback URL, to read and to try calls.

use std::{net::IpAddr, sync::Arc};

use app::sign_in::{self, UrlEntry};
use axum::{Extension, body::Body, extract::State, response::Response};
use domain::session::{Token, Visitor};
use maud::{Markup, html};
use tracing::{info, warn};

use crate::{
    gateway::Source,
    layout::form_secret,
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    site::{Site, session_cookie},
    visit::Visit,
};

const PAGE: &str = "/portal-url";

/// Draws the form for the page of the sign-in.
pub(crate) fn form(site: &Site, visit: &Visit) -> Markup {
    html! {
        form.card.narrow method="post" action=(site.path(PAGE)) {
            h2 { "Partners" }
            p { "Your own postback URL lets you see what you send us and what we send you, and try calls, for an hour. It changes nothing. For everything else GG3 sends you a link." }
            (form_secret(visit))
            label { "Your postback URL, with your token"
                input name="url" required maxlength="2048" autocomplete="off" spellcheck="false" placeholder="https://…/postback/acme/…"; }
            div.choices { button { "Open the portal" } }
        }
    }
}

/// Opens a session that changes nothing, if the URL is that of a partner.
pub(crate) async fn enter<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    source: Option<Extension<Source>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    if let Some(Visitor::Operator { .. }) = visit.visitor() {
        return Err(Trouble::Conflict(
            "You are signed in as an operator. Sign out before you open a portal.".to_owned(),
        ));
    }
    // Requests whose address is unknown share one limit.
    let source = source.map_or(IpAddr::from([0, 0, 0, 0]), |Extension(Source(source))| source);
    let token = Token::from_random((console.random)()?);
    let ports = (&console.configuration, &console.sessions, &console.strangers);
    let url = visit.form.get("url");
    match sign_in::use_url(ports, (url, source), &token, (console.now)()).await? {
        UrlEntry::Opened(_) => info!("a postback URL opened the portal"),
        UrlEntry::Refused => {
            warn!("a postback URL was refused at the portal");
            return Err(Trouble::Forbidden(
                "This URL opens no portal. Copy the whole postback URL that GG3 gave you, with its token. If you sign your calls, \
                 or call from agreed addresses alone, ask GG3 for a link.",
            ));
        }
        UrlEntry::TooOften => {
            return Err(Trouble::TooOften("Too many URLs were tried from your address. Try again in a minute."));
        }
    }
    if let Some(old) = &visit.session {
        sign_in::end(&console.sessions, old).await?;
    }
    Ok(redirect(&console.site.path(""), &[session_cookie(&token)]))
}
