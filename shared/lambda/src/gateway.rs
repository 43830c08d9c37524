//! API Gateway's HTTP API, payload format 2.0, as far as we read it.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! A type of our own instead of `aws_lambda_events`': of a payload of some thirty fields seven are read, and the others
//! cost neither an allocation nor a fault when the gateway adds one.

use std::net::{IpAddr, Ipv6Addr};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::fault::{Fault, FaultCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A request.
///
/// Read in two steps, since the runtime reads the first with `serde_path_to_error`, which keeps a text for each name in
/// the payload: that of the whole is one.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Box<RawValue>")]
pub struct Request(Payload);

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(default)]
    raw_query_string: String,
    /// Read only where there is a body: they are many, and one counts.
    #[serde(default)]
    headers: Option<Box<RawValue>>,
    #[serde(default)]
    path_parameters: PathParameters,
    #[serde(rename = "requestContext")]
    context: RequestContext,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Headers {
    #[serde(default, rename = "content-type", alias = "Content-Type")]
    content_type: Option<String>,
}

/// The segments of the path, by their names in the template's routes.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PathParameters {
    /// `{provider}`
    #[serde(default)]
    pub provider: String,
    /// `{token}`
    #[serde(default)]
    pub token: Option<String>,
    /// `{landing}`
    #[serde(default)]
    pub landing: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    #[serde(default)]
    request_id: String,
    http: Http,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    #[serde(default)]
    source_ip: String,
}

impl TryFrom<Box<RawValue>> for Request {
    type Error = serde_json::Error;

    fn try_from(raw: Box<RawValue>) -> Result<Self, serde_json::Error> {
        serde_json::from_str(raw.get()).map(Self)
    }
}

impl Request {
    /// The raw query string, as it was sent.
    pub fn query(&self) -> &[u8] {
        self.0.raw_query_string.as_bytes()
    }

    /// The path's segments.
    pub fn path(&self) -> &PathParameters {
        &self.0.path_parameters
    }

    /// The body's media type.
    pub fn content_type(&self) -> Option<String> {
        let headers: Headers = serde_json::from_str(self.0.headers.as_ref()?.get()).ok()?;
        headers.content_type
    }

    /// The gateway's id of this request.
    pub fn id(&self) -> &str {
        &self.0.context.request_id
    }

    /// Whether the method is POST.
    pub fn is_post(&self) -> bool {
        self.0.context.http.method.eq_ignore_ascii_case("POST")
    }

    /// The address that the gateway saw. Never a header's, which anybody can write. One that cannot be read is the
    /// unspecified one, which no allow-list admits unless it admits everything.
    pub fn source(&self) -> IpAddr {
        self.0.context.http.source_ip.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    }

    /// The body's bytes; the gateway sends base 64 for what it takes for binary, form-encoded bodies among it.
    pub fn body(&self) -> Result<Vec<u8>, Fault> {
        let Some(body) = &self.0.body else { return Ok(Vec::new()) };
        if !self.0.is_base64_encoded {
            return Ok(body.clone().into_bytes());
        }
        STANDARD.decode(body).map_err(|_| {
            Fault::whole(FaultCode::UnsupportedBody, "a body that the gateway can pass on", "send it form-encoded")
        })
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The status.
    pub status_code: u16,
    /// The headers.
    pub headers: ResponseHeaders,
    /// The body.
    pub body: String,
    is_base64_encoded: bool,
}

/// A response's headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResponseHeaders {
    cache_control: &'static str,
    content_type: &'static str,
    /// Where to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// After how many seconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<&'static str>,
    x_content_type_options: &'static str,
}

impl Response {
    /// A response with a body of this type. Nothing we answer may be stored on the way.
    pub fn new(status_code: u16, content_type: &'static str, body: String) -> Self {
        let headers = ResponseHeaders {
            cache_control: "no-store",
            content_type,
            location: None,
            retry_after: None,
            x_content_type_options: "nosniff",
        };
        Self { status_code, headers, body, is_base64_encoded: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(text: &str) -> Request {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_gateways_get_keeps_its_raw_query_and_the_address_the_gateway_saw() {
        let request = fixture(include_str!("../fixtures/http-get.json"));
        let query = std::str::from_utf8(request.query()).unwrap();
        assert!(query.contains("b=%x%") && query.contains("e=1&e=2") && query.contains("user_id=1+2"), "{query}");
        assert_eq!((request.path().provider.as_str(), request.path().token.as_deref()), ("acme", Some("token-1")));
        // X-Forwarded-For says 8.8.8.8.
        assert_eq!(request.source().to_string(), "127.0.0.1");
        assert!(!request.is_post() && request.body().unwrap().is_empty());
    }

    #[test]
    fn a_gateways_form_post_is_decoded() {
        let request = fixture(include_str!("../fixtures/http-post-form.json"));
        assert!(request.is_post());
        assert_eq!(request.content_type().as_deref(), Some("application/x-www-form-urlencoded"));
        assert!(request.body().unwrap().starts_with(b"user_id=12345&click_id=c1"));
    }

    #[test]
    fn awss_own_sample_is_read() {
        let request = fixture(include_str!("../fixtures/http-aws-sample.json"));
        assert_eq!(request.query(), b"parameter1=value1&parameter1=value2&parameter2=value");
        assert_eq!(request.body().unwrap(), b"Hello from Lambda");
    }
}
