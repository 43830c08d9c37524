//! Tests misdeeds, which a partner commits instead of answering.

use std::io::{BufReader, ErrorKind, Read as _};

use crate::program::{Program, Reply};

fn all(mut from: impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_close_ends_the_connection_without_a_byte() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"close": true}]}"#);
    assert_eq!(all(program.call()), b"");
    assert_eq!(program.last_request().answered, "close");
}

#[test]
fn garbage_is_not_http_and_ends_the_connection() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"garbage": true}]}"#);
    let bytes = all(program.call());
    assert!(!bytes.is_empty() && !bytes.starts_with(b"HTTP/"), "{bytes:?}");
}

#[test]
fn a_byte_at_a_time_begins_with_the_status_line() {
    let program = Program::start();
    // The second byte of the second answer would come in an hour and a half.
    program.set_script(
        r#"{"answers": [{"byte_every_ms": 1, "status": 202, "body": "ok", "headers": {"x-a": "b"}}, {"byte_every_ms": 3600000}]}"#,
    );
    let reply = Reply::read(&mut BufReader::new(program.call()));
    assert_eq!((reply.status, reply.header("x-a"), reply.text()), (202, Some("b"), "ok"));
    assert_silent(&program);
}

#[test]
fn a_hang_takes_the_request_and_sends_nothing() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"hang": true}]}"#);
    assert_silent(&program);
    assert_eq!(program.last_request().answered, "hang");
}

/// Asserts that a request was received, and that no byte of an answer and no end of the connection came.
fn assert_silent(program: &Program) {
    let before = program.requests("acme").received;
    let mut connection = program.call();
    program.until_received(before + 1);
    connection.set_nonblocking(true).unwrap();
    assert_eq!(connection.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_hang_of_one_name_does_not_delay_another() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"hang": true}]}"#);
    let _waiting: Vec<_> = (0..50).map(|_| program.call()).collect();
    program.until_received(50);
    assert_eq!(program.get("/globex").status, 200);
}

#[test]
fn a_connection_is_free_after_its_caller_has_gone() {
    for misdeed in
        [r#"{"hang": true}"#, r#"{"byte_every_ms": 3600000}"#, r#"{"body": "ok", "body_byte_every_ms": 3600000}"#]
    {
        let program = Program::start();
        program.set_script(&format!(r#"{{"answers": [{misdeed}]}}"#));
        // These rounds together make more connections than the simulator allows at once.
        for round in 1..=6 {
            let waiting: Vec<_> = (0..100).map(|_| program.call()).collect();
            program.until_received(100 * round);
            drop(waiting);
        }
        assert_eq!(program.get("/globex").status, 200);
    }
}
