use std::process::Command;

use rustix::process::Signal;

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
    program.logged("failed to accept a connection");
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
