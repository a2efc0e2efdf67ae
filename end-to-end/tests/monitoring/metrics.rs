use std::fs::File;
use std::io::Write;

use end_to_end::{DataDir, Disk, Recorder, Reply, Running, is_root, stage, wait_for};

#[test]
fn the_oldest_file_that_waits_gets_older_until_it_is_taken() {
    const OLDEST: &str = "pipe_oldest_waiting_seconds{stage=\"text-to-csv\"}";
    let data = DataDir::new();
    let stage = Running::start(&mut stage("text-to-csv", data.path(), &[]));
    stage.wait_for_readiness(200);
    assert_eq!(stage.metric(OLDEST), Some(0.0));
    // As long as it is open for writing, nobody takes it.
    let mut writer = File::create(data.path().join("listing.txt")).unwrap();
    writer.write_all(b"total 0\n").unwrap();
    let first = wait_for("a file that waits", || stage.metric(OLDEST).filter(|age| *age > 0.0));
    wait_for("it to get older", || stage.metric(OLDEST).filter(|age| *age > first + 0.5));
    drop(writer);
    wait_for("it to be taken", || stage.metric(OLDEST).filter(|age| *age == 0.0));
}

#[test]
fn files_that_come_while_a_batch_is_in_hand_are_counted_and_get_older() {
    let (data, api) = (DataDir::new(), Recorder::with("api", |_, _| Reply::Hang));
    let args = ["--api-url", &api.url(), "--timeout", "1h"];
    let stage = Running::start(&mut stage("json-to-api", data.path(), &args));
    let metric = |name: &str| stage.metric(&format!("{name}{{stage=\"json-to-api\"}}"));
    stage.wait_for_readiness(200);
    data.put("listing.json", "{}\n");
    wait_for("a document in flight", || (api.count() > 0).then_some(()));
    ["listing-a.json", "listing-b.json"].iter().for_each(|name| data.put(name, "{}\n"));
    wait_for("two files that wait", || metric("pipe_inbox_files").filter(|files| *files == 2.0));
    let first = metric("pipe_oldest_waiting_seconds").unwrap();
    wait_for("them to get older", || metric("pipe_oldest_waiting_seconds").filter(|age| *age > first + 0.5));
}

#[test]
fn a_documents_age_counts_from_the_first_sight_of_its_file() {
    let (data, api) = (DataDir::new(), Recorder::start());
    let stage = Running::start(&mut stage("json-to-api", data.path(), &["--api-url", &api.url()]));
    stage.wait_for_readiness(200);
    let mut writer = File::create(data.path().join("listing.json")).unwrap();
    writer.write_all(b"{}\n{}\n").unwrap();
    let oldest = "pipe_oldest_waiting_seconds{stage=\"json-to-api\"}";
    let waited = wait_for("a file that waits", || stage.metric(oldest).filter(|age| *age > 0.3));
    drop(writer);
    wait_for("two answers", || {
        stage.metric("pipe_document_age_seconds_count").filter(|answers| *answers == 2.0)
    });
    let sum = stage.metric("pipe_document_age_seconds_sum").unwrap();
    assert!(sum >= 2.0 * waited, "{sum} s for two documents whose file was seen {waited} s before");
}

#[test]
fn the_room_on_the_volume_is_what_is_left_of_it() {
    const FREE: &str = "pipe_volume_free_bytes";
    const SIZE: f64 = 16.0 * 1024.0 * 1024.0;
    if !is_root("a small disk") {
        return;
    }
    let disk = Disk::mount("size=16m");
    let data = DataDir::within(disk.path());
    let stage = Running::start(&mut stage("text-to-csv", data.path(), &[]));
    stage.wait_for_readiness(200);
    let free = stage.metric(FREE).unwrap();
    assert!((SIZE / 2.0..=SIZE).contains(&free), "{free}");
    let ballast = disk.ballast();
    ballast.grow();
    wait_for("the volume to be full", || stage.metric(FREE).filter(|free| *free == 0.0));
    ballast.clear();
    wait_for("room", || stage.metric(FREE).filter(|room| *room > SIZE / 2.0));
}
