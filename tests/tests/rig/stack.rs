//! The stack's file is read, and its absence explained.

use std::{fs, path::PathBuf};

use tests::stack::Stack;

fn file(name: &str, content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_stack_is_what_its_file_says() {
    let path = file(
        "stack.json",
        r#"{
            "api_url": "http://localhost:4570/_aws/execute-api/abc", "aws_endpoint_url": "http://localhost:4570",
            "region": "us-east-1", "stack_name": "gg3", "partner_simulator_url": "http://localhost:4571", "functions": {"postback": "gg3-postback"},
            "queues": {"gg3-conversions": "http://localhost:4570/000000000000/gg3-conversions"},
            "tables": {"postbacks": "gg3-postbacks"},
            "sample_partners": {"acme": {
                "postback_url": "http://localhost:4570/postback/acme/t", "token": "t", "landings": {"main": "http://x/"}
            }, "signer": {"postback_url": "http://localhost:4570/postback/signer", "signature_secret": "s"}},
            "a_later_field": true
        }"#,
    );
    let stack = Stack::from_file(path).unwrap();
    assert_eq!(stack.table("postbacks"), "gg3-postbacks");
    assert_eq!(stack.partner("acme").token.as_deref(), Some("t"));
    assert_eq!(stack.partner("signer").token, None);
}

#[test]
fn a_missing_or_foreign_file_says_what_to_run() {
    let missing = Stack::from_file("/nowhere/stack.json").unwrap_err().to_string();
    let foreign = Stack::from_file(file("foreign.json", "{}")).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/stack.json") && missing.contains("make test"), "{missing}");
    assert!(foreign.contains("api_url") && foreign.contains("make test"), "{foreign}");
}
