//! Requests that API Gateway's HTTP APIs send to functions, [payload format 2.0].
//!
//! Beyond the documentation, as observed on AWS: the path is decoded, all but `%25`; the query string stays as the
//! client sent it; bodies are text for `text/*`, JSON, XML and JavaScript, and base64 for everything else, forms
//! included; cookies leave the headers; the caller's address is put at the end of `x-forwarded-for`.
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

/// A client's request on its way to a function.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    method: String,
    /// As the client sent it.
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
    /// A request of this method for this path, and query if there is a `?`, exactly as a client would send them.
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

    /// As [`new`](Self::new), with GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// As [`new`](Self::new), with POST.
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// The raw query string, exactly so.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        self.query = query.into();
        self
    }

    /// One more header; those of the same name are joined with commas, as API Gateway does.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// One more cookie, as `name=value`.
    #[must_use]
    pub fn cookie(mut self, cookie: &str) -> Self {
        self.cookies.push(cookie.into());
        self
    }

    /// The address that API Gateway says the caller has.
    #[must_use]
    pub fn source_ip(mut self, address: &str) -> Self {
        self.source_ip = address.into();
        self
    }

    /// A body of this content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// A form, encoded already.
    #[must_use]
    pub fn form(self, body: impl Into<Vec<u8>>) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Hands the body over as base64, or as text, whatever API Gateway would do with its content type. A body that is
    /// no UTF-8 loses what is not as text.
    #[must_use]
    pub fn as_base64(mut self, as_base64: bool) -> Self {
        self.as_base64 = Some(as_base64);
        self
    }

    /// The route that matched, such as `ANY /postback/{provider}/{token}`; its path parameters are read from the path.
    /// `$default` unless told.
    #[must_use]
    pub fn route(mut self, route_key: &str) -> Self {
        self.route = Some(route_key.into());
        self
    }

    /// When API Gateway received it.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    /// The event.
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

    /// What the client sent, and what API Gateway adds.
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

/// Values of the same name, joined with commas in the order of their coming: the loss that format 2.0 brings.
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

/// Every escape is decoded but `%25`, so that the result can tell `%2F` from `%252F`.
fn decode_path(path: &str) -> String {
    path.split("%25").map(|part| percent_decode_str(part).decode_utf8_lossy()).collect::<Vec<_>>().join("%25")
}

/// `/postback/{provider}` of a route key against a path as sent; `{rest+}` takes all that is left.
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
