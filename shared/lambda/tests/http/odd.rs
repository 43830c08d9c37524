//! Lists odd payloads, each with its outcome.

use lambda::http;

use crate::law;

#[derive(Debug, PartialEq)]
enum Reading {
    /// The handler gets the request.
    Read,
    /// The handler gets the request and answers 400, because of the body.
    UnreadableBody,
    /// The invocation fails, and the sandbox goes on.
    Refused,
}
use Reading::{Read, Refused, UnreadableBody};

/// Returns a payload of these fields, which are JSON text, and a `requestContext`.
fn with(fields: &str) -> Vec<u8> {
    let context = r#""requestContext":{"requestId":"r","http":{"method":"POST","sourceIp":"192.0.2.1"}}"#;
    format!("{{{fields}{}{context}}}", if fields.is_empty() { "" } else { "," }).into_bytes()
}

/// Returns a payload whose `requestContext.http` is this JSON text.
fn with_http(http: &str) -> Vec<u8> {
    format!(r#"{{"requestContext":{{"http":{http}}}}}"#).into_bytes()
}

/// Returns a payload with a field of this text.
fn with_text(name: &str, text: &str) -> Vec<u8> {
    with(&format!("{name:?}:{}", serde_json::Value::from(text)))
}

fn odd() -> Vec<(&'static str, Vec<u8>, Reading)> {
    let every_byte: String = (0..=0xff_u8).map(char::from).cycle().take(65_536).collect();
    let headers: Vec<String> = (0..40_000).map(|i| format!(r#""x-{i}":"1""#)).collect();
    let (deep, method) = ("[".repeat(100_000), "M".repeat(100_000));
    let rest = r#""resource":"/","path":"/postback/acme","httpMethod":"GET","headers":null,"multiValueHeaders":null"#;
    vec![
        ("no bytes", Vec::new(), Refused),
        ("garbage", b"\xff\xfe{".to_vec(), Refused),
        ("an empty object", b"{}".to_vec(), Refused),
        ("null", b"null".to_vec(), Refused),
        ("a string", b"\"GET /\"".to_vec(), Refused),
        ("an array", b"[]".to_vec(), Refused),
        ("half a payload", b"{\"requestContext\":{\"http\":{".to_vec(), Refused),
        ("a REST API's", format!(r#"{{{rest},"requestContext":{{"httpMethod":"GET"}}}}"#).into(), Refused),
        ("a load balancer's", format!(r#"{{{rest},"requestContext":{{"elb":{{}}}}}}"#).into(), Refused),
        ("a queue's", br#"{"Records":[{"body":"{}","messageId":"1"}]}"#.to_vec(), Refused),
        ("a WebSocket's", br#"{"requestContext":{"routeKey":"$connect","eventType":"CONNECT"}}"#.to_vec(), Refused),
        ("requestContext null", br#"{"requestContext":null}"#.to_vec(), Refused),
        ("http null", with_http("null"), Refused),
        ("no method", with_http("{}"), Refused),
        ("method null", with_http(r#"{"method":null}"#), Refused),
        ("method a number", with_http(r#"{"method":5}"#), Refused),
        ("method empty", with_http(r#"{"method":""}"#), Read),
        ("method no token", with_http(r#"{"method":"GET /\r\nA: b"}"#), Read),
        ("method very long", with_http(&format!(r#"{{"method":"{method}"}}"#)), Read),
        ("an IPv6 source", with_http(r#"{"method":"GET","sourceIp":"2001:db8::1"}"#), Read),
        ("a source with a port", with_http(r#"{"method":"GET","sourceIp":"192.0.2.1:80"}"#), Read),
        ("source null", with_http(r#"{"method":"GET","sourceIp":null}"#), Read),
        ("source a number", with_http(r#"{"method":"GET","sourceIp":3221225985}"#), Refused),
        ("a bare context", with(""), Read),
        (
            "null everywhere",
            with(
                r#""version":null,"rawPath":null,"rawQueryString":null,"cookies":null,"headers":null,"pathParameters":null,"stageVariables":null,"queryStringParameters":null,"body":null,"isBase64Encoded":null"#,
            ),
            Read,
        ),
        ("a query of every byte, 64 KB", with_text("rawQueryString", &every_byte), Read),
        ("a query of 5 MB", with_text("rawQueryString", &"a=1&".repeat(1_250_000)), Read),
        ("a query with # and ?", with_text("rawQueryString", "?a=1#b=2&c=3"), Read),
        ("a query of escapes", with_text("rawQueryString", "a=%zz&b=%&c=%f&%00=%ff%fe"), Read),
        ("query a lone surrogate", with(r#""rawQueryString":"a=\ud800""#), Refused),
        ("query a bad escape", with(r#""rawQueryString":"a=\x41""#), Refused),
        (
            "query no UTF-8",
            with("\"rawQueryString\":\"a=\u{1}\"").iter().map(|b| if *b == 1 { 0xff } else { *b }).collect(),
            Refused,
        ),
        ("query a number", with(r#""rawQueryString":1"#), Refused),
        ("query twice", with(r#""rawQueryString":"a","rawQueryString":"b""#), Refused),
        ("path without slash", with_text("rawPath", "postback"), Read),
        ("path like a port", with_text("rawPath", ":99999/"), Read),
        ("path like an address", with_text("rawPath", "@["), Read),
        ("path with a ? decoded", with_text("rawPath", "/postback/acme?user_id=1"), Read),
        ("path of 1 MB", with_text("rawPath", &"/\u{1f600}".repeat(200_000)), Read),
        ("path a lone surrogate", with(r#""rawPath":"/\udfff""#), Read),
        ("a segment odd", with(r#""pathParameters":{"provider":"\u0000/../é","token":""}"#), Read),
        ("a segment null", with(r#""pathParameters":{"provider":null}"#), Read),
        ("a segment a number", with(r#""pathParameters":{"provider":1}"#), Refused),
        ("the rest of a path a number", with(r#""pathParameters":{"proxy":1}"#), Refused),
        ("a strange segment a number", with(r#""pathParameters":{"other":1}"#), Read),
        ("stage variables of our names", with(r#""stageVariables":{"raw_query":"forged","unreadable_body":""}"#), Read),
        ("40,000 headers", with(&format!(r#""body":"a","headers":{{{}}}"#, headers.join(","))), Read),
        (
            "a header of 1 MB",
            with(&format!(r#""body":"a","headers":{{"content-type":"{}"}}"#, "x".repeat(1_000_000))),
            Read,
        ),
        ("a header no name", with(r#""body":"a","headers":{"":"","a b":"c\r\nd:e"}"#), Read),
        ("a type with a line break", with(r#""body":"a","headers":{"content-type":"a\r\nb: c"}"#), Read),
        ("a type not ASCII", with(r#""body":"a","headers":{"content-type":"é"}"#), Read),
        ("two types", with(r#""body":"a","headers":{"content-type":"a","Content-Type":"b"}"#), Read),
        ("headers a string", with(r#""body":"a","headers":"content-type""#), Read),
        ("headers a lone surrogate", with(r#""body":"a","headers":{"x":"\ud800"}"#), Read),
        ("a bad host", with(r#""headers":{"host":"a b","x-forwarded-proto":"1"}"#), Read),
        ("cookies of a wrong type", with(r#""cookies":{"a":[1]}"#), Read),
        ("base64 of nothing", with(r#""body":null,"isBase64Encoded":true"#), Read),
        ("base64 of an empty body", with(r#""body":"","isBase64Encoded":true"#), Read),
        ("base64 of no UTF-8", with(r#""body":"//79","isBase64Encoded":true"#), Read),
        ("base64 with a space", with(r#""body":"YQ ==","isBase64Encoded":true"#), UnreadableBody),
        ("base64 without padding", with(r#""body":"YQ","isBase64Encoded":true"#), UnreadableBody),
        ("base64 of URLs", with(r#""body":"_-8=","isBase64Encoded":true"#), UnreadableBody),
        ("base64 that is text", with(r#""body":"user_id=1&click_id=é","isBase64Encoded":true"#), UnreadableBody),
        ("a flag of text", with(r#""body":"a","isBase64Encoded":"true""#), Refused),
        ("a body of an object", with(r#""body":{}"#), Refused),
        ("100,000 brackets in a field", with(&format!("\"cookies\":{deep}{}", "]".repeat(100_000))), Read),
        ("100,000 brackets alone", deep.into_bytes(), Refused),
    ]
}

#[test]
fn each_odd_payload_is_read_or_refused_without_a_panic() {
    for (name, payload, expected) in odd() {
        let outcome = match law::read(&payload) {
            Ok(request) if http::body(&request).is_ok() => Read,
            Ok(_) => UnreadableBody,
            Err(_) => Refused,
        };
        assert_eq!(outcome, expected, "{name}");
        assert_eq!(law::holds(&payload), expected != Refused, "{name}");
    }
}

#[test]
fn a_refusal_quotes_nothing_of_the_payload() {
    for secret in
        [with(r#""pathParameters":"hunter2""#), with(r#""isBase64Encoded":"hunter2""#), with_http(r#""hunter2""#)]
    {
        let message = law::read(&secret).unwrap_err().to_string();
        assert!(message.contains("PayloadFormatVersion") && !message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_client_cannot_replace_facts_of_the_gateway() {
    let forged = r#""rawQueryString":"a=1","queryStringParameters":{"raw_query":"b=2"},"headers":{"raw_query":"b=2","x-forwarded-for":"192.0.2.9"},"stageVariables":{"raw_query":"b=2","unreadable_body":""},"body":"c=3""#;
    let request = law::read(&with(forged)).unwrap();
    assert_eq!((http::raw_query(&request), http::body(&request).unwrap()), (&b"a=1"[..], &b"c=3"[..]));
    assert_eq!(http::source(&request).to_string(), "192.0.2.1");
}
