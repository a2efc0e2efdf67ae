use std::fs;
use std::process::Command;

use super::{Database, count, post, start};
use crate::program::{BINARY, run};

/// Starts it with a database that it cannot use; returns what it says.
fn refusal(url: &str) -> String {
    let output = run(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--database-url", url]);
    assert_eq!(output.status.code(), Some(1), "{url}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_url_that_cannot_be_used_is_told_by_its_setting_and_without_its_password() {
    let missing = "sqlite:///no/such/directory/documents.db";
    for (url, reason) in [
        ("mysql://user:secret@host/db", "neither"),
        ("secret", "neither"),
        ("postgres://user:secret@host:port/db", "port"),
        ("postgres://user:secret@host/db?sslmode=secretive", "ssl_mode"),
        ("sqlite://relative.db", "whole path"),
        ("sqlite::memory:", "whole path"),
        (missing, "No such file"),
    ] {
        let said = refusal(url);
        assert!(said.contains("--database-url") && said.contains(reason), "{said}");
        assert!(!said.contains("secret@") && !said.contains("user:"), "{said}");
    }
}

#[test]
fn the_url_comes_from_the_environment_and_an_empty_one_counts_as_unset() {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    let url = database.url();
    let mut command = Command::new("env");
    let program =
        crate::program::Program::start_by(command.arg(format!("DATABASE_URL={url}")).args([BINARY]));
    program.wait_for_readiness("200");
    assert_eq!(post(&program, "k", "{}").status, 200);
    assert_eq!(count(&program), 1);
    let plain = crate::program::Program::start_by(Command::new("env").args(["DATABASE_URL=", BINARY]));
    assert_eq!(post(&plain, "k", "no JSON").status, 200);
}

#[test]
fn a_second_api_does_not_get_the_same_file_until_the_first_has_ended() {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    let first = database.api();
    assert_eq!(post(&first, "k", "{}").status, 200);
    let said = refusal(&database.url());
    assert!(said.contains("another api has the database") && said.contains("documents.db.lock"), "{said}");
    // However it ends.
    drop(first);
    let second = database.api();
    assert_eq!(post(&second, "k", "{}").json()["duplicate"], true);
}

#[test]
fn what_is_no_database_leaves_it_unready_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("documents.db");
    fs::write(&file, "This is a text, and long enough to be looked at.\n".repeat(100)).unwrap();
    let program = start(&format!("sqlite://{}", file.display()));
    let said = program.logged("the database is away");
    assert!(said["message"].as_str().unwrap().contains("not a database"), "{said}");
    assert_eq!(program.probe("/readyz"), "503");
    assert_eq!(program.probe("/healthz"), "200");
    assert_eq!(post(&program, "k", "{}").status, 503);
}

#[test]
fn a_newer_version_s_tables_do_not_keep_an_older_one_out() {
    for database in Database::each("newer tables") {
        drop(database.api());
        let Database::Postgres(postgres) = &database else { continue };
        postgres.query(
            "INSERT INTO _sqlx_migrations SELECT 2, 'newer', now(), true, checksum, 0 FROM _sqlx_migrations",
        );
        assert_eq!(post(&database.api(), "k", "{}").status, 200);
    }
}
