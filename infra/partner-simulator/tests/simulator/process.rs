//! The program as a whole: how it ends, and what it prints.

use crate::program::Program;

#[test]
fn it_ends_in_good_order_when_it_is_interrupted_or_terminated_whatever_hangs() {
    for signal in ["-INT", "-TERM"] {
        let mut program = Program::start();
        program.tell(r#"{"answers": [{"hang": true}]}"#);
        let _waiting = program.call();
        program.until_received(1);
        assert!(program.end(signal).success());
    }
}

#[test]
fn each_request_is_a_line_without_its_query() {
    let mut program = Program::start();
    program.tell(r#"{"answers": [{"status": 500}]}"#);
    program.get("/acme/hook?click=c-1");
    let line = program.line();
    assert!(line.ends_with("Z GET acme -> 500, signature unchecked\n"), "{line}");
    assert!(!line.contains("c-1") && !line.contains("hook"), "{line}");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let program = Program::start();
    let port = program.address.split_once(':').unwrap().1;
    let mut second = std::process::Command::new(env!("CARGO_BIN_EXE_partner-simulator"));
    let output = second.args(["--port", port]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(port));
}
