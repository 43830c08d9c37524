//! Serves the control API, which takes scripts and lists the received requests.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;

use crate::{
    answer::{Act, Body},
    memory::Memory,
    name::{CONTROL, Name, NameFault},
    script::Script,
    signature::Secret,
};

const ROUTES: &str = "\
PUT    /_control/{name}           set answers and secrets
GET    /_control/{name}/requests  list the received requests
DELETE /_control/{name}/requests  forget the received requests
DELETE /_control/{name}           forget the name with its script and requests
GET    /_control                  list all names";

/// Returns the segments after `_control`, or `None` for a path outside the control API.
pub(crate) fn route(path: &str) -> Option<Vec<&str>> {
    let mut segments = path.trim_start_matches('/').split('/').filter(|segment| !segment.is_empty());
    (segments.next() == Some(CONTROL)).then(|| segments.collect())
}

/// Carries out a request of the control API.
pub(crate) fn handle(memory: &mut Memory, method: &Method, segments: &[&str], body: &[u8]) -> Response<Body> {
    match (method.as_str(), segments) {
        ("GET", []) => {
            json(&memory.names().map(|(name, received)| (name.to_string(), received)).collect::<BTreeMap<_, _>>())
        }
        ("PUT", [name]) => with(name, |name| set_script(memory, &name, body)),
        ("DELETE", [name]) => with(name, |name| {
            memory.forget(&name);
            status(StatusCode::NO_CONTENT)
        }),
        ("GET", [name, "requests"]) => with(name, |name| json(&memory.requests(&name))),
        ("DELETE", [name, "requests"]) => with(name, |name| {
            memory.forget_requests(&name);
            status(StatusCode::NO_CONTENT)
        }),
        _ => text(StatusCode::NOT_FOUND, ROUTES),
    }
}

fn with(segment: &str, answer: impl FnOnce(Name) -> Response<Body>) -> Response<Body> {
    let refuse = |fault: NameFault| text(StatusCode::BAD_REQUEST, &fault.to_string());
    Name::new(segment).map_or_else(refuse, answer)
}

fn set_script(memory: &mut Memory, name: &Name, body: &[u8]) -> Response<Body> {
    match parse(body) {
        Err(fault) => text(StatusCode::BAD_REQUEST, &fault),
        Ok(Checked { acts, secrets }) => match memory.set_script(name, acts, secrets) {
            Ok(()) => status(StatusCode::NO_CONTENT),
            Err(full) => text(StatusCode::SERVICE_UNAVAILABLE, &full.to_string()),
        },
    }
}

/// Holds a script after its answers were checked.
struct Checked {
    acts: Option<Vec<Act>>,
    secrets: Option<Vec<Secret>>,
}

fn parse(body: &[u8]) -> Result<Checked, String> {
    let script: Script = serde_json::from_slice(body).map_err(|fault| fault.to_string())?;
    let checked = |(index, answer)| Act::try_from(answer).map_err(|fault| format!("answers[{index}]: {fault}"));
    let acts = script.answers.as_ref().map(|answers| answers.iter().enumerate().map(checked).collect());
    Ok(Checked { acts: acts.transpose()?, secrets: script.secrets })
}

fn json(content: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(content) {
        Ok(mut bytes) => {
            // The line break keeps the next prompt of a terminal off this line.
            bytes.push(b'\n');
            let mut response = Response::new(Full::new(Bytes::from(bytes)).boxed_unsync());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(fault) => text(StatusCode::INTERNAL_SERVER_ERROR, &fault.to_string()),
    }
}

/// Returns an answer with one line of text for people.
pub(crate) fn text(code: StatusCode, line: &str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{line}\n"))).boxed_unsync());
    *response.status_mut() = code;
    response
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = code;
    response
}
