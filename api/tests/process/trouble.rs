use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::{BINARY, Program, connect};

fn assert_serves(program: &Program) {
    let reply = program.ask().unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
}

#[test]
fn it_names_its_host() {
    let program = Program::start();
    let name = hostname::get().unwrap();
    let expected = format!(r#""container":"{}"}}"#, name.to_str().unwrap());
    assert!(program.ask().unwrap().ends_with(&expected));
}

#[test]
fn it_survives_more_connections_than_it_may_open() {
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"ulimit -n 40; exec "$0" "$@""#, BINARY]);
    let mut program = Program::start_by(&mut limited);
    let clients: Vec<_> = (0..60).map(|_| connect(program.address).unwrap()).collect();
    program.logged("accept error");
    drop(clients);
    assert_serves(&program);
    program.signal(Signal::TERM);
    assert_eq!(program.exit().code(), Some(0));
}

#[test]
fn it_obeys_though_its_diagnostics_cannot_be_written() {
    let mut program = Program::start_unheard();
    let _hanging = program.in_flight();
    // The first signal is logged; the second one shows that who logged it lives on.
    program.signal(Signal::TERM);
    program.wait_until_unready();
    assert_serves(&program);
    program.signal(Signal::TERM);
    assert_eq!(program.exit().code(), Some(143));
}

#[test]
fn with_all_that_can_be_logged_each_line_is_json_from_the_first_on() {
    let mut traced = Command::new("env");
    traced.args(["RUST_LOG=trace", "LOG_FORMAT=json", BINARY, "--listen", "127.0.0.1:0"]);
    let mut program = traced.args(["--admin-listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
    let mut lines = 0;
    for line in log.by_ref().map(Result::unwrap) {
        let line: Value = serde_json::from_str(&line).expect(&line);
        lines += 1;
        if line["message"] == "listening" {
            kill_process(Pid::from_child(&program), Signal::TERM).unwrap();
        }
    }
    assert!(lines > 2);
    assert_eq!(program.wait().unwrap().code(), Some(0));
}

#[test]
fn clients_that_break_the_rules_of_http_2_fill_no_log() {
    const RESETS: u32 = 100;
    let mut program = Program::start();
    let mut asking = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (0..RESETS).map(|number| (2 * number + 1).to_be_bytes()) {
        // `:method: POST`, `:scheme: http`, `:path: /`.
        asking.extend([&[0, 0, 3, 1, 5], &stream[..], &[0x83, 0x86, 0x84]].concat());
        asking.extend([&[0, 0, 4, 3, 0], &stream[..], &[0, 0, 0, 8]].concat());
    }
    for _ in 0..50 {
        let mut client = connect(program.address).unwrap();
        let _ = client.write_all(&asking);
        let _ = client.shutdown(std::net::Shutdown::Write);
        let _ = client.read_to_end(&mut Vec::new());
    }
    program.signal(Signal::TERM);
    assert_eq!(program.exit().code(), Some(0));
    let log = program.rest_of_the_log();
    assert!(log.iter().all(|line| !line["target"].as_str().unwrap_or_default().starts_with("h2")), "{log:?}");
    assert!(log.len() < 10, "{log:?}");
}
