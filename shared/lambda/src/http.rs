//! Reads and answers HTTP requests with `lambda_http`, behind a guard.
//!
//! `lambda_http` builds a URI from the raw query, the path and the host. `lambda_http` panics if these do not form a
//! URI, or if a body marked as base64 is not base64. A panic ends the sandbox of a release build. The guard therefore
//! reads API Gateway's payload itself and passes on only values that cannot fail: each request's URI is `/`. See
//! `docs/adr/0002-lambda-http-behind-a-guard.md`.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, Ipv6Addr},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::inbound::fault::{Fault, FaultCode};
use lambda_http::{
    Adapter, Body, Error, LambdaEvent, Request, RequestExt, Response, Service,
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpRequestContext},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    request::{LambdaRequest, RequestContext},
    tower::ServiceExt,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;

/// Names the stage variable that carries the raw query. Only the guard sets stage variables. It drops those of the
/// gateway.
const RAW_QUERY: &str = "raw_query";

/// Names the stage variable that marks an unreadable body, which is declared as base64 and is not base64.
const UNREADABLE_BODY: &str = "unreadable_body";

/// Names the stage variable that carries the headers' JSON text of a click. They are read only for a page of an error.
const RAW_HEADERS: &str = "raw_headers";

/// Names the header by which browsers say for which part of a page they send a request.
const SEC_FETCH_DEST: &str = "sec-fetch-dest";

/// Runs a function that answers HTTP requests as `lambda_http::run` does, behind the guard.
pub async fn run<'a, H>(handler: H) -> Result<(), Error>
where
    H: Service<Request, Response = Response<Body>, Error = Infallible, Future: Send + 'a>,
{
    lambda_http::lambda_runtime::run(service(handler)).await
}

/// Returns the service that [`run`] serves to Lambda.
pub fn service<'a, H>(handler: H) -> impl Service<LambdaEvent<HttpEvent>, Response: Serialize, Error = Infallible>
where
    H: Service<Request, Response = Response<Body>, Error = Infallible, Future: Send + 'a>,
{
    Adapter::from(handler).map_request(|event: LambdaEvent<HttpEvent>| {
        let LambdaEvent { payload, context } = event;
        LambdaEvent { payload: payload.0, context }
    })
}

/// Holds an event that `lambda_http` converts without a panic.
///
/// Any payload other than an HTTP API's format 2.0 is an error. Only the invocation with that payload fails.
pub struct HttpEvent(pub LambdaRequest);

impl<'de> Deserialize<'de> for HttpEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The runtime uses `serde_path_to_error`, which allocates a text for each field. As a raw value, the payload
        // has no fields.
        let raw = <&RawValue>::deserialize(deserializer)?;
        // serde's own message could quote parts of the payload into the log.
        let cure = "expected an HTTP API's payload; set the integration's PayloadFormatVersion to 2.0";
        serde_json::from_str::<Payload<'_>>(raw.get()).map(Self::from).map_err(|_| D::Error::custom(cure))
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    raw_query_string: Option<String>,
    /// The headers stay unparsed unless one of them is used, because a request has many headers.
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    path_parameters: Option<PathParameters>,
    request_context: Context,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Default, Deserialize)]
struct Headers {
    #[serde(rename = "content-type", alias = "Content-Type")]
    content_type: Option<String>,
    #[serde(rename = "sec-fetch-dest", alias = "Sec-Fetch-Dest")]
    sec_fetch_dest: Option<String>,
    #[serde(alias = "Accept")]
    accept: Option<String>,
}

/// Holds the segments of the path by their names in the template's routes.
#[derive(Default, Deserialize)]
struct PathParameters {
    provider: Option<String>,
    token: Option<String>,
    landing: Option<String>,
    /// Holds the rest of a postback's path that no other route has, such as `acme/token/`.
    proxy: Option<String>,
    /// Holds the rest of a tracking link's path that no other route has, such as `acme/welcome/`.
    link: Option<String>,
}

