//! Signs operators in and out.

use std::sync::Arc;

use app::sign_in;
use axum::{body::Body, extract::State, response::Response};
use domain::session::{Token, Visitor};
use maud::html;
use tracing::{info, warn};

use crate::{
    issuer::{Identity, IdentityFault, Issuer, STATE},
    layout,
    pages::portal::by_url,
    ports::{Console, Ports},
    reply::{Trouble, redirect},
    return_path::ReturnPath,
    site::{RETURN_COOKIE, SESSION_COOKIE, SIGN_IN_COOKIE, no_cookie, return_cookie, session_cookie, sign_in_cookie},
    visit::Visit,
};

/// Names the field of the page to which a sign-in leads.
const TO: &str = "to";

/// Shows the page that leads to the issuer. The field `to` holds the page that was opened without a session.
pub(crate) async fn ask<P: Ports>(State(console): State<Arc<Console<P>>>, visit: Visit) -> Response<Body> {
    let back = ReturnPath::parse(visit.query.get(TO));
    let start = console.site.path_with("/sign-in/start", &[(TO, back.as_ref().map_or("", ReturnPath::as_str))]);
    let body = html! {
        section.card.narrow.welcome {
            h1 { "Sign in" }
            p { "GG3's operators sign in here. A partner comes in by the link that GG3 sent, or by its postback URL." }
            p { a.button href=(start) { "Sign in as an operator" } }
        }
        (by_url::form(&console.site, &visit))
    };
    layout::page(&console.site, &visit, "Sign in", &body)
}

/// Begins a sign-in and leads to the issuer. The secret of the sign-in stays in the browser, and so does the page to which
/// the sign-in leads.
pub(crate) async fn start<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    let secret = Token::from_random((console.random)()?);
    let back = ReturnPath::parse(visit.query.get(TO));
    // The page of an earlier sign-in that was not finished is forgotten.
    let back = back.as_ref().map_or_else(|| no_cookie(RETURN_COOKIE), return_cookie);
    Ok(redirect(&console.issuer.sign_in_url(&secret), &[sign_in_cookie(&secret), back]))
}

/// Ends a sign-in: the issuer sent the person back with a code.
pub(crate) async fn finish<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    const AGAIN: &str = "This sign-in is not valid, or took longer than ten minutes. Sign in again.";
    let secret = visit.sign_in.as_ref().filter(|secret| secret.has_derived(STATE, visit.query.get(STATE)));
    let Some(secret) = secret else { return Err(Trouble::Forbidden(AGAIN)) };
    let Identity { author, name, role } =
        console.issuer.identify(visit.query.get("code"), secret).await.map_err(|fault| match fault {
            IdentityFault::Unavailable(fault) => Trouble::Unavailable(fault),
            IdentityFault::Refused(reason) => {
                warn!(reason, "a sign-in was refused");
                Trouble::Forbidden(AGAIN)
            }
        })?;
    let Some(role) = role else {
        return Err(Trouble::Forbidden(
            "You are in none of the groups viewer, operator and admin. Ask an administrator to add you to one.",
        ));
    };
    let token = Token::from_random((console.random)()?);
    sign_in::open(&console.sessions, &token, Visitor::Operator { author, name, role }, (console.now)()).await?;
    if let Some(old) = &visit.session {
        sign_in::end(&console.sessions, old).await?;
    }
    info!(role = role.as_str(), "an operator signed in");
    let cookies = [session_cookie(&token), no_cookie(SIGN_IN_COOKIE), no_cookie(RETURN_COOKIE)];
    let to = visit.return_to.as_ref().map_or_else(|| console.site.path(""), |back| back.on(&console.site));
    Ok(redirect(&to, &cookies))
}

/// Ends the session, here and in the table.
pub(crate) async fn sign_out<P: Ports>(
    State(console): State<Arc<Console<P>>>,
    visit: Visit,
) -> Result<Response<Body>, Trouble> {
    if let Some(token) = &visit.session {
        sign_in::end(&console.sessions, token).await?;
    }
    Ok(redirect(&console.site.path("/sign-in"), &[no_cookie(SESSION_COOKIE)]))
}
