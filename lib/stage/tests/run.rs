//! The loop as a whole, with a process of the test's own.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::io::{self, Read, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use records::Counts;
use service::{Context, Interrupted, Shutdown};
use stage::{Outcome, Process, ProcessError, Spec, StageArgs, Turn};
use tempfile::TempDir;
use volume::Batch;

const SPEC: Spec = Spec { name: "copy", stem: "listing", input: Some("txt"), output: Some("csv") };

/// Copies, but fails on what says so; tells of each batch.
struct Copy {
    seen: mpsc::Sender<String>,
}

impl Process for Copy {
    fn process(&mut self, batch: &mut Batch, turn: &Turn<'_>) -> Result<Outcome, ProcessError> {
        let mut content = String::new();
        batch.input.read_to_string(&mut content)?;
        self.seen.send(content.clone()).unwrap();
        match content.as_str() {
            "poison" => return Err(io::Error::other("poison").into()),
            "long" => {
                while !turn.shutdown.is_requested() {
                    std::thread::yield_now();
                }
                return Err(ProcessError::Released);
            }
            "patient" if turn.others_wait() => {
                return Ok(Outcome::Resting { until: Instant::now() });
            }
            _ => batch.output.write_all(content.as_bytes())?,
        }
        Ok(Outcome::Done(Counts { ok: 1, rejected: 0 }))
    }
}

struct Stage {
    directory: TempDir,
    context: Context,
    seen: mpsc::Receiver<String>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

fn start(once: bool, files: &[&str]) -> Stage {
    let directory = tempfile::tempdir().unwrap();
    for (number, content) in files.iter().enumerate() {
        fs::write(directory.path().join(format!("listing-{number}.txt")), content).unwrap();
    }
    let context = Context::new(Shutdown::new());
    let (sender, seen) = mpsc::channel();
    let args = StageArgs {
        data_dir: directory.path().to_owned(),
        once,
        // Nothing here may depend on it.
        rescan_interval: Duration::from_secs(3600),
        ..StageArgs::default()
    };
    let task = tokio::spawn(stage::run(SPEC, args, Copy { seen: sender }, context.clone(), None));
    Stage { directory, context, seen, task }
}

fn names(directory: &TempDir, extension: &str) -> usize {
    let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.extension().is_some_and(|found| found == extension)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_ends_when_the_directory_is_drained() {
    let stage = start(true, &["a", "b"]);
    stage.task.await.unwrap().unwrap();
    assert_eq!((names(&stage.directory, "txt"), names(&stage.directory, "csv")), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_passes_over_batches_that_fail_and_tells_of_the_first_in_the_end() {
    let stage = start(true, &["poison", "poison", "a", "b"]);
    let error = format!("{:#}", stage.task.await.unwrap().unwrap_err());
    assert!(error.contains("poison") && error.starts_with("batch "), "{error}");
    assert_eq!(names(&stage.directory, "csv"), 2);
    assert_eq!(stage.seen.iter().collect::<Vec<_>>(), ["poison", "poison", "a", "b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_says_that_it_was_interrupted_where_work_is_left() {
    let stage = start(true, &["long", "a"]);
    assert_eq!(stage.seen.recv().unwrap(), "long");
    stage.context.shutdown.request();
    assert!(stage.task.await.unwrap().unwrap_err().is::<Interrupted>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_rests_lets_the_others_go_first_and_is_done_in_the_end() {
    let stage = start(true, &["patient", "a", "b"]);
    let health = stage.context.health.clone();
    stage.task.await.unwrap().unwrap();
    assert_eq!(health.is_ready(), Ok(()));
    assert_eq!(names(&stage.directory, "csv"), 3);
    let seen: Vec<_> = stage.seen.iter().collect();
    assert_eq!((seen.first().unwrap().as_str(), seen.last().unwrap().as_str()), ("patient", "patient"));
    assert!(seen.contains(&"a".to_owned()) && seen.contains(&"b".to_owned()), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_a_sleep_at_once() {
    let stage = start(false, &["a"]);
    stage.seen.recv().unwrap();
    stage.context.shutdown.request();
    stage.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_releases_the_batch_in_hand() {
    let stage = start(false, &["long", "a"]);
    assert_eq!(stage.seen.recv().unwrap(), "long");
    stage.context.shutdown.request();
    stage.task.await.unwrap().unwrap();
    assert_eq!(stage.seen.try_recv().ok(), None, "nothing new is begun");
    let claims: Vec<_> = fs::read_dir(stage.directory.path().join(".pipe/1/copy")).unwrap().collect();
    assert_eq!(claims.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_batch_makes_the_stage_unready_and_a_shutdown_ends_its_pause() {
    let stage = start(false, &["poison"]);
    // Tried again after a pause: by then the first failure has been told.
    assert_eq!(stage.seen.recv().unwrap(), "poison");
    assert_eq!(stage.seen.recv().unwrap(), "poison");
    // Also between two attempts, when the loop has nothing to do.
    let reason = stage.context.health.is_ready().unwrap_err();
    assert!(reason.contains("poison"), "{reason}");
    stage.context.shutdown.request();
    stage.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_comes_later_is_found_by_its_event() {
    let stage = start(false, &["a"]);
    assert_eq!(stage.seen.recv().unwrap(), "a");
    fs::write(stage.directory.path().join("listing.txt"), "b").unwrap();
    assert_eq!(stage.seen.recv().unwrap(), "b");
    stage.context.shutdown.request();
    stage.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_holds_up_nothing_behind_it() {
    let stage = start(false, &["poison", "poison", "a"]);
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| last != "a") {
        seen.push(stage.seen.recv().unwrap());
    }
    assert_eq!(seen, ["poison", "poison", "a"]);
    stage.context.shutdown.request();
    stage.task.await.unwrap().unwrap();
}
