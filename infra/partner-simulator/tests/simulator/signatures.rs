//! Tests that the simulator verifies signatures with the secrets that it knows.

use jiff::Timestamp;
use partner_simulator::received::Signature;
use standardwebhooks::Webhook;

use crate::program::Program;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Returns the simulator's judgement of a request that was signed over this payload.
fn checked(program: &Program, method: &str, target: &str, body: &str, signed: &str) -> Signature {
    let now = Timestamp::now().as_second();
    let signature = Webhook::new(SECRET).unwrap().sign("msg_1", now, signed.as_bytes()).unwrap();
    let length = body.len();
    program.ask(&format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nwebhook-id: msg_1\r\nwebhook-timestamp: {now}\r\n\
        webhook-signature: {signature}\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    program.last_request().signature
}

#[test]
fn a_get_is_signed_over_its_path_and_query_as_sent() {
    let program = Program::with(&["--verify-secret", SECRET]);
    let sent = "/acme/a%2Fb?click=%7Bc%7D&event=a+b";
    assert_eq!(checked(&program, "GET", sent, "", &format!("\"{sent}\"")), Signature::Verified);
    for other in ["\"/acme/a/b?click=%7Bc%7D&event=a+b\"", "\"/acme/a%2Fb?click={c}&event=a+b\"", sent, ""] {
        assert!(matches!(checked(&program, "GET", sent, "", other), Signature::Refused(_)), "{other}");
    }
}

#[test]
fn a_post_is_signed_over_its_body() {
    let program = Program::with(&["--verify-secret", SECRET]);
    let body = r#"{"type": "registration"}"#;
    assert_eq!(checked(&program, "POST", "/acme?x=1", body, body), Signature::Verified);
    for other in [r#"{"type":"registration"}"#, "/acme?x=1"] {
        assert!(matches!(checked(&program, "POST", "/acme?x=1", body, other), Signature::Refused(_)), "{other}");
    }
}

#[test]
fn a_request_without_a_signature_is_answered_and_marked() {
    let program = Program::with(&["--verify-secret", SECRET]);
    assert_eq!(program.get("/acme").status, 200);
    assert_eq!(program.last_request().signature, Signature::Refused("the header webhook-id is missing".to_owned()));
}

#[test]
fn a_names_own_secrets_replace_the_general_ones() {
    let program = Program::with(&["--verify-secret", OTHER]);
    assert!(matches!(checked(&program, "GET", "/acme", "", "\"/acme\""), Signature::Refused(_)));
    program.set_script(&format!(r#"{{"secrets": ["{OTHER}", "{SECRET}"]}}"#));
    assert_eq!(checked(&program, "GET", "/acme", "", "\"/acme\""), Signature::Verified);
    program.set_script(r#"{"secrets": []}"#);
    assert_eq!(checked(&program, "GET", "/acme", "", "\"/acme\""), Signature::Unchecked);
}
