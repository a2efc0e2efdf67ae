use std::net::TcpListener;
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::program::{BINARY, Program, run};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn help_lists_every_setting_with_variable_and_default() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = text(&help);
    for expected in [
        "Answers every request with the name of its pod",
        "--listen <ADDRESS>",
        "[env: LISTEN]",
        "[default: 0.0.0.0:80]",
        "--database-url <URL>",
        "[env: DATABASE_URL]",
        "--admin-listen <ADDRESS>",
        "[env: ADMIN_LISTEN]",
        "[default: 0.0.0.0:9090",
        "--check-health [<BOOL>]",
        "[env: CHECK_HEALTH]",
        "--rust-log <FILTER>",
        "[env: RUST_LOG]",
        "[default: info]",
        "--log-format <FORMAT>",
        "[env: LOG_FORMAT]",
        "[default: text]",
    ] {
        assert!(help.contains(expected), "{expected} in {help}");
    }
}

#[test]
fn settings_come_from_the_environment_and_empty_ones_count_as_unset() {
    let mut command = Command::new("env");
    command.args(["ADMIN_LISTEN=nonsense", "LISTEN=", "RUST_LOG=", "LOG_FORMAT=", "CHECK_HEALTH=", BINARY]);
    // Flags go before variables, so the nonsense is not even looked at.
    let program = Program::start_by(&mut command);
    assert!(program.ask().unwrap().starts_with("HTTP/1.1 200 OK\r\n"));

    let refused = Command::new(BINARY).env("LISTEN", "nonsense").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused).contains("--listen"));
    let asked = Command::new(BINARY)
        .env("CHECK_HEALTH", "true")
        .env("ADMIN_LISTEN", program.admin.to_string())
        .output()
        .unwrap();
    assert_eq!(asked.status.code(), Some(0), "{}", text(&asked));
}

#[test]
fn settings_that_cannot_be_read_are_refused_with_status_2() {
    for (flag, value) in [
        ("--listen", "nonsense"),
        ("--admin-listen", "80"),
        ("--rust-log", "a=b=c"),
        ("--log-format", "xml"),
        ("--check-health", "perhaps"),
        ("--data-dir", "/data"),
    ] {
        let refused = run(&[flag, value]);
        assert_eq!(refused.status.code(), Some(2), "{flag}");
        assert!(text(&refused).contains(flag), "{}", text(&refused));
    }
}

#[test]
fn an_address_in_use_is_an_error_that_names_its_setting_once() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (setting, arguments) in [
        ("--listen", ["--listen", &taken, "--admin-listen", free]),
        ("--admin-listen", ["--listen", free, "--admin-listen", &taken]),
    ] {
        let refused = run(&arguments);
        assert_eq!(refused.status.code(), Some(1));
        let message = text(&refused);
        let expected = format!("failed to listen on `{setting} {taken}`: Address already in use");
        assert_eq!(message.matches(&expected).count(), 1, "{message}");
        assert!(!message.contains('\x1b'), "colours without a terminal: {message}");
    }
}

#[test]
fn an_error_is_told_also_where_nothing_is_logged() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let refused = run(&["--rust-log", "off", "--admin-listen", &taken]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).starts_with("error: failed to listen on `--admin-listen "));
}

#[test]
fn the_health_check_asks_the_own_admin_port() {
    let mut program = Program::start();
    let admin = program.admin.to_string();
    let check = || run(&["--check-health", "--admin-listen", &admin]);
    assert_eq!(check().status.code(), Some(0));
    program.signal(Signal::TERM);
    program.logged("stopping on SIGTERM");
    assert_eq!(check().status.code(), Some(0));
    program.signal(Signal::TERM);
    program.exit();
    let unhealthy = check();
    assert_eq!(unhealthy.status.code(), Some(1));
    let reason = text(&unhealthy);
    assert!(reason.starts_with("error: failed to ask the admin port"), "{reason}");
    assert_eq!(reason.lines().count(), 1, "{reason}");
}
