//! Runs to completion: what they get done, and what their exit status says about what is left.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeSet;
use std::fs;

use end_to_end::{DataDir, Recorder, Reply, Running, STAGES, Stage, stage, wait_for};
use rustix::process::Signal;

/// What a run to completion that was stopped with work left ends with, by the contract.
const STOPPED: [(Signal, i32); 2] = [(Signal::TERM, 143), (Signal::INT, 130)];

fn documents(mark: &str, count: usize) -> String {
    (0..count).map(|n| format!("{{\"n\":\"{mark}-{n}\"}}\n")).collect()
}

/// Batches whose owners died.
const ORPHANS: [&str; 2] =
    ["01890a5d-ac96-774b-bcce-b302099a8057.1", "01890a5d-ac96-774b-bcce-b302099a8058.1"];

/// Leaves batches whose journals cannot be read.
fn leave_batches_with_damaged_journals(data: &DataDir) {
    for orphan in ORPHANS {
        let claim = data.path().join(".pipe/1/json-to-api").join(orphan);
        // Whoever reads a directory as a file is refused by the kernel, root too.
        fs::create_dir_all(claim.join("journal.1.0")).unwrap();
        fs::write(claim.join("lock"), "").unwrap();
        fs::write(claim.join("input"), documents(orphan, 3)).unwrap();
    }
}

#[test]
fn batches_that_fail_hold_up_no_good_file_of_a_run_to_completion() {
    let data = DataDir::new();
    leave_batches_with_damaged_journals(&data);
    data.put("listing.json", documents("good", 10));
    let api = Recorder::start();
    let mut run =
        Running::start(&mut stage("json-to-api", data.path(), &["--once", "--api-url", &api.url()]));
    let status = run.wait().code();
    let came: BTreeSet<Vec<u8>> = api.posts().into_iter().map(|post| post.body).collect();
    for line in documents("good", 10).lines() {
        assert!(came.contains(line.as_bytes()), "{line} was not delivered: {}", run.log());
    }
    assert!(!data.path().join("listing.json").exists());
    // Whether such damage can be healed is the stage's affair: its status says so.
    if data.in_hand().is_empty() {
        assert_eq!((status, came.len()), (Some(0), 16), "{}", run.log());
    } else {
        assert_eq!(status, Some(1), "{}", run.log());
        assert!(run.log().contains("journal"), "{}", run.log());
    }
}

#[test]
fn a_converter_stopped_with_files_left_says_so_by_its_status() {
    for Stage { name, good, output, input, .. } in STAGES.iter().filter(|stage| !stage.sends()) {
        for (signal, status) in STOPPED {
            let data = DataDir::new();
            let files = 400;
            for number in 0..files {
                data.put(&format!("listing-{number:03}.{input}"), good);
            }
            let running = Running::start(&mut stage(name, data.path(), &["--once"]));
            wait_for("the first output", || (!data.waiting(output).is_empty()).then_some(()));
            assert_eq!(running.end_by(signal), Some(status), "{name}");
            let (done, left) = (data.waiting(output).len(), data.waiting(input).len());
            assert!(done + left >= files - 1 && left > 0, "{done} files done, {left} left");
        }
    }
}

#[test]
fn a_sender_stopped_with_documents_left_says_so_by_its_status() {
    for (signal, status) in STOPPED {
        let (data, api) = (DataDir::new(), Recorder::with("api", |_, _| Reply::Status(503)));
        data.put("listing.json", "{}\n");
        let running =
            Running::start(&mut stage("json-to-api", data.path(), &["--once", "--api-url", &api.url()]));
        wait_for("a document on its way", || (api.count() > 0).then_some(()));
        assert_eq!(running.end_by(signal), Some(status));
        assert!(data.claim("json-to-api").is_some(), "its progress is kept");
    }
}

