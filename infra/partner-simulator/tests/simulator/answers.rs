//! Tests HTTP answers, as a partner gives them.

use std::io::{BufReader, Read as _, Write as _};

use flate2::read::MultiGzDecoder;
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

use crate::program::{Program, Reply};

#[test]
fn a_name_without_a_script_answers_200() {
    let reply = Program::start().get("/acme/hook?click=c-1");
    assert_eq!((reply.status, reply.text()), (200, ""));
}

#[test]
fn answers_come_in_order_and_the_last_is_repeated() {
    let program = Program::start();
    program
        .set_script(r#"{"answers": [{"status": 500, "times": 3}, {"status": 410, "body": "gone"}, {"status": 204}]}"#);
    let statuses: Vec<u16> = (0..7).map(|_| program.get("/acme").status).collect();
    assert_eq!(statuses, [500, 500, 500, 410, 204, 204, 204]);
}

#[test]
fn each_name_has_its_own_answers() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"status": 500}]}"#);
    assert_eq!([program.get("/globex").status, program.get("/acme/globex").status], [200, 500]);
}

#[test]
fn a_connection_is_kept_for_further_requests() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"body": "one"}, {"body": "two"}]}"#);
    let connection = program.call();
    let mut answers = BufReader::new(connection.try_clone().unwrap());
    assert_eq!(Reply::read(&mut answers).text(), "one");
    (&connection).write_all(b"GET /acme HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(Reply::read(&mut answers).text(), "two");
}

#[test]
fn a_redirect_names_its_location() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"redirect": "https://www.example.com/"}]}"#);
    let reply = program.get("/acme");
    assert_eq!((reply.status, reply.header("location")), (302, Some("https://www.example.com/")));
}

#[test]
fn retry_after_is_in_seconds_or_a_date_after_the_answer() {
    let program = Program::start();
    program.set_script(
        r#"{"answers": [{"status": 503, "retry_after_seconds": 120}, {"status": 503, "retry_after_date_seconds": 3600}]}"#,
    );
    assert_eq!(program.get("/acme").header("retry-after"), Some("120"));
    let asked = Timestamp::now().as_second();
    let reply = program.get("/acme");
    let date = reply.header("retry-after").unwrap();
    assert!(date.ends_with(" GMT"), "{date}");
    let date = DateTimeParser::new().parse_timestamp(date).unwrap().as_second();
    assert!((asked + 3600..=Timestamp::now().as_second() + 3600).contains(&date));
}

#[test]
fn an_answer_has_the_scripts_headers_and_its_filler() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"headers": {"X-Partner": "acme"}, "filler_headers": 10000}]}"#);
    let reply = program.get("/acme");
    assert_eq!(reply.header("x-partner"), Some("acme"));
    // The server adds content-length and date.
    assert_eq!(reply.header_lines(), 10_003);
}

#[test]
fn a_delayed_answer_comes_whole() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"delay_ms": 200, "body": "late"}]}"#);
    let begun = std::time::Instant::now();
    assert_eq!(program.get("/acme").text(), "late");
    assert!(begun.elapsed().as_millis() >= 200);
}

#[test]
fn a_slow_body_follows_its_headers_byte_by_byte() {
    let program = Program::start();
    // The second byte would come in an hour.
    program.set_script(
        r#"{"answers": [{"body": "ok", "body_byte_every_ms": 20}, {"body": "ok", "body_byte_every_ms": 3600000}]}"#,
    );
    let reply = program.get("/acme");
    assert_eq!((reply.header("content-length"), reply.text()), (Some("2"), "ok"));
    let mut head = vec![0; b"HTTP/1.1 200 OK\r\n".len()];
    program.call().read_exact(&mut head).unwrap();
    assert_eq!(head, b"HTTP/1.1 200 OK\r\n");
}

#[test]
fn an_endless_body_goes_on_while_it_is_read() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"endless_body": true}]}"#);
    let mut connection = program.call();
    // This is more than the buffers of both sides hold.
    connection.read_exact(&mut vec![0; 32 * 1024 * 1024]).unwrap();
    drop(connection);
    assert_eq!(program.requests("acme").received, 1);
}

#[test]
fn a_gzip_bomb_decodes_to_the_size_of_its_script() {
    let program = Program::start();
    program.set_script(r#"{"answers": [{"gzip_bomb_mib": 64}]}"#);
    let reply = program.get("/acme");
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(reply.body.len() < 128 * 1024, "{}", reply.body.len());
    let decoded = std::io::copy(&mut MultiGzDecoder::new(reply.body.as_slice()), &mut std::io::sink()).unwrap();
    assert_eq!(decoded, 64 * 1024 * 1024);
}
