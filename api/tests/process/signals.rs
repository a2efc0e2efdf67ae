use std::io::{Read, Write};
use std::process::Command;
use std::time::Instant;

use rustix::process::{Pid, Signal};
use service::Shutdown;

use crate::program::{BINARY, PROMISED, Program};

#[test]
fn a_stop_fails_readiness_first_and_answers_what_is_in_flight() {
    let mut program = Program::start();
    assert_eq!(program.probe("/readyz"), "200");
    let mut client = program.in_flight();
    let asked = Instant::now();
    program.signal(Signal::TERM);
    program.wait_until_unready();
    assert_eq!(program.probe("/healthz"), "200");
    // Not yet known everywhere: new clients still come, and are told to go elsewhere.
    let reply = program.ask().unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");

    client.write_all(b"0123456789").unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.contains("connection: close\r\n"), "{reply}");
    assert_eq!(program.exit().code(), Some(0));
    assert!(asked.elapsed() < PROMISED);
    assert!(program.ask().is_err());
}

#[test]
fn who_hangs_does_not_keep_it_beyond_the_time_promised() {
    let mut program = Program::start();
    let _hanging = program.in_flight();
    let asked = Instant::now();
    program.signal(Signal::INT);
    assert_eq!(program.exit().code(), Some(0));
    assert!(asked.elapsed() < PROMISED);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (second, status) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut program = Program::start();
        let _hanging = program.in_flight();
        program.signal(Signal::TERM);
        program.logged("stopping on SIGTERM");
        let asked = Instant::now();
        program.signal(second);
        assert_eq!(program.exit().code(), Some(status));
        // It would wait so long for who hangs.
        assert!(asked.elapsed() < Shutdown::GRACE);
    }
}

#[test]
fn as_process_1_it_ends_in_time_too() {
    let Some(mut unshare) = unshare() else {
        eprintln!("skipped: no right to make a process namespace here");
        return;
    };
    let mut program = Program::start_by(unshare.arg(BINARY));
    // The namespace's process 1 is the only child of `unshare`.
    let wrapper = program.id.as_raw_pid();
    let children = std::fs::read_to_string(format!("/proc/{wrapper}/task/{wrapper}/children")).unwrap();
    program.id = Pid::from_raw(children.trim().parse().unwrap()).unwrap();

    let asked = Instant::now();
    program.signal(Signal::TERM);
    program.logged("stopping on SIGTERM");
    assert_eq!(program.exit().code(), Some(0));
    assert!(asked.elapsed() < PROMISED);
}

/// What starts a program as process 1 of its own namespace, with or without a user namespace; none where neither is
/// permitted.
fn unshare() -> Option<Command> {
    let ways: [&[&str]; 2] = [&["--pid", "--fork"], &["--user", "--map-root-user", "--pid", "--fork"]];
    ways.into_iter().find_map(|way| {
        let permitted =
            Command::new("unshare").args(way).arg("true").output().is_ok_and(|tried| tried.status.success());
        let mut command = Command::new("unshare");
        command.args(way);
        permitted.then_some(command)
    })
}
