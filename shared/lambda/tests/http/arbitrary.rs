//! Checks the law of the guard over arbitrary payloads: hostile text in every field, and any field of a wrong type.

use proptest::{collection, prelude::*};
use serde_json::{Value, json};

use crate::law;

/// Lists texts that have broken some parser.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "\"",
    "<>",
    "a=%zz&a=+",
    "#",
    "?",
    "/",
    "//",
    ":99999/",
    "@[",
    "[::1]",
    "a b",
    "\0",
    "\r\n",
    "\u{7f}",
    "\u{fffd}",
    "é",
    "\u{1f600}",
    "%00",
    "%ff%fe",
    "http://a@b",
    "POST",
    "post",
    "GET",
    "HEAD",
    "127.0.0.1",
    "::1",
    "::ffff:192.0.2.1",
    "0x7f.1",
    "dHJ1ZQ==",
    "dHJ1ZR==",
    "dHJ1ZQ",
    "AA==AA==",
    "_-8",
    "application/x-www-form-urlencoded",
    "raw_query",
    "unreadable_body",
    "true",
];

/// Yields hostile and arbitrary text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => proptest::sample::select(HOSTILE).prop_map(str::to_owned),
        10 => ".{0,40}",
        1 => (proptest::sample::select(HOSTILE), 1..70_000_usize)
            .prop_map(|(text, length)| text.chars().cycle().take(length).collect()),
    ]
}

/// Yields a value of `usual` in most cases, and otherwise null or a value of another type.
fn field(usual: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    let other = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!({ "a": [null, { "b": 1 }] })),
    ];
    prop_oneof![12 => usual, 1 => other].boxed()
}

fn string() -> BoxedStrategy<Value> {
    field(text().prop_map(Value::from))
}

/// Yields an object that has some of these names.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| proptest::option::weighted(0.9, value).prop_map(move |value| Some((name, value?))))
        .collect();
    field(fields.prop_map(|fields| {
        fields.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect::<Value>()
    }))
}

fn map() -> BoxedStrategy<Value> {
    field(collection::hash_map(text(), string(), 0..4).prop_map(|map| map.into_iter().collect::<Value>()))
}

fn payload() -> BoxedStrategy<Value> {
    let http = object(vec![("method", string()), ("path", string()), ("sourceIp", string()), ("userAgent", string())]);
    let context = vec![
        ("requestId", string()),
        ("http", http),
        ("stage", string()),
        ("domainName", string()),
        ("authorizer", map()),
    ];
    let headers = ["host", "x-forwarded-proto", "x-forwarded-for", "content-type", "Content-Type", "cookie"];
    let headers = prop_oneof![map(), object(headers.map(|name| (name, string())).into())].boxed();
    let path = object(["provider", "token", "landing", "other"].map(|name| (name, string())).into());
    let flag = || field(any::<bool>().prop_map(Value::from));
    object(vec![
        ("version", string()),
        ("rawPath", string()),
        ("rawQueryString", string()),
        ("cookies", field(collection::vec(string(), 0..3).prop_map(Value::from))),
        ("headers", headers),
        ("queryStringParameters", map()),
        ("pathParameters", path),
        ("stageVariables", object(vec![("raw_query", string()), ("unreadable_body", string())])),
        ("requestContext", object(context)),
        ("body", string()),
        ("isBase64Encoded", flag()),
    ])
}

/// Returns true if each field that is read has its type, or is absent or null where this is allowed.
fn is_well_formed(payload: &Value) -> bool {
    let optional = |value: &Value, is: fn(&Value) -> bool| value.is_null() || is(value);
    let (context, path) = (&payload["requestContext"], &payload["pathParameters"]);
    let texts = [&payload["rawQueryString"], &payload["body"], &context["requestId"], &context["http"]["sourceIp"]];
    let segments = ["provider", "token", "landing"].map(|name| &path[name]);
    context["http"]["method"].is_string()
        && texts.into_iter().chain(segments).all(|value| optional(value, Value::is_string))
        && optional(path, Value::is_object)
        && optional(&payload["isBase64Encoded"], Value::is_boolean)
}

proptest! {
    #[test]
    fn every_payload_is_read_plainly_or_refused(payload in payload()) {
        let was_read = law::holds(payload.to_string().as_bytes());
        // serde also reads a struct from an array, but API Gateway sends none.
        let has_array = [&payload, &payload["requestContext"], &payload["requestContext"]["http"], &payload["pathParameters"]]
            .into_iter()
            .any(Value::is_array);
        prop_assert!(has_array || was_read == is_well_formed(&payload));
    }

    #[test]
    fn arbitrary_bytes_are_read_plainly_or_refused(payload in collection::vec(any::<u8>(), 0..200)) {
        law::holds(&payload);
    }
}
