//! The payloads on which `lambda_http` panics, each of which would end the sandbox of a release build.

use std::panic::catch_unwind;

use serde_json::{Value, json};

/// Returns a payload with these fields and, in `requestContext`, no more than a method.
fn payload(fields: Value) -> Value {
    let mut payload = json!({ "rawPath": "/postback/acme", "requestContext": { "http": { "method": "GET" } } });
    let Value::Object(fields) = fields else { panic!("the fields are an object") };
    payload.as_object_mut().unwrap().extend(fields);
    payload
}

/// Returns each trap with its name.
pub(crate) fn traps() -> Vec<(&'static str, Value)> {
    let query = |query: &str| payload(json!({ "rawQueryString": query }));
    let many: serde_json::Map<String, Value> = (0..30_000).map(|i| (format!("x-{i}"), "1".into())).collect();
    let hosted = |path: &str, host: &str| payload(json!({ "rawPath": path, "headers": { "host": host } }));
    let posted = json!({ "body": "not base64!", "isBase64Encoded": true });
    vec![
        ("quote", query("a=\"")),
        ("less", query("a=<b")),
        ("greater", query("a=b>")),
        ("space", query("a=b c")),
        ("tab", query("a=\t")),
        ("nul", query("a=\0")),
        ("delete", query("a=\u{7f}")),
        ("long-query", query(&"a".repeat(65_536))),
        ("path-like-a-port", hosted(":99999/", "a.example")),
        ("path-like-an-address", hosted("@[", "a.example")),
        ("path-without-slash", payload(json!({ "rawPath": ":99999/" }))),
        ("bad-host", hosted("/", "a b")),
        ("bad-proto", payload(json!({ "headers": { "host": "a.example", "x-forwarded-proto": "1" } }))),
        ("bad-base64", payload(posted)),
        ("many-headers", payload(json!({ "headers": many }))),
    ]
}

#[test]
fn lambda_http_alone_panics_on_each_trap() {
    let survived = |payload: &Value| catch_unwind(|| lambda_http::request::from_str(&payload.to_string())).is_ok();
    let traps = traps();
    let harmless: Vec<&str> = traps.iter().filter(|(_, payload)| survived(payload)).map(|(name, _)| *name).collect();
    assert_eq!(harmless, [""; 0], "lambda_http takes these now");
}
