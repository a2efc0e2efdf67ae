use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use end_to_end::{Postgres, wait_for};

use super::{Database, count, keyed, post, start, try_ask};
use crate::program::Program;

#[test]
fn a_database_that_is_away_at_the_start_is_waited_for() {
    let Some(mut postgres) = Postgres::start("a database that comes late") else { return };
    postgres.kill();
    let program = start(&postgres.url());
    assert_eq!((program.probe("/readyz"), program.probe("/healthz")), ("503".to_owned(), "200".to_owned()));
    let reply = post(&program, "k", "{}");
    assert_eq!(reply.status, 503);
    assert!(reply.head.contains("retry-after: 1"), "{reply:?}");
    assert_eq!(super::get(&program, "/documents").status, 503);
    postgres.restart();
    program.wait_for_readiness("200");
    assert_eq!(post(&program, "k", "{}").status, 200);
    assert_eq!(count(&program), 1);
}

#[test]
fn a_database_that_goes_away_while_nobody_asks_fails_the_readiness() {
    let Some(mut postgres) = Postgres::start("a database that goes away") else { return };
    let program = start(&postgres.url());
    program.wait_for_readiness("200");
    postgres.kill();
    program.wait_for_readiness("503");
    postgres.restart();
    program.wait_for_readiness("200");
}

/// Sends documents one after the other, each until it is answered 200.
fn send(program: &Program, client: u64, answered: &Mutex<HashSet<String>>, is_over: &AtomicBool) {
    for n in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("k-{client}-{n}");
        let document = format!(r#"{{"client":{client},"n":{n}}}"#);
        while try_ask(program.address, &keyed(&key), &document).is_none_or(|reply| reply.status != 200) {
            thread::sleep(Duration::from_millis(10));
        }
        answered.lock().unwrap().insert(key);
    }
}

#[test]
fn a_database_killed_ten_times_in_mid_batch_loses_nothing_doubles_nothing_and_had_all_that_was_answered() {
    let Some(mut postgres) = Postgres::start("a database that is killed") else { return };
    let replicas = [start(&postgres.url()), start(&postgres.url())];
    replicas.iter().for_each(|replica| replica.wait_for_readiness("200"));
    let (answered, is_over) = (Mutex::new(HashSet::new()), AtomicBool::new(false));
    let (answered, is_over) = (&answered, &is_over);
    thread::scope(|scope| {
        for client in 0..16 {
            let replica = &replicas[client as usize % 2];
            scope.spawn(move || send(replica, client, answered, is_over));
        }
        for kill in 1..=10 {
            let before = answered.lock().unwrap().len();
            wait_for("answers", || (answered.lock().unwrap().len() > before + 50 + 7 * kill).then_some(()));
            postgres.kill();
            // Answered by a server that is dead by now.
            let promised = answered.lock().unwrap().clone();
            postgres.restart();
            let stored: HashSet<String> =
                postgres.query("SELECT key FROM documents").lines().map(str::to_owned).collect();
            let lost: Vec<_> = promised.difference(&stored).collect();
            assert!(lost.is_empty(), "answered before they were committed: {lost:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let answered = answered.lock().unwrap();
    let right = "SELECT count(*), count(DISTINCT key) FROM documents
                 WHERE key = format('k-%s-%s', document ->> 'client', document ->> 'n')";
    assert_eq!(postgres.query(right).trim(), format!("{0}\t{0}", answered.len()));
    assert_eq!(postgres.count(), answered.len() as u64);
    let away: f64 =
        replicas.iter().filter_map(|replica| replica.metric("api_documents_total{outcome=\"away\"}")).sum();
    assert!(away > 0.0, "no kill came in mid-batch");
}

#[test]
fn what_was_committed_for_an_api_that_died_before_its_answer_is_known_to_the_next_one() {
    let Some(postgres) = Postgres::start("a lost answer") else { return };
    let database = Database::Postgres(postgres);
    let program = database.api();
    let Database::Postgres(postgres) = &database else { return };
    postgres.slow_down(1.0);
    let address = program.address;
    let lost = thread::spawn(move || try_ask(address, &keyed("k"), "{}"));
    let in_hand = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    wait_for("the insert", || (postgres.query(in_hand).trim() == "1").then_some(()));
    drop(program);
    assert!(lost.join().unwrap().is_none());
    wait_for("the commit", || (postgres.count() == 1).then_some(()));
    let again = post(&database.api(), "k", "{}");
    assert_eq!((again.status, &again.json()["duplicate"]), (200, &true.into()));
    assert_eq!(postgres.count(), 1);
}
