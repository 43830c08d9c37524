//! Tests the control API.

use std::io::{Read as _, Write as _};

use jiff::Timestamp;
use partner_simulator::received::Requests;

use crate::program::Program;

#[test]
fn a_request_is_listed_exactly_as_it_came() {
    let program = Program::start();
    let before = Timestamp::now().as_millisecond();
    program.ask(
        "POST /acme/hook%2F1?click=%7Bc%7D&event=a+b HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 9\r\n\r\n{\"é\": 1}",
    );
    let request = program.last_request();
    assert_eq!((request.number, request.method.as_str()), (1, "POST"));
    assert_eq!(request.target, "/acme/hook%2F1?click=%7Bc%7D&event=a+b");
    assert_eq!(request.body, "{\"é\": 1}");
    assert_eq!(request.header("x-twice"), Some("1, 2"));
    assert_eq!((request.header("host"), request.header("absent")), (Some("x"), None));
    assert!((before..=Timestamp::now().as_millisecond()).contains(&request.at_ms));
    assert_eq!(request.answered, "200");
}

#[test]
fn forgetting_requests_keeps_the_script_of_the_name() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"status": 500}]}"#);
    program.get("/acme");
    assert_eq!(program.ask("DELETE /_control/acme/requests HTTP/1.1\r\nhost: x\r\n\r\n").status, 204);
    assert_eq!(program.requests("acme"), Requests::default());
    assert_eq!(program.get("/acme").status, 500);
    assert_eq!(program.ask("DELETE /_control/acme HTTP/1.1\r\nhost: x\r\n\r\n").status, 204);
    assert_eq!(program.requests("acme"), Requests::default());
    assert_eq!(program.get("/acme").status, 200);
}

#[test]
fn new_answers_begin_with_their_first() {
    let program = Program::start();
    for _ in 0..2 {
        program.set_script(r#"{"answers": [{"status": 500}, {"status": 200}]}"#);
        assert_eq!(program.get("/acme").status, 500);
    }
}

#[test]
fn all_names_are_listed_with_their_request_counts() {
    let program = Program::start();
    program.put("globex", "{}");
    program.get("/acme");
    assert_eq!(program.get("/_control").text(), "{\"acme\":1,\"globex\":0}\n");
}

#[test]
fn a_wrong_script_is_refused_with_the_place_of_its_fault() {
    let program = Program::start();
    for (script, word) in [
        ("{", "EOF"),
        (r#"{"answers": [{}, {"statuss": 1}]}"#, "statuss"),
        (r#"{"answers": [{}, {"status": 100}]}"#, "answers[1]: status must be 200 to 999"),
        (r#"{"secrets": ["hunter2"]}"#, "a webhook secret must be whsec_"),
    ] {
        let reply = program.put("acme", script);
        assert_eq!(reply.status, 400, "{script}");
        assert!(reply.text().contains(word) && !reply.text().contains("hunter2"), "{}", reply.text());
    }
    assert!(program.ask("POST /_control/acme HTTP/1.1\r\nhost: x\r\n\r\n").text().contains("PUT "));
}

#[test]
fn a_path_without_a_name_is_404_and_not_remembered() {
    let program = Program::start();
    for target in ["/", "/%61cme", "/a,b", "/_private"] {
        assert_eq!(program.get(target).status, 404, "{target}");
    }
    assert_eq!(program.put("a,b", "{}").status, 400);
    assert_eq!(program.get("/_control").text(), "{}\n");
}

#[test]
fn a_body_beyond_the_limit_is_413() {
    let program = Program::start();
    let mut connection = program.connect();
    let head = "POST /acme HTTP/1.1\r\nhost: x\r\ncontent-length: 70000\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    // This is one byte more than the limit. The rest of the body is not sent, because unread bytes would reset the
    // connection.
    connection.write_all(&vec![b'x'; 64 * 1024 + 1]).unwrap();
    let mut status = [0; 12];
    connection.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    assert_eq!(program.requests("acme").received, 0);
}
