//! Holds payloads that API Gateway really sent, and the corpus of the fuzz target `gateway`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lambda::http::{body, content_type, raw_query, segment, source};
use lambda_http::http::Method;

use crate::law;

/// Returns the files of the fuzzer's corpus.
pub(crate) fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/gateway");
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_get_keeps_its_raw_query_and_the_callers_address() {
    let request = law::read(include_bytes!("../../fixtures/http-get.json")).unwrap();
    let query = std::str::from_utf8(raw_query(&request)).unwrap();
    assert!(query.contains("b=%x%") && query.contains("e=1&e=2") && query.contains("user_id=1+2"), "{query}");
    assert!(query.ends_with("m=\"<>^`|"), "{query}");
    assert_eq!((segment(&request, "provider"), segment(&request, "token")), (Some("acme"), Some("token-1")));
    // The header X-Forwarded-For claims 8.8.8.8.
    assert_eq!(source(&request).to_string(), "127.0.0.1");
    assert_eq!((request.method(), body(&request).unwrap(), content_type(&request)), (&Method::GET, &b""[..], None));
}

#[test]
fn a_form_is_decoded() {
    let request = law::read(include_bytes!("../../fixtures/http-post-form.json")).unwrap();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(content_type(&request), Some("application/x-www-form-urlencoded"));
    assert!(body(&request).unwrap().starts_with(b"user_id=12345&click_id=c1"));
}

#[test]
fn the_sample_of_aws_is_read() {
    let request = law::read(include_bytes!("../../fixtures/http-aws-sample.json")).unwrap();
    assert_eq!(raw_query(&request), b"parameter1=value1&parameter1=value2&parameter2=value");
    assert_eq!((body(&request).unwrap(), content_type(&request)), (&b"Hello from Lambda"[..], None));
    assert_eq!(segment(&request, "parameter1"), None);
}

#[test]
fn the_law_holds_of_the_fuzzers_corpus() {
    for input in corpus() {
        assert!(law::holds(&fs::read(&input).unwrap()), "{}", input.display());
    }
}
