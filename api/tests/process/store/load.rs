use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use end_to_end::{Postgres, wait_for};
use rustix::process::Signal;

use super::{Database, count, post};
use crate::program::{PROMISED, Program};

/// An api on a PostgreSQL whose inserts take so long, in seconds.
fn slow(test: &str, seconds: f64) -> Option<(Program, Database)> {
    let database = Database::Postgres(Postgres::start(test)?);
    let program = database.api();
    let Database::Postgres(postgres) = &database else { unreachable!("it was made so") };
    postgres.slow_down(seconds);
    Some((program, database))
}

fn inserts_in_hand(database: &Database) -> bool {
    let Database::Postgres(postgres) = database else { return false };
    postgres.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").trim() != "0"
}

#[test]
fn documents_that_come_together_share_an_insert() {
    const DOCUMENTS: u64 = 100;
    let Some((program, _database)) = slow("group commits", 0.5) else { return };
    let program = &program;
    thread::scope(|scope| {
        for n in 0..DOCUMENTS {
            scope.spawn(move || assert_eq!(post(program, &format!("k-{n}"), "{}").status, 200));
        }
    });
    let inserts = program.metric("api_insert_duration_seconds_count").unwrap();
    assert!(inserts <= DOCUMENTS as f64 / 4.0, "{inserts} inserts");
    assert_eq!(count(program), DOCUMENTS);
}

#[test]
fn a_slow_database_bounds_the_memory_and_who_finds_no_room_shall_come_back() {
    const CLIENTS: u64 = 24;
    const EACH: u64 = 4;
    let Some((program, _database)) = slow("a slow database", 0.3) else { return };
    let document = format!(r#"{{"x":"{}"}}"#, "x".repeat(1_900 << 10));
    let (program, document) = (&program, &document);
    let [stored, refused] = [(); 2].map(|()| AtomicU64::new(0));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (stored, refused) = (&stored, &refused);
            scope.spawn(move || {
                for n in 0..EACH {
                    let reply = post(program, &format!("k-{client}-{n}"), document);
                    match reply.status {
                        200 => stored.fetch_add(1, Ordering::Relaxed),
                        503 if reply.head.contains("retry-after: 1")
                            && reply.body.contains("queue is full") =>
                        {
                            refused.fetch_add(1, Ordering::Relaxed)
                        }
                        _ => panic!("{reply:?}"),
                    };
                }
            });
        }
    });
    let [stored, refused] = [stored.into_inner(), refused.into_inner()];
    assert!(stored > 0 && refused > 0, "{stored} stored, {refused} refused");
    assert_eq!(count(program), stored);
    assert_eq!(program.metric("api_documents_total{outcome=\"full\"}"), Some(refused as f64));
    let peak = program.peak_memory() >> 20;
    assert!(peak < 160, "{peak} MiB, of 180 MiB that were sent");
}

#[test]
fn a_stop_answers_what_is_committed() {
    let Some((mut program, database)) = slow("a stop", 1.0) else { return };
    let asked = thread::scope(|scope| {
        let reply = scope.spawn(|| post(&program, "k", "{}"));
        wait_for("the insert", || inserts_in_hand(&database).then_some(()));
        program.signal(Signal::TERM);
        let asked = Instant::now();
        assert_eq!(reply.join().unwrap().status, 200);
        asked
    });
    assert_eq!(program.exit().code(), Some(0));
    assert!(asked.elapsed() < PROMISED);
    let Database::Postgres(postgres) = &database else { return };
    assert_eq!(postgres.count(), 1);
}

#[test]
fn a_stop_does_not_wait_for_a_database_beyond_its_time_and_answers_nothing_that_is_not_committed() {
    let Some((mut program, database)) = slow("a stop in vain", 60.0) else { return };
    thread::scope(|scope| {
        let address = program.address;
        let reply = scope.spawn(move || super::try_ask(address, &super::keyed("k"), "{}"));
        wait_for("the insert", || inserts_in_hand(&database).then_some(()));
        program.signal(Signal::TERM);
        let asked = Instant::now();
        assert_eq!(program.exit().code(), Some(0));
        assert!(asked.elapsed() < PROMISED);
        assert_ne!(reply.join().unwrap().map(|reply| reply.status), Some(200));
    });
}
