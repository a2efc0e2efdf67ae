//! From the file to the database's rows: as many as lines, each right, whatever is killed on the way.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use end_to_end::{Balancer, DataDir, Postgres, Running, api, run, stage, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// How often json-to-api is killed, and how often a replica of the api.
const KILLS: usize = 20;

/// A batch that has ended several owners is taken over ever more slowly: no file sees more than some of the kills.
const FILES: usize = 10;

enum Database {
    Postgres(Postgres),
    Sqlite(TempDir),
}

impl Database {
    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(postgres) => postgres.url(),
            Self::Sqlite(_) => format!("sqlite://{}", self.file().display()),
        }
    }

    fn file(&self) -> PathBuf {
        match self {
            Self::Postgres(postgres) => postgres.directory().to_owned(),
            Self::Sqlite(directory) => directory.path().join("documents.db"),
        }
    }

    /// How many replicas it may have.
    fn replicas(&self) -> usize {
        if matches!(self, Self::Postgres(_)) { 3 } else { 1 }
    }

    /// What it gives without any program of ours, a line a row; nothing before there is a table.
    fn query(&self, sql: &str) -> String {
        const SQLITE: &str = "import sqlite3, sys\n\
                              for row in sqlite3.connect(sys.argv[1], timeout=60).execute(sys.argv[2]): print(row[0])";
        match self {
            Self::Postgres(postgres) => postgres.query(sql),
            Self::Sqlite(_) => {
                let output = run(Command::new("python3").args(["-c", SQLITE]).arg(self.file()).arg(sql));
                String::from_utf8(output.stdout).unwrap()
            }
        }
    }

    fn count(&self) -> usize {
        self.query("SELECT count(*) FROM documents").trim().parse().unwrap()
    }

    /// A replica that is ready: it has a table.
    fn replica(&self) -> Running {
        let replica = Running::start(api().env("DATABASE_URL", self.url()));
        replica.wait_for_readiness(200);
        replica
    }
}

/// A document of its own in every field.
fn document(n: usize) -> Value {
    serde_json::json!({
        "mod": format!("-rw-r--r-{}", n % 8),
        "no": format!("{}", n % 9),
        "user": format!("user {}", n % 10),
        "group": "'); DROP TABLE documents; --",
        "usrno": format!("{}", n * 7),
        "date": format!("Mar {:2} 00:49", n % 30 + 1),
        "file": format!("/dir/{n}/<b>\"quoted\" \\ and ünlike"),
    })
}

/// Drops so many documents, in files of equal size.
fn drop_documents(data: &DataDir, documents: usize) {
    for file in 0..FILES {
        let (from, to) = (documents * file / FILES, documents * (file + 1) / FILES);
        data.put_by(&format!("listing-{file}.json"), |out| {
            let mut out = std::io::BufWriter::new(out);
            (from..to).try_for_each(|n| writeln!(out, "{}", document(n)))?;
            out.flush()
        });
    }
}

fn sender(data: &DataDir, balancer: &Balancer) -> Running {
    let args = ["--api-url", &balancer.url(), "--log-docs", "false"];
    Running::start(&mut stage("json-to-api", data.path(), &args))
}

fn addresses(replicas: &[Running]) -> Vec<SocketAddr> {
    replicas.iter().map(|replica| replica.address("listening")).collect()
}

/// Each document is there once, as it was, and nothing else is.
fn assert_complete(database: &Database, documents: usize) {
    let mut seen = vec![false; documents];
    for row in database.query("SELECT document FROM documents").lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let n = row["file"].as_str().unwrap().split('/').nth(2).unwrap().parse::<usize>().unwrap();
        assert_eq!(row, document(n));
        assert!(!seen[n], "{n} is there twice");
        seen[n] = true;
    }
    let lost = seen.iter().filter(|is_there| !**is_there).count();
    assert_eq!(lost, 0, "lost");
}

