//! The management API: what the console does, as JSON for programs.
//!
//! A caller sends an ID token of the console's issuer as its bearer token, and has the role of its person. Cookies mean
//! nothing here, so no form of another site reaches it. Calls have the same use cases and the same audit records as the
//! pages. `assets/v1.yaml` describes it; a test holds both together.

mod changes;
mod lists;

use std::{collections::HashMap, sync::Arc};

use app::ports::NamedRequests as _;
use axum::{
    body::{self, Body},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use domain::{
    audit::Channel,
    named_request::{KeptAnswer, NamedRequest, RequestKey, Standing},
    session::{Role, Visitor},
};
use serde::Serialize;
use serde_json::json;
use tracing::{error, warn};

use crate::{
    gateway::{IDEMPOTENCY_KEY, max_body_bytes},
    guard::Access,
    issuer::{Identity, IdentityFault, Issuer as _},
    pages::style,
    ports::{Console, Ports},
    reply::{Explained, Trouble, harden},
    routes::Route,
    site::Site,
    visit::{Fields, Visit},
};

/// Names the path below which the API is.
pub(crate) const BASE: &str = "/v1";
const NO_CALL: &str = "No such call";
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Says that an answer is that of an earlier call.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Lists the fields of all calls.
const FIELDS: [&str; 13] = [
    "why", "part", "do", "file", "version", "since", "before", "status", "decision", "round", "campaign", "click_id",
    "user_id",
];
/// Bounds an answer that is kept, in bytes. Items of DynamoDB have at most 400 KB.
const MAX_KEPT_BYTES: usize = 200 * 1024;

/// Returns all calls. Each is served only through this list, so none lacks its guard.
pub(crate) fn routes<P: Ports>() -> Vec<Route<P>> {
    use Access::{File, Operators};
    let viewer = Operators(Role::Viewer);
    let operator = Operators(Role::Operator);
    let shows = |path, access, handler| Route { method: Method::GET, path, access, handler };
    let changes = |path, access, handler| Route { method: Method::POST, path, access, handler };
    vec![
        shows("/openapi.yaml", File, get(style::openapi)),
        shows("/partners", viewer, get(lists::partners::<P>)),
        shows("/partners/{provider}", viewer, get(lists::partner::<P>)),
        shows("/partners/{provider}/counts", viewer, get(lists::counts::<P>)),
        shows("/partners/{provider}/kit", viewer, get(lists::kit::<P>)),
        shows("/partners/{provider}/file", viewer, get(lists::file::<P>)),
        changes("/partners/{provider}/file", Operators(Role::Admin), post(changes::file::<P>)),
        changes("/partners/{provider}/pause", operator, post(changes::pause::<P>)),
        changes("/partners/{provider}/resume", operator, post(changes::resume::<P>)),
        changes("/partners/{provider}/links", operator, post(changes::link::<P>)),
        changes("/partners/{provider}/tokens", Operators(Role::Admin), post(changes::token::<P>)),
        changes("/partners/{provider}/resend", operator, post(changes::resend_failed::<P>)),
        changes("/partners/{provider}/webhook-tests", operator, post(changes::test_webhook::<P>)),
        shows("/postbacks", viewer, get(lists::postbacks::<P>)),
        shows("/refusals", viewer, get(lists::refusals::<P>)),
        shows("/refusals/{provider}/{digest}", viewer, get(lists::refusal::<P>)),
        changes("/refusals/{provider}/{digest}/resubmit", operator, post(changes::resubmit::<P>)),
        shows("/conflicts", viewer, get(lists::conflicts::<P>)),
        shows("/conflicts/{provider}/{digest}", viewer, get(lists::conflict::<P>)),
        changes("/conflicts/{provider}/{digest}/resolve", operator, post(changes::resolve::<P>)),
        shows("/deliveries", viewer, get(lists::deliveries::<P>)),
        shows("/deliveries/{delivery_id}", viewer, get(lists::delivery::<P>)),
        changes("/deliveries/{delivery_id}/resend", operator, post(changes::resend::<P>)),
        shows("/trace", viewer, get(lists::trace::<P>)),
        shows("/reports", viewer, get(lists::report::<P>)),
        shows("/audit", viewer, get(lists::audit::<P>)),
    ]
}

/// Holds what a call is answered.
type Answer = Result<Response<Body>, Trouble>;

/// Makes the answer to a call.
fn answer(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = (status, text).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Marks an answer that holds a secret. It is not kept for the same call, if that comes again.
#[derive(Debug, Clone, Copy)]
struct ShownOnce;

/// Admits a call or answers in its place. `Access` is what the call's route says.
pub(crate) async fn guard<P: Ports>(
    State((console, access)): State<(Arc<Console<P>>, Access)>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let response = match access {
        Access::File => next.run(request).await,
        _ => admit(&console, access, request, next).await.unwrap_or_else(IntoResponse::into_response),
    };
    finish(response)
}

/// Answers a call for which there is no route, and says where all calls are described.
pub(crate) fn unknown(site: &Site) -> Response<Body> {
    let words = format!("There is no such call. {}{BASE}/openapi.yaml describes all calls.", site.api());
    let mut response = StatusCode::NOT_FOUND.into_response();
    response.extensions_mut().insert(Explained { title: NO_CALL, words });
    finish(response)
}

/// Describes a fault as RFC 9457 says, and adds the headers of every response.
fn finish(mut response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let explained = response.extensions_mut().remove::<Explained>();
    if status.is_client_error() || status.is_server_error() {
        let title = explained.as_ref().map_or_else(|| status.canonical_reason().unwrap_or_default(), |it| it.title);
        let detail = match explained {
            Some(Explained { title, .. }) if status == StatusCode::NOT_FOUND && title != NO_CALL => {
                "There is no such thing at this address.".to_owned()
            }
            Some(explained) => explained.words,
            None => "The description of the API, openapi.yaml, lists its calls.".to_owned(),
        };
        let problem = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
        let headers = std::mem::take(response.headers_mut());
        response = answer(status, &problem);
        response
            .headers_mut()
            .extend(headers.into_iter().filter(|(name, _)| name.as_ref() != Some(&header::CONTENT_LENGTH)));
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM);
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    harden(&mut response);
    response
}

async fn admit<P: Ports>(
    console: &Console<P>,
    access: Access,
    request: Request,
    next: Next,
) -> Result<Response<Body>, Trouble> {
    let (parts, body) = request.into_parts();
    let Identity { author, name, role } = caller(console, &parts.headers).await?;
    let (Some(role), Access::Operators(wanted)) = (role, access) else {
        return Err(Trouble::Forbidden("The token's person is in none of the groups viewer, operator and admin."));
    };
    if role < wanted {
        let words = "The role of the token's person does not allow this. Ask an administrator for another group.";
        return Err(Trouble::Forbidden(words));
    }
    let bytes = body::to_bytes(body, max_body_bytes()).await;
    let bytes = bytes.map_err(|_| Trouble::Malformed("The body is too long.".to_owned()))?;
    let path = parts.uri.path();
    let visit = Visit {
        visitor: Some(Visitor::Operator { author: author.clone(), name, role }),
        session: None,
        channel: Channel::Api,
        query: Fields::parse(parts.uri.query().unwrap_or_default().as_bytes()),
        form: fields(&bytes)?,
        sign_in: None,
        return_to: None,
        page: path.strip_prefix(BASE).unwrap_or(path).to_owned(),
    };
    let named = parts.headers.get(IDEMPOTENCY_KEY).filter(|_| parts.method == Method::POST);
    let named = named.map(|name| {
        let words = "Idempotency-Key has 1 to 255 visible ASCII characters.";
        let key = name.to_str().ok().and_then(|name| RequestKey::new(&author, name));
        key.ok_or_else(|| Trouble::Malformed(words.to_owned()))
    });
    let named = named.transpose()?;
    let begun = named.map(|key| {
        let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
        let asks = [parts.method.as_str(), target, &String::from_utf8_lossy(&bytes)];
        (key, NamedRequest::begin(&asks, (console.now)()))
    });
    let mut request = Request::from_parts(parts, Body::empty());
    request.extensions_mut().insert(visit);
    match begun {
        Some((key, begins)) => once(console, &key, begins, next.run(request)).await,
        None => Ok(next.run(request).await),
    }
}

/// Returns the person whose token came.
async fn caller<P: Ports>(console: &Console<P>, headers: &HeaderMap) -> Result<Identity, Trouble> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = sent.and_then(|sent| sent.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) =
        token.ok_or(Trouble::NoToken("Send an ID token of the console's issuer: Authorization: Bearer …"))?;
    console.issuer.bearer(token.trim()).await.map_err(|fault| match fault {
        IdentityFault::Refused(why) => {
            warn!(why, "a bearer token was refused");
            Trouble::NoToken(
                "The token is not valid: it has expired, or it is no ID token of the issuer for this console.",
            )
        }
        IdentityFault::Unavailable(fault) => Trouble::Unavailable(fault),
    })
}

/// Reads a JSON object of texts. No body has no fields.
fn fields(bytes: &[u8]) -> Result<Fields, Trouble> {
    if bytes.is_empty() {
        return Ok(Fields::default());
    }
    let read: Result<HashMap<String, String>, _> = serde_json::from_slice(bytes);
    let unknown = read.iter().flatten().map(|(name, _)| name).find(|name| !FIELDS.contains(&name.as_str()));
    if let Some(unknown) = unknown {
        return Err(Trouble::Malformed(format!("{unknown} is no field of any call.")));
    }
    read.map(Fields::from)
        .map_err(|_| Trouble::Malformed("The body must be a JSON object whose values are texts.".to_owned()))
}

/// Makes a call that its client named, unless it was made before. Then the answer is that of the first time.
async fn once<P: Ports>(
    console: &Console<P>,
    key: &RequestKey,
    begins: NamedRequest,
    run: impl Future<Output = Response<Body>>,
) -> Result<Response<Body>, Trouble> {
    let now = (console.now)();
    if let Some(stored) = console.requests.begin(key, &begins, now).await? {
        return match stored.standing(&begins, now) {
            Standing::Answered(answer) => again(answer),
            Standing::OfAnother => {
                Err(Trouble::Unprocessable("This Idempotency-Key belongs to a call that asked for something else."))
            }
            Standing::UnderWay | Standing::Free => {
                Err(Trouble::Conflict("The same call is under way. Ask again in a minute.".to_owned()))
            }
        };
    }
    let response = run.await;
    let status = response.status();
    if !status.is_success() {
        // A refused call changed nothing and may be mended, and a call that a service failed has to be made again.
        unless_failed(console.requests.forget(key).await);
        return Ok(response);
    }
    let is_secret = response.extensions().get::<ShownOnce>().is_some();
    let (parts, body) = response.into_parts();
    let bytes = body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = (!is_secret && text.len() <= MAX_KEPT_BYTES).then_some(text);
    let kept = KeptAnswer { status: status.as_u16(), body };
    unless_failed(console.requests.answer(key, &begins.answered(kept)).await);
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// Reports that an answer could not be kept. The change is made all the same, and its answer is given.
pub(crate) fn unless_failed(stored: Result<(), app::ports::Unavailable>) {
    if let Err(app::ports::Unavailable { service, reason }) = stored {
        error!(service, reason, "the answer to a named call is not kept");
    }
}

/// Gives a kept answer again.
fn again(KeptAnswer { status, body }: KeptAnswer) -> Result<Response<Body>, Trouble> {
    let words = "This call was made before. Its answer held a secret, which is shown only once.";
    let body = body.ok_or_else(|| Trouble::Conflict(words.to_owned()))?;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
