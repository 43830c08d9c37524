//! Tests the program as a whole: how it ends and what it prints.

use crate::program::Program;

#[test]
fn a_signal_ends_the_program_even_while_a_request_hangs() {
    for signal in ["-INT", "-TERM"] {
        let mut program = Program::start();
        program.set_script(r#"{"answers": [{"hang": true}]}"#);
        let _waiting = program.call();
        program.until_received(1);
        assert!(program.end(signal).success());
    }
}

#[test]
fn each_request_prints_a_line_without_its_query() {
    let mut program = Program::start();
    program.set_script(r#"{"answers": [{"status": 500}]}"#);
    program.get("/acme/hook?click=c-1");
    let line = program.line();
    assert!(line.ends_with("Z GET acme -> 500, signature unchecked\n"), "{line}");
    assert!(!line.contains("c-1") && !line.contains("hook"), "{line}");
}

#[test]
fn a_port_in_use_is_named_in_the_error() {
    let program = Program::start();
    let port = program.address.split_once(':').unwrap().1;
    let mut second = std::process::Command::new(env!("CARGO_BIN_EXE_partner-simulator"));
    let output = second.args(["--port", port]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(port));
}
