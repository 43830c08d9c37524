//! The law of the guard, which the tests here and the fuzz target `gateway` share.

use std::net::IpAddr;

use data_encoding::BASE64;
use domain::inbound::parameters::Parameters;
use lambda::http::{self, HttpEvent};
use lambda_http::Request;
use serde_json::Value;

/// Reads a payload as production does, as far as the handler. A payload that is refused fails its invocation alone.
pub(crate) fn read(payload: &[u8]) -> Result<Request, serde_json::Error> {
    serde_json::from_slice::<HttpEvent>(payload).map(|event| event.0.into())
}

/// Checks that the handler gets from a payload just what a plain reading of its JSON says. Returns whether it was read.
pub(crate) fn holds(payload: &[u8]) -> bool {
    let Ok(request) = read(payload) else { return false };
    // The guard skips fields that a plain reading cannot decode, such as a lone surrogate in a header.
    let Ok(plain) = serde_json::from_slice::<Value>(payload) else { return true };
    let (context, path) = (&plain["requestContext"], &plain["pathParameters"]);
    // serde reads a struct from an array too. API Gateway sends none.
    if [&plain, context, &context["http"], path, &plain["headers"]].into_iter().any(Value::is_array) {
        return true;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(http::raw_query(&request), text(&plain["rawQueryString"]).as_bytes());
    for name in ["provider", "token", "landing"] {
        assert_eq!(http::segment(&request, name), path[name].as_str(), "{name}");
    }
    assert_eq!(http::request_id(&request), text(&context["requestId"]));
    let seen: Option<IpAddr> = context["http"]["sourceIp"].as_str().and_then(|address| address.parse().ok());
    assert_eq!(http::source(&request).is_unspecified(), seen.is_none_or(|seen| seen.is_unspecified()));
    assert!(seen.is_none_or(|seen| seen == http::source(&request)));
    let method = text(&context["http"]["method"]);
    // No method that is not a token of HTTP can be a POST.
    let is_token =
        !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    assert_eq!(request.method().as_str(), if is_token { &method } else { "GET" });

    let sent = text(&plain["body"]);
    match (http::body(&request), plain["isBase64Encoded"] == true) {
        (Ok(body), true) => assert_eq!(BASE64.encode(body), sent),
        (Ok(body), false) => assert_eq!(body, sent.as_bytes()),
        // Other readers of base64 take padding in the middle, so that the fault is no reason to decode it here.
        (Err(_), is_base64) => assert!(is_base64),
    }
    let body = http::body(&request).unwrap_or_default();
    if let Some(content_type) = http::content_type(&request) {
        let headers = ["content-type", "Content-Type"].map(|name| plain["headers"].get(name));
        let ([Some(only), None] | [None, Some(only)]) = headers else { panic!("two content types, or none") };
        assert_eq!(content_type, only);
    }
    let parameters = Parameters::split(http::raw_query(&request), body);
    let _ =
        (Parameters::size_faults(http::raw_query(&request), body), parameters.name_faults(), parameters.to_kept_text());
    true
}
