use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use service::Shutdown;

use crate::program::{BINARY, PROMISED, Program, exchange};

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
    let reply = exchange(program.address, "GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.contains("connection: close\r\n"), "{reply}");

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

/// Standard output or error that takes nothing any more, and its reader, who does not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(b"x").is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// Whether the process handles SIGTERM.
fn is_ready_for_sigterm(process: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() >> (Signal::TERM.as_raw() - 1) & 1 == 1
}

#[test]
fn signals_are_obeyed_before_the_settings_are_read() {
    // It has read its arguments and hangs when it prints its help: before, it must have installed its handlers.
    let (_reader, full) = full_pipe();
    let mut program = Command::new(BINARY).arg("--help").stdout(full).spawn().unwrap();
    let start = Instant::now();
    while !is_ready_for_sigterm(&program) {
        assert!(start.elapsed() < PROMISED, "it does not handle SIGTERM");
        assert!(program.try_wait().unwrap().is_none(), "it has ended");
    }
    let id = Pid::from_child(&program);
    // Until the first one is seen, two are one.
    while program.try_wait().unwrap().is_none() {
        let _ = kill_process(id, Signal::TERM);
        assert!(start.elapsed() < PROMISED);
    }
    assert_eq!(program.wait().unwrap().code(), Some(143));
}

#[test]
fn standard_error_that_nobody_reads_stops_nothing() {
    let (_reader, full) = full_pipe();
    // The address is not to be read anywhere.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = Command::new(BINARY)
        .args(["--listen", &address.to_string(), "--admin-listen", "127.0.0.1:0", "--rust-log", "trace"])
        .stderr(full)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let reply = loop {
        match exchange(address, "GET / HTTP/1.1\r\nconnection: close\r\n\r\n") {
            Ok(reply) => break reply,
            Err(error) => assert!(start.elapsed() < PROMISED, "{error}"),
        }
    };
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    let asked = Instant::now();
    kill_process(Pid::from_child(&program), Signal::TERM).unwrap();
    let output = program.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), Vec::new()));
    assert!(asked.elapsed() < PROMISED);
}