fn every_line_becomes_one_row(database: &Database, documents: usize) {
    let data = DataDir::new();
    drop_documents(&data, documents);
    let mut replicas: Vec<Running> = (0..database.replicas()).map(|_| database.replica()).collect();
    let balancer = Balancer::start(&addresses(&replicas));
    let mut delivery = sender(&data, &balancer);
    for kill in 0..2 * KILLS {
        let due = documents * (kill + 1) / (2 * KILLS + 1);
        wait_for("rows", || (database.count() >= due).then_some(()));
        if kill % 2 == 0 {
            assert_eq!(delivery.end_by(Signal::KILL), None);
            delivery = sender(&data, &balancer);
        } else {
            let dead = kill / 2 % replicas.len();
            replicas[dead].signal(Signal::KILL);
            replicas[dead].wait();
            replicas[dead] = database.replica();
            balancer.set(&addresses(&replicas));
        }
    }
    wait_for("the end of the last batch", || {
        (data.waiting("json").is_empty() && data.in_hand().is_empty()).then_some(())
    });
    delivery.stop();
    replicas.into_iter().for_each(|replica| drop(replica.stop()));
    assert_complete(database, documents);
    assert_eq!(data.rejected(), Vec::<Vec<u8>>::new());
}

#[test]
fn every_line_becomes_one_row_of_postgresql_however_often_senders_and_replicas_are_killed() {
    let Some(postgres) = Postgres::start("rows of PostgreSQL") else { return };
    every_line_becomes_one_row(&Database::Postgres(postgres), 20_000);
}

#[test]
fn every_line_becomes_one_row_of_sqlite_however_often_senders_and_replicas_are_killed() {
    every_line_becomes_one_row(&Database::sqlite(), 20_000);
}

#[test]
#[ignore = "a million documents: just long"]
fn a_million_lines_become_a_million_rows_of_postgresql() {
    let Some(postgres) = Postgres::start("a million rows of PostgreSQL") else { return };
    every_line_becomes_one_row(&Database::Postgres(postgres), 1_000_000);
}

#[test]
#[ignore = "a million documents: just long"]
fn a_million_lines_become_a_million_rows_of_sqlite() {
    every_line_becomes_one_row(&Database::sqlite(), 1_000_000);
}

#[test]
fn a_slow_database_slows_the_sender_down_and_fails_nothing() {
    let Some(postgres) = Postgres::start("a slow database") else { return };
    let database = Database::Postgres(postgres);
    let replicas = [database.replica(), database.replica()];
    let Database::Postgres(postgres) = &database else { return };
    postgres.slow_down(0.1);
    let (data, balancer) = (DataDir::new(), Balancer::start(&addresses(&replicas)));
    drop_documents(&data, 2_000);
    let delivery = sender(&data, &balancer);
    wait_for("the end of the last batch", || {
        (data.waiting("json").is_empty() && data.in_hand().is_empty()).then_some(())
    });
    assert_eq!(delivery.metric("pipe_records_total{outcome=\"ok\",stage=\"json-to-api\"}"), Some(2_000.0));
    assert_eq!(delivery.metric("pipe_post_retries_total"), Some(0.0));
    assert_complete(&database, 2_000);
    assert!(replicas.iter().all(|replica| replica.peak_memory() < 128 << 20));
    delivery.stop();
}

#[test]
fn a_database_that_restarts_is_waited_for_and_what_it_refuses_is_rejected_with_its_reason() {
    let Some(mut postgres) = Postgres::start("a restart") else { return };
    let url = postgres.url();
    let replica = Running::start(api().env("DATABASE_URL", &url));
    replica.wait_for_readiness(200);
    let (data, balancer) = (DataDir::new(), Balancer::start(&[replica.address("listening")]));
    postgres.kill();
    let unfit = "{\"file\":\"\\u0000\"}";
    data.put("listing.json", format!("{}\n{unfit}\n{}\n", document(0), document(1)));
    let delivery = sender(&data, &balancer);
    delivery.wait_for_log("a document is tried again");
    postgres.restart();
    wait_for("the end of the batch", || {
        (data.waiting("json").is_empty() && data.in_hand().is_empty()).then_some(())
    });
    assert_eq!(data.rejected(), [unfit.as_bytes()]);
    let names = std::fs::read_dir(data.path().join("rejected")).unwrap().map(|entry| entry.unwrap().path());
    let reasons = names.filter(|path| path.extension().is_some_and(|end| end == "reasons"));
    let reasons: String = reasons.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(
        reasons.contains("2: answered 422 Unprocessable Entity") && reasons.contains("\\\\u0000"),
        "{reasons}"
    );
    delivery.stop();
    assert_complete(&Database::Postgres(postgres), 2);
}
