//! Decides who may open a page, before the page's own code runs.

use std::sync::Arc;

use app::sign_in;
use axum::{
    body::{self, Body},
    extract::{Request, State},
    http::{Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{
    audit::Channel,
    session::{Role, Token, Visitor},
};

use crate::{
    gateway,
    layout::shell,
    ports::{Console, Ports},
    reply::{Explained, Trouble, harden, page, redirect},
    return_path::ReturnPath,
    site::{RETURN_COOKIE, SESSION_COOKIE, SIGN_IN_COOKIE},
    visit::{FORM, Fields, Visit},
};

/// Names the path below which the router has the pages.
pub(crate) const CONSOLE: &str = "/console";

/// Says who may open a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody. The file is the same for all, so the session is not read.
    File,
    /// Everybody, signed in or not.
    Anybody,
    /// Everybody who is signed in: operators and partners.
    SignedIn,
    /// Operators with at least this role. For partners there is no such page.
    Operators(Role),
    /// Partners, however they came in. For operators there is no such page.
    Partners,
    /// Partners who came in by a link. Those who came in by their postback URL change nothing.
    PartnersByLink,
}

/// Admits a visit to a page or answers in its place. `Access` is what the page's route says.
pub(crate) async fn guard<P: Ports>(
    State((console, access)): State<(Arc<Console<P>>, Access)>,
    request: Request,
    next: Next,
) -> Response<Body> {
    if access == Access::File {
        let mut response = next.run(request).await;
        harden(&mut response);
        return response;
    }
    let opened = request.uri().path_and_query().map_or("", |opened| opened.as_str()).to_owned();
    let visit = match admit(&console, access, request).await {
        Ok((visit, mut request)) => {
            request.extensions_mut().insert(visit.clone());
            (visit, next.run(request).await)
        }
        Err((visit, trouble)) => (visit, refuse(&console, trouble, &opened)),
    };
    finish(&console, &visit.0, visit.1)
}

/// Answers a request for which there is no route.
pub(crate) async fn unknown<P: Ports>(State(console): State<Arc<Console<P>>>, request: Request) -> Response<Body> {
    match visit(&console, request).await {
        Ok((visit, _)) => finish(&console, &visit, Trouble::NotFound.into_response()),
        Err((visit, trouble)) => finish(&console, &visit, trouble.into_response()),
    }
}

/// Puts a page around a fault, and adds the headers of every response.
fn finish<P: Ports>(console: &Console<P>, visit: &Visit, mut response: Response<Body>) -> Response<Body> {
    if let Some(explained) = response.extensions_mut().remove::<Explained>() {
        response = page(response.status(), shell(&console.site, visit, explained.title, &explained.body()));
    }
    harden(&mut response);
    response
}

/// Answers a visit that is not admitted. A page that a person opens without a session leads to the sign-in, which leads
/// back.
fn refuse<P: Ports>(console: &Console<P>, trouble: Refusal, opened: &str) -> Response<Body> {
    match trouble {
        Refusal::ToSignIn => {
            let back = opened.strip_prefix(CONSOLE).and_then(ReturnPath::parse);
            let back = back.as_ref().map_or("", ReturnPath::as_str);
            redirect(&console.site.path_with("/sign-in", &[("to", back)]), &[])
        }
        Refusal::Because(trouble) => trouble.into_response(),
    }
}

enum Refusal {
    ToSignIn,
    Because(Trouble),
}

type Admitted = (Visit, Request);

async fn admit<P: Ports>(console: &Console<P>, access: Access, request: Request) -> Result<Admitted, (Visit, Refusal)> {
    let is_change = request.method() == Method::POST;
    let is_foreign = request.headers().get(header::ORIGIN).is_some_and(|origin| {
        // A browser names the origin of the page that sends a form. Another site's form ends here.
        !origin.to_str().is_ok_and(|origin| console.site.is_origin(origin))
    });
    let (visit, request) =
        visit(console, request).await.map_err(|(visit, trouble)| (visit, Refusal::Because(trouble)))?;
    let refused = match (access, visit.visitor()) {
        (Access::File | Access::Anybody, _)
        | (Access::SignedIn, Some(_))
        | (Access::Partners, Some(Visitor::Partner { .. }))
        | (Access::PartnersByLink, Some(Visitor::Partner { reads_only: false, .. })) => None,
        (Access::PartnersByLink, Some(Visitor::Partner { reads_only: true, .. })) => {
            Some(Refusal::Because(Trouble::Forbidden(
                "You came in by your postback URL, which changes nothing. Ask GG3 for a link to your portal.",
            )))
        }
        (_, None) if is_change => Some(Refusal::Because(Trouble::NotSignedIn)),
        (_, None) => Some(Refusal::ToSignIn),
        (Access::Operators(_), Some(Visitor::Partner { .. }))
        | (Access::Partners | Access::PartnersByLink, Some(Visitor::Operator { .. })) => {
            Some(Refusal::Because(Trouble::NotFound))
        }
        (Access::Operators(wanted), Some(Visitor::Operator { .. })) if visit.may(wanted) => None,
        (Access::Operators(_), Some(Visitor::Operator { .. })) => Some(Refusal::Because(Trouble::Forbidden(
            "Your role does not allow this. Ask an administrator for another group.",
        ))),
    };
    let refused = refused.or_else(|| {
        let session = visit.session.as_ref().filter(|_| is_change);
        let is_forged = session.is_some_and(|token| !token.has_derived(FORM, visit.form.get(FORM)));
        let why = "The form did not come from this console, or your session has changed. Open the page again.";
        (is_change && is_foreign || is_forged).then_some(Refusal::Because(Trouble::Forbidden(why)))
    });
    match refused {
        None => Ok((visit, request)),
        Some(refusal) => Err((visit, refusal)),
    }
}

/// Reads the session and the fields of a request. The body of a form is read here, and pages get its fields.
async fn visit<P: Ports>(console: &Console<P>, request: Request) -> Result<Admitted, (Visit, Trouble)> {
    let (parts, body) = request.into_parts();
    let cookie = |name: &str| {
        let cookies = parts.headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
    };
    let path = parts.uri.path();
    let mut visit = Visit {
        visitor: None,
        session: None,
        channel: Channel::Console,
        query: Fields::parse(parts.uri.query().unwrap_or_default().as_bytes()),
        form: Fields::default(),
        sign_in: cookie(SIGN_IN_COOKIE).and_then(Token::parse),
        return_to: cookie(RETURN_COOKIE).and_then(ReturnPath::of_cookie),
        page: path.strip_prefix(CONSOLE).unwrap_or(path).to_owned(),
    };
    if let Some(token) = cookie(SESSION_COOKIE).and_then(Token::parse) {
        match sign_in::find(&console.sessions, &token, (console.now)()).await {
            Ok(Some(session)) => (visit.visitor, visit.session) = (Some(session.visitor), Some(token)),
            Ok(None) => {}
            Err(fault) => return Err((visit, fault.into())),
        }
    }
    let Ok(bytes) = body::to_bytes(body, gateway::max_body_bytes()).await else {
        return Err((visit, Trouble::Malformed("The form is too long.".to_owned())));
    };
    visit.form = Fields::parse(&bytes);
    Ok((visit, Request::from_parts(parts, Body::empty())))
}