impl PathParameters {
    /// Reads the segments of a path that only a greedy route has: a name, and a token or a landing page if there is one.
    /// A trailing slash means nothing.
    fn split(self) -> Self {
        let Some(rest) = self.proxy.as_ref().or(self.link.as_ref()) else { return self };
        let mut segments = rest.trim_end_matches('/').splitn(2, '/').map(str::to_owned);
        let (provider, second) = (segments.next(), segments.next());
        if self.link.is_some() {
            // The landing page is never left out, because its presence says that the caller may be a person.
            return Self { provider, landing: Some(second.unwrap_or_default()), ..Self::default() };
        }
        Self { provider, token: second, ..Self::default() }
    }
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

impl From<Payload<'_>> for HttpEvent {
    fn from(payload: Payload<'_>) -> Self {
        let mut event = ApiGatewayV2httpRequest::default();
        let query = payload.raw_query_string.unwrap_or_default();
        event.stage_variables = HashMap::from([(RAW_QUERY.to_owned(), query)]);
        let PathParameters { provider, token, landing, .. } = payload.path_parameters.unwrap_or_default().split();
        let headers = |raw: &RawValue| serde_json::from_str::<Headers>(raw.get()).ok();
        let raw_headers = payload.headers.filter(|_| landing.is_some());
        event.stage_variables.extend(raw_headers.map(|raw| (RAW_HEADERS.to_owned(), raw.get().to_owned())));
        // Only browsers send this header, and no header is parsed for a server's call.
        let from_browser = payload.headers.filter(|raw| token.is_some() && mentions_browser(raw.get()));
        let page_part = from_browser.and_then(headers).and_then(|headers| headers.sec_fetch_dest);
        let page_part = page_part.and_then(|part| HeaderValue::try_from(part).ok());
        event.headers.extend(page_part.map(|part| (HeaderName::from_static(SEC_FETCH_DEST), part)));
        let segments = [("provider", provider), ("token", token), ("landing", landing)];
        event.path_parameters =
            segments.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        event.request_context.request_id = payload.request_context.request_id;
        event.request_context.http.method = payload.request_context.http.method.parse().unwrap_or_default();
        event.request_context.http.source_ip = payload.request_context.http.source_ip;
        if let Some(body) = payload.body {
            let headers = payload.headers.and_then(headers);
            let content_type = headers.and_then(|headers| HeaderValue::try_from(headers.content_type?).ok());
            event.headers.extend(content_type.map(|content_type| (CONTENT_TYPE, content_type)));
            event.is_base64_encoded = payload.is_base64_encoded.unwrap_or_default();
            if event.is_base64_encoded && STANDARD.decode(&body).is_err() {
                event.stage_variables.insert(UNREADABLE_BODY.to_owned(), String::new());
            } else {
                event.body = Some(body);
            }
        }
        Self(LambdaRequest::ApiGatewayV2(event))
    }
}

/// Returns true if the headers' JSON text may have the header of browsers. API Gateway writes names in lower case.
fn mentions_browser(raw: &str) -> bool {
    raw.contains(SEC_FETCH_DEST) || raw.contains("Sec-Fetch-Dest")
}

/// Returns the raw query string exactly as it was sent.
pub fn raw_query(request: &Request) -> &[u8] {
    request.stage_variables_ref().and_then(|variables| variables.first(RAW_QUERY)).unwrap_or_default().as_bytes()
}

/// Returns a segment of the path by its name in the template's route.
pub fn segment<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.path_parameters_ref().and_then(|parameters| parameters.first(name))
}

/// Returns the body's bytes. API Gateway sends bodies that it considers binary, forms among them, as base64.
pub fn body(request: &Request) -> Result<&[u8], Fault> {
    let is_unreadable =
        request.stage_variables_ref().is_some_and(|variables| variables.first(UNREADABLE_BODY).is_some());
    if is_unreadable {
        let (expected, fix) = ("a body that the gateway can pass on", "send it form-encoded or as JSON");
        return Err(Fault::whole(FaultCode::UnsupportedBody, expected, fix));
    }
    Ok(request.body())
}

/// Returns the body's media type, if there is a body and the type is text.
pub fn content_type(request: &Request) -> Option<&str> {
    std::str::from_utf8(request.headers().get(CONTENT_TYPE)?.as_bytes()).ok()
}

/// Returns the part of a page for which a browser sent this request, such as `image`. Returns `None` for servers, and for
/// people who open the URL themselves.
pub fn page_part(request: &Request) -> Option<&str> {
    let part = std::str::from_utf8(request.headers().get(SEC_FETCH_DEST)?.as_bytes()).ok()?;
    Some(part).filter(|part| *part != "document")
}

/// Returns true if the sender of a click would rather read a page than JSON.
pub fn prefers_html(request: &Request) -> bool {
    let raw = request.stage_variables_ref().and_then(|variables| variables.first(RAW_HEADERS)).unwrap_or_default();
    let accept = serde_json::from_str::<Headers>(raw).ok().and_then(|headers| headers.accept).unwrap_or_default();
    let weight = |wanted: &[&str]| {
        let types = accept.split(',').map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default();
            // A weight has at most three decimals. It is compared in thousandths.
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
            (media_type, weight)
        });
        let matching =
            types.filter(|(media_type, _)| wanted.iter().any(|wanted| media_type.eq_ignore_ascii_case(wanted)));
        matching.map(|(_, weight)| weight).max().unwrap_or_default()
    };
    let (html, json) = (["text/html", "application/xhtml+xml"], ["application/json", "application/problem+json"]);
    weight(&html) > weight(&json)
}

fn thousandths(weight: &str) -> u16 {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let decimals: u16 = format!("{decimals:0<3.3}").parse().unwrap_or_default();
    whole.parse::<u16>().unwrap_or_default().min(1) * 1000 + decimals.min(999)
}

/// Returns API Gateway's id of this request.
pub fn request_id(request: &Request) -> &str {
    context(request).and_then(|context| context.request_id.as_deref()).unwrap_or_default()
}

/// Returns the caller's address as API Gateway saw it. Headers are ignored, since anybody can write them. An unreadable
/// address becomes the unspecified address. Only an allow-list that admits every address admits this one.
pub fn source(request: &Request) -> IpAddr {
    let address = context(request).and_then(|context| context.http.source_ip.as_deref());
    address.and_then(|address| address.parse().ok()).unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
}

fn context(request: &Request) -> Option<&ApiGatewayV2httpRequestContext> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => Some(context),
        _ => None,
    }
}

/// Returns a response with a body of this type. No cache between us and the caller may store the response.
pub fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    response.headers_mut().extend([
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]);
    response
}
