//! Checks the law of the guard for the tests here and the fuzz target `gateway`.

use std::net::IpAddr;

use data_encoding::BASE64;
use domain::inbound::parameters::Parameters;
use lambda::http::{self, HttpEvent};
use lambda_http::Request;
use serde_json::Value;

/// Reads a payload as production does, up to the handler. A refused payload fails only its own invocation.
pub(crate) fn read(payload: &[u8]) -> Result<Request, serde_json::Error> {
    serde_json::from_slice::<HttpEvent>(payload).map(|event| event.0.into())
}

/// Checks that the handler gets exactly the values of the payload's JSON. Returns true if the payload was read.
pub(crate) fn holds(payload: &[u8]) -> bool {
    let Ok(request) = read(payload) else { return false };
    // The guard skips fields that a plain reading cannot decode, such as a lone surrogate in a header.
    let Ok(plain) = serde_json::from_slice::<Value>(payload) else { return true };
    let (context, path) = (&plain["requestContext"], &plain["pathParameters"]);
    // serde also reads a struct from an array, but API Gateway sends none.
    if [&plain, context, &context["http"], path, &plain["headers"]].into_iter().any(Value::is_array) {
        return true;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(http::raw_query(&request), text(&plain["rawQueryString"]).as_bytes());
    // The route for all other paths has the segments in one text.
    let segments: &[&str] = if path["proxy"].is_null() { &["provider", "token", "landing"] } else { &[] };
    for name in segments.iter().copied() {
        assert_eq!(http::segment(&request, name), path[name].as_str(), "{name}");
    }
    assert_eq!(http::request_id(&request), text(&context["requestId"]));
    let seen: Option<IpAddr> = context["http"]["sourceIp"].as_str().and_then(|address| address.parse().ok());
    assert_eq!(http::source(&request).is_unspecified(), seen.is_none_or(|seen| seen.is_unspecified()));
    assert!(seen.is_none_or(|seen| seen == http::source(&request)));
    let method = text(&context["http"]["method"]);
    // A method that is not an HTTP token is certainly not POST.
    let is_token =
        !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    assert_eq!(request.method().as_str(), if is_token { &method } else { "GET" });

    let sent = text(&plain["body"]);
    match (http::body(&request), plain["isBase64Encoded"] == true) {
        (Ok(body), true) => assert_eq!(BASE64.encode(body), sent),
        (Ok(body), false) => assert_eq!(body, sent.as_bytes()),
        // Some readers of base64 accept padding in the middle, so the fault is not decoded again here.
        (Err(_), is_base64) => assert!(is_base64),
    }
    let body = http::body(&request).unwrap_or_default();
    if let Some(content_type) = http::content_type(&request) {
        let headers = ["content-type", "Content-Type"].map(|name| plain["headers"].get(name));
        let ([Some(only), None] | [None, Some(only)]) = headers else { panic!("two content types, or none") };
        assert_eq!(content_type, only);
    }
    let parameters = Parameters::split(http::raw_query(&request), body);
    let _ = (parameters.count_fault(), parameters.others(|_| false), parameters.to_kept_text());
    true
}
