//! Builds the requests that API Gateway's HTTP APIs send to functions, in [payload format 2.0].
//!
//! The following was observed on AWS and is not documented. The path is decoded except for `%25`, and the query string
//! stays as the client sent it. A body is text if its type is `text/*`, JSON, XML or JavaScript, and base64 otherwise,
//! forms included. Cookies are removed from the headers. The caller's address is appended to `x-forwarded-for`.
//!
//! [payload format 2.0]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

use std::collections::BTreeMap;

use data_encoding::BASE64;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::default_instant;

const API_ID: &str = "a1b2c3d4e5";
const DOMAIN: &str = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";

/// Describes a client's request on its way to a function.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    method: String,
    /// Holds the path as the client sent it.
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    cookies: Vec<String>,
    source_ip: String,
    body: Option<Vec<u8>>,
    as_base64: Option<bool>,
    route: Option<String>,
    at: Timestamp,
}

impl HttpRequest {
    /// Makes a request with this method and target. The target is a path with an optional query, as a client sends it.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: Vec::new(),
            cookies: Vec::new(),
            source_ip: "203.0.113.7".into(),
            body: None,
            as_base64: None,
            route: None,
            at: default_instant(),
        }
    }

    /// Makes a GET request as [`new`](Self::new) does.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Makes a POST request as [`new`](Self::new) does.
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// Sets the raw query string without encoding it.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        self.query = query.into();
        self
    }

    /// Adds a header. Values of the same name are joined with commas, as API Gateway does.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Adds a cookie, written as `name=value`.
    #[must_use]
    pub fn cookie(mut self, cookie: &str) -> Self {
        self.cookies.push(cookie.into());
        self
    }

    /// Sets the caller's address that API Gateway reports.
    #[must_use]
    pub fn source_ip(mut self, address: &str) -> Self {
        self.source_ip = address.into();
        self
    }

    /// Sets the body and its content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// Sets the body to a form that is already encoded.
    #[must_use]
    pub fn form(self, body: impl Into<Vec<u8>>) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends the body as base64 or as text, whatever its content type. Text cannot hold bytes that are not UTF-8, so
    /// these bytes are lost.
    #[must_use]
    pub fn as_base64(mut self, as_base64: bool) -> Self {
        self.as_base64 = Some(as_base64);
        self
    }

    /// Sets the route that matched, such as `ANY /postback/{provider}/{token}`. The path parameters are read from the
    /// path. The default is `$default`.
    #[must_use]
    pub fn route(mut self, route_key: &str) -> Self {
        self.route = Some(route_key.into());
        self
    }

    /// Sets the time at which API Gateway received the request.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    /// Returns the event.
    pub fn event(&self) -> Value {
        let route = self.route.as_deref().unwrap_or("$default");
        let path = decode_path(&self.path);
        let headers = self.event_headers();
        let mut event = json!({
            "version": "2.0",
            "routeKey": route,
            "rawPath": path,
            "rawQueryString": self.query,
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": API_ID,
                "domainName": DOMAIN,
                "domainPrefix": API_ID,
                "http": {
                    "method": self.method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.source_ip,
                    "userAgent": headers.get("user-agent").map_or("", String::as_str),
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": route,
                "stage": "$default",
                "time": self.at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "timeEpoch": self.at.as_millisecond(),
            },
            "isBase64Encoded": false,
        });
        let mut add =
            |name: &str, value: Value| event.as_object_mut().expect("an event is an object").insert(name.into(), value);
        if !self.cookies.is_empty() {
            add("cookies", json!(self.cookies));
        }
        if !self.query.is_empty() {
            add("queryStringParameters", json!(joined(query_pairs(&self.query))));
        }
        let parameters = path_parameters(route, &self.path);
        if !parameters.is_empty() {
            add("pathParameters", json!(parameters));
        }
        if let Some(body) = &self.body {
            let as_base64 = self.as_base64.unwrap_or_else(|| !is_text(headers.get("content-type")));
            let text = if as_base64 { BASE64.encode(body) } else { String::from_utf8_lossy(body).into_owned() };
            add("body", text.into());
            add("isBase64Encoded", as_base64.into());
        }
        event
    }

    /// Returns the client's headers together with those that API Gateway adds.
    fn event_headers(&self) -> BTreeMap<String, String> {
        let length = self.body.as_ref().map_or(0, Vec::len);
        let mut headers = joined(self.headers.iter().cloned());
        for (name, value) in [("accept", "*/*"), ("host", DOMAIN), ("user-agent", "curl/8.5.0")] {
            headers.entry(name.into()).or_insert_with(|| value.into());
        }
        headers.insert("content-length".into(), length.to_string());
        headers.insert("x-amzn-trace-id".into(), "Root=1-6b03ea40-0123456789abcdef01234567".into());
        headers.insert("x-forwarded-port".into(), "443".into());
        headers.insert("x-forwarded-proto".into(), "https".into());
        let forwarded = match headers.get("x-forwarded-for") {
            Some(claimed) => format!("{claimed}, {}", self.source_ip),
            None => self.source_ip.clone(),
        };
        headers.insert("x-forwarded-for".into(), forwarded);
        headers
    }
}

/// Joins the values of the same name with commas, in order. Format 2.0 loses the same information.
fn joined(pairs: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        joined.entry(name).and_modify(|values| *values = format!("{values},{value}")).or_insert(value);
    }
    joined
}

fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// Decodes every escape except `%25`, so that the result distinguishes `%2F` from `%252F`.
fn decode_path(path: &str) -> String {
    path.split("%25").map(|part| percent_decode_str(part).decode_utf8_lossy()).collect::<Vec<_>>().join("%25")
}

/// Reads the parameters of a route key such as `/postback/{provider}` from a raw path. `{rest+}` matches all remaining
/// segments.
fn path_parameters(route_key: &str, path: &str) -> BTreeMap<String, String> {
    let template = route_key.split_once(' ').map_or("", |(_, template)| template);
    let mut segments = path.split('/');
    let mut parameters = BTreeMap::new();
    for part in template.split('/') {
        let Some(segment) = segments.next() else { break };
        let Some(name) = part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
            continue;
        };
        let (name, value) = match name.strip_suffix('+') {
            Some(name) => (name, std::iter::once(segment).chain(segments.by_ref()).collect::<Vec<_>>().join("/")),
            None => (name, segment.to_owned()),
        };
        parameters.insert(name.to_owned(), decode_path(&value));
    }
    parameters
}

fn is_text(content_type: Option<&String>) -> bool {
    let essence =
        content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(essence.as_str(), "application/json" | "application/javascript" | "application/xml")
}
