//! Reads API Gateway's request as an HTTP request, behind a guard like that of `lambda::http`: `lambda_http` gets only
//! values with which it cannot fail.
//!
//! Every path of the console consists of plain characters, because a gateway may decode a path more than once. Ids are
//! therefore in queries.

use std::{collections::HashMap, net::IpAddr};

use axum::{
    body::Body as PageBody,
    http::{
        HeaderName, HeaderValue, Request as PageRequest, Uri,
        header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, ORIGIN},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::{
    Request, RequestExt,
    aws_lambda_events::apigw::ApiGatewayV2httpRequest,
    request::{LambdaRequest, RequestContext},
};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::api::BASE;

/// Names the stage variables that carry the path and the query. Only this guard sets stage variables.
const PATH: &str = "path";
const QUERY: &str = "query";

/// Names the header by which a client names a call of the API.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Limits the body of a form, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Holds an event that `lambda_http` converts without a panic.
pub(crate) struct PageEvent(pub(crate) LambdaRequest);

impl<'de> Deserialize<'de> for PageEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own message could quote parts of the payload into the log.
        let cure = "expected an HTTP API's payload; set the integration's PayloadFormatVersion to 2.0";
        Payload::deserialize(deserializer).map(Self::from).map_err(|_| D::Error::custom(cure))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(default)]
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: HashMap<String, String>,
    /// Holds the cookies, which API Gateway takes out of the headers.
    #[serde(default)]
    cookies: Vec<String>,
    request_context: Context,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    request_id: Option<String>,
    http: Http,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    source_ip: Option<String>,
}

impl From<Payload> for PageEvent {
    fn from(payload: Payload) -> Self {
        let mut event = ApiGatewayV2httpRequest::default();
        let (path, query) = (payload.raw_path, payload.raw_query_string);
        event.stage_variables = HashMap::from([(PATH.to_owned(), path), (QUERY.to_owned(), query)]);
        let header = |name: &HeaderName| {
            let found = payload.headers.iter().find(|(sent, _)| sent.eq_ignore_ascii_case(name.as_str()));
            found.map(|(_, value)| value.clone())
        };
        let cookies = header(&COOKIE).into_iter().chain(payload.cookies).collect::<Vec<_>>().join("; ");
        let sent = [CONTENT_TYPE, ORIGIN, AUTHORIZATION, IDEMPOTENCY_KEY].map(|name| (header(&name), name));
        let wanted = sent.into_iter().map(|(value, name)| (name, value)).chain([(COOKIE, Some(cookies))]);
        let readable = wanted.filter_map(|(name, value)| Some((name, HeaderValue::try_from(value?).ok()?)));
        event.headers.extend(readable);
        event.request_context.request_id = payload.request_context.request_id;
        event.request_context.http.source_ip = payload.request_context.http.source_ip;
        event.request_context.http.method = payload.request_context.http.method.parse().unwrap_or_default();
        let is_too_long = payload.body.as_ref().is_some_and(|body| body.len() > 2 * MAX_BODY_BYTES);
        event.is_base64_encoded = payload.is_base64_encoded && !is_too_long;
        event.body = if is_too_long {
            // The page sees that the body is too long, and need not read all of it.
            Some("x".repeat(MAX_BODY_BYTES + 1))
        } else {
            // A body that cannot be decoded is no form.
            payload.body.filter(|body| !payload.is_base64_encoded || STANDARD.decode(body).is_ok())
        };
        Self(LambdaRequest::ApiGatewayV2(event))
    }
}

/// Returns the request for the router, or `None` if its path or its query is not of the console's form.
pub(crate) fn page_request(request: Request) -> Option<PageRequest<PageBody>> {
    let variables = request.stage_variables();
    let (path, query) = (variables.first(PATH)?, variables.first(QUERY).unwrap_or_default());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    if !path.starts_with('/') || !path.bytes().all(is_plain) {
        return None;
    }
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut page = PageRequest::builder().method(request.method().clone()).uri(target);
    for (name, value) in request.headers() {
        page = page.header(name, value);
    }
    if let Some(source) = source(&request) {
        page = page.extension(Source(source));
    }
    page.body(PageBody::from(request.into_body().to_vec())).ok()
}