/// getdata finishes its listing where the time that it has is enough: its status tells which it was.
#[test]
fn a_listing_told_to_stop_is_published_or_ends_with_143_or_130() {
    for (signal, status) in STOPPED {
        let data = DataDir::new();
        let running = Running::start(&mut stage("getdata", data.path(), &["--root", "/"]));
        wait_for("a listing begun or done", || {
            let begun = data.in_hand().iter().any(|path| !path.display().to_string().contains("self-test"));
            (begun || !data.waiting("txt").is_empty()).then_some(())
        });
        let ended = running.end_by(signal);
        let is_published = !data.waiting("txt").is_empty();
        assert_eq!(ended, Some(if is_published { 0 } else { status }));
    }
}

/// Drops so many files of ten documents; returns what they hold.
fn leave_backlog(data: &DataDir, files: usize) -> BTreeSet<Vec<u8>> {
    let contents = (0..files).map(|file| documents(&format!("{file:03}"), 10)).collect::<Vec<_>>();
    for (file, content) in contents.iter().enumerate() {
        data.put(&format!("listing-{file:03}.json"), content);
    }
    contents.iter().flat_map(|content| content.lines()).map(|line| line.as_bytes().to_vec()).collect()
}

fn drain(data: &DataDir, api: &Recorder) -> Running {
    let args = ["--once", "--timeout", "1h", "--api-url", &api.url()];
    Running::start(&mut stage("json-to-api", data.path(), &args))
}

/// What the parallel Job of `k8s/batch/drain-job.yaml` does, without a cluster.
#[test]
fn three_runs_at_once_deliver_a_backlog_of_a_hundred_files_once_each() {
    let (data, api) = (DataDir::new(), Recorder::start());
    let expected = leave_backlog(&data, 100);
    let mut runs = [(); 3].map(|()| drain(&data, &api));
    for run in &mut runs {
        assert_eq!(run.wait().code(), Some(0), "{}", run.log());
    }
    let posts = api.posts();
    assert_eq!(posts.len(), expected.len(), "each document once");
    assert_eq!(posts.iter().map(|post| post.body.clone()).collect::<BTreeSet<_>>(), expected);
    let keys: BTreeSet<&str> = posts.iter().map(|post| post.key.as_str()).collect();
    assert_eq!(keys.len(), expected.len(), "no key twice");
    assert!(data.waiting("json").is_empty() && data.in_hand().is_empty(), "{:?}", data.in_hand());
}

/// Why that Job has as many completions as pods: a run that ends well says nothing of what another has in hand.
#[test]
fn what_a_killed_run_had_in_hand_is_left_by_runs_that_end_before_it_and_taken_up_by_its_successor() {
    let (data, api) = (
        DataDir::new(),
        Recorder::with("api", |before, _| match before {
            0 => Reply::Hang,
            _ => Reply::Status(200),
        }),
    );
    data.put("listing.json", "{\"n\":\"held\"}\n");
    let held = drain(&data, &api);
    wait_for("a document in hand", || (api.count() > 0).then_some(()));
    let mut expected = leave_backlog(&data, 10);
    expected.insert(b"{\"n\":\"held\"}".to_vec());
    for mut run in [(); 2].map(|()| drain(&data, &api)) {
        assert_eq!(run.wait().code(), Some(0), "{}", run.log());
    }
    assert!(data.waiting("json").is_empty(), "they did all that they could");
    assert!(data.claim("json-to-api").is_some(), "and left what another has");
    held.end_by(Signal::KILL);
    let mut successor = drain(&data, &api);
    assert_eq!(successor.wait().code(), Some(0), "{}", successor.log());
    let posts = api.posts();
    assert_eq!(posts.iter().map(|post| post.body.clone()).collect::<BTreeSet<_>>(), expected);
    let keys: BTreeSet<&str> = posts.iter().map(|post| post.key.as_str()).collect();
    assert_eq!((posts.len(), keys.len()), (expected.len() + 1, expected.len()), "one twice, under one key");
    assert!(data.in_hand().is_empty(), "{:?}", data.in_hand());
}
