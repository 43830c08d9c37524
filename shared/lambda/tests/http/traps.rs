//! Holds the payloads on which `lambda_http` panics. Each would end the sandbox of a release build.

use std::{fs, panic::catch_unwind};

use lambda::http;
use serde_json::{Map, Value, json};

use crate::{fixtures, law};

/// Returns each trap with its name. The traps are those of the corpus, and two that are too large for the corpus.
fn traps() -> Vec<(String, String)> {
    let large = |name: &str, value: Value| {
        let payload = json!({ name: value, "requestContext": { "http": { "method": "GET" } } });
        (format!("large-{name}"), payload.to_string())
    };
    let headers: Map<String, Value> = (0..30_000).map(|i| (format!("x-{i}"), "1".into())).collect();
    let corpus = fixtures::corpus().into_iter();
    corpus
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("trap-"))
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .chain([large("rawQueryString", "a".repeat(65_536).into()), large("headers", headers.into())])
        .collect()
}

#[test]
fn lambda_http_alone_panics_on_each_trap() {
    let traps = traps();
    assert_eq!(traps.len(), 15);
    let survives = |payload: &str| catch_unwind(|| lambda_http::request::from_str(payload)).is_ok();
    let harmless: Vec<_> = traps.iter().filter(|(_, payload)| survives(payload)).map(|(name, _)| name).collect();
    assert!(harmless.is_empty(), "lambda_http reads these now: {harmless:?}");
}

#[test]
fn the_guard_passes_on_each_trap_as_it_was_sent() {
    for (name, payload) in traps() {
        assert!(law::holds(payload.as_bytes()), "{name}");
        let request = law::read(payload.as_bytes()).unwrap();
        assert_eq!(http::body(&request).is_err(), name.ends_with("bad-base64.json"), "{name}");
    }
}