/// Holds the caller's address, as API Gateway saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source(pub(crate) IpAddr);

fn source(request: &Request) -> Option<IpAddr> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref()?.parse().ok(),
        _ => None,
    }
}

/// Returns a request for a page that there is not, in place of one whose path is not of the console's form.
pub(crate) fn nowhere(request: &Request) -> PageRequest<PageBody> {
    let variables = request.stage_variables();
    let path = variables.first(PATH).unwrap_or_default();
    let mut page = PageRequest::new(PageBody::empty());
    *page.uri_mut() = Uri::from_static(if path.starts_with(BASE) { "/v1/-" } else { "/console/-" });
    page
}

/// Returns API Gateway's id of this request.
pub(crate) fn request_id(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

/// Limits the body that a page reads, in bytes.
pub(crate) const fn max_body_bytes() -> usize {
    MAX_BODY_BYTES
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn page(change: impl FnOnce(&mut Value)) -> Option<PageRequest<PageBody>> {
        let mut payload = json!({
            "version": "2.0", "rawPath": "/console/search", "rawQueryString": "q=a%2Fb",
            "headers": {"host": "x", "Content-Type": "text/plain", "origin": "https://x"}, "cookies": ["a=1", "b=2"],
            "requestContext": {"requestId": "r", "http": {"method": "GET"}}, "isBase64Encoded": false,
        });
        change(&mut payload);
        let event: PageEvent = serde_json::from_value(payload).unwrap();
        page_request(event.0.into())
    }

    #[test]
    fn path_query_cookies_and_origin_arrive_as_sent() {
        let request = page(|_| {}).unwrap();
        assert_eq!(request.uri().to_string(), "/console/search?q=a%2Fb");
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!([header("cookie"), header("origin"), header("host")], [Some("a=1; b=2"), Some("https://x"), None]);
    }

    #[test]
    fn the_address_is_that_which_the_gateway_saw() {
        let address = |change: fn(&mut Value)| page(change).unwrap().extensions().get::<Source>().map(|it| it.0);
        assert_eq!(
            address(|payload| payload["requestContext"]["http"]["sourceIp"] = json!("2001:db8::1")),
            "2001:db8::1".parse().ok()
        );
        for none in [
            |_: &mut Value| {},
            |payload: &mut Value| {
                payload["headers"]["x-forwarded-for"] = json!("192.0.2.1");
                payload["requestContext"]["http"]["sourceIp"] = json!("nowhere");
            },
        ] {
            assert_eq!(address(none), None);
        }
    }

    #[test]
    fn cookies_are_read_from_the_header_too() {
        let request = page(|payload| {
            payload["cookies"] = json!([]);
            payload["headers"]["cookie"] = json!("c=3");
        });
        assert_eq!(request.unwrap().headers()["cookie"], "c=3");
    }

    #[test]
    fn a_hostile_payload_is_refused_and_never_panics() {
        let bad = [
            "",
            "console",
            "/console?x",
            "/console/%41",
            "/con sole",
            "/a\u{0}",
            "/é",
            "//[",
            "/:99999/",
            "/@[",
            "/a#b",
        ];
        for path in bad {
            assert!(page(|payload| payload["rawPath"] = json!(path)).is_none(), "{path}");
        }
        for query in ["\"", "<>", "a b", "\u{7f}", &"x".repeat(70_000)] {
            page(|payload| payload["rawQueryString"] = json!(query));
        }
        for name in ["host", "x-forwarded-proto", "cookie", "content-type", "origin"] {
            for value in ["\n", "\u{0}", ":99999", "@[", "é"] {
                page(|payload| payload["headers"][name] = json!(value)).unwrap();
            }
        }
        page(|payload| {
            payload["body"] = json!("%%%");
            payload["isBase64Encoded"] = json!(true);
        });
        page(|payload| payload["requestContext"]["http"]["method"] = json!("B AD"));
    }
}
