//! Killed at any instant: nothing half appears, and the next run cleans up.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use crate::server::{Server, hang, head, send};
use crate::{NAMES, Place, assert_fetches_iris, cleaned, iris, run, wait_until};

/// So many kills are drawn.
const KILLS: usize = 50;

#[test]
fn killed_in_the_middle_of_the_download_fifty_times_it_leaves_nothing_that_the_next_run_does_not_clean_up() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let place = Place::new();
    for _ in 0..KILLS {
        let (data, sent) = (iris(), random.usize(..iris().len()));
        let part = data[..sent].to_vec();
        let server = Server::start(move |_, _, stream| {
            head(stream, "200 OK", &[], data.len());
            send(stream, &data[..sent]);
            hang(stream);
        });
        let mut command = place.data_prep(&server.url("/"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("all that was sent has come", || server.requests().len() == 1 && place.download() == part);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert_eq!(place.published(), []);
    }
    let server = Server::with(iris());
    let log = assert_fetches_iris(&place, &mut place.data_prep(&server.url("/")));
    assert!(log.contains("deleted what earlier runs left"), "{log}");
    assert_eq!(fs::read_dir(place.path().join(".pipe/1/data-prep.iris")).unwrap().count(), 0);
}

/// Each call that changes the volume is a failpoint of the debug builds (`lib/volume`, `failpoint.rs`).
#[test]
fn killed_at_any_step_it_publishes_all_or_nothing() {
    if !cfg!(debug_assertions) {
        eprintln!("skipped: a release build has no failpoints");
        return;
    }
    let mut data = iris();
    data.extend_from_slice(b"too,short\n");
    let rejected = format!("{NAMES}\ntoo,short\n");
    let server = Server::with(data);
    let (mut kills, mut found) = (0, BTreeSet::new());
    loop {
        let place = Place::new();
        let (output, log) = run(place.data_prep(&server.url("/")).env("FAIL_AT", (kills + 1).to_string()));
        if output.status.success() {
            break;
        }
        assert_eq!(output.status.signal(), Some(9), "{log}");
        kills += 1;
        let before = place.published().len();
        let (output, log) = run(&mut place.data_prep(&server.url("/")));
        assert_eq!(output.status.code(), Some(0), "after a kill at {kills}: {log}");
        let published = place.published();
        assert!(published.iter().all(|(_, content)| *content == cleaned()), "{kills}: {published:?}");
        // What was set aside came with its file, and with no other.
        let aside = place.rejected();
        assert_eq!(aside.len(), 2 * published.len(), "{kills}: {aside:?}");
        assert_eq!(aside.iter().filter(|file| **file == rejected).count(), published.len());
        place.assert_nothing_in_hand();
        found.insert((before, published.len()));
    }
    assert!(kills > 30, "{kills}");
    // Killed before the commit, between it and the publication, and behind that.
    assert_eq!(found, BTreeSet::from([(0, 1), (0, 2), (1, 2)]));
}
