//! Tests that the stack's file is read, and that a missing file is explained.

use std::{fs, path::PathBuf, time::Instant};

use serde_json::Value;
use tests::{
    proxy::{Call, CallEnding, Service},
    stack::Stack,
};

fn file(name: &str, content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

fn stack(name: &str) -> Stack {
    let path = file(
        name,
        r#"{
            "api_url": "http://localhost:4570/_aws/execute-api/abc", "aws_endpoint_url": "http://localhost:4570",
            "region": "us-east-1", "stack_name": "gg3", "partner_simulator_url": "http://localhost:4571", "functions": {"postback": "gg3-postback"},
            "queues": {"gg3-conversions": "http://localhost:4570/000000000000/gg3-conversions"},
            "tables": {"postbacks": "gg3-postbacks"},
            "console": {"url": "http://localhost:4570/console", "user_pool": "us-east-1_a", "client_id": "client", "password": "p"},
            "sample_partners": {"acme": {
                "postback_url": "http://localhost:4570/postback/acme/t", "token": "t", "landings": {"main": "http://x/"}
            }, "signer": {"postback_url": "http://localhost:4570/postback/signer", "signature_secret": "s"}},
            "a_later_field": true
        }"#,
    );
    Stack::from_file(path).unwrap()
}

#[test]
fn a_stack_is_read_from_its_file() {
    let stack = stack("stack.json");
    assert_eq!(stack.table("postbacks"), "gg3-postbacks");
    assert_eq!(stack.partner("acme").token.as_deref(), Some("t"));
    assert_eq!(stack.partner("signer").token, None);
}

#[test]
fn a_call_is_described_by_logical_names() {
    let call = |operation: &str, names: &str| Call {
        number: 1,
        nth: 1,
        service: Service::Other,
        operation: operation.to_owned(),
        table_or_queue: Some(names.to_owned()),
        body: Value::Null,
        at: Instant::now(),
        reached_service: true,
        outcome: CallEnding::Answered(200),
    };
    let stack = stack("words.json");
    for (operation, names, words) in [
        ("PutItem", "gg3-postbacks", "PutItem postbacks"),
        ("BatchGetItem", "gg3-partners,gg3-secrets", "BatchGetItem partners,secrets"),
        ("SendMessage", "gg3-webhook-retries-of-tests-1795435200000-1-0", "SendMessage webhook-retries"),
    ] {
        assert_eq!(stack.words(&call(operation, names)), words);
    }
}

#[test]
fn a_missing_or_foreign_file_says_what_to_run() {
    let missing = Stack::from_file("/nowhere/stack.json").unwrap_err().to_string();
    let foreign = Stack::from_file(file("foreign.json", "{}")).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/stack.json") && missing.contains("make test"), "{missing}");
    assert!(foreign.contains("api_url") && foreign.contains("make test"), "{foreign}");
}
