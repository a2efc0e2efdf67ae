//! Events of the file system, which wake the loop before its next scan is due.
//!
//! Events may be lost, or never come: network file systems send none for what other nodes do. That is
//! said once, and the rescan carries on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::{info, warn};
use volume::Spec;

use crate::wake::Wake;

/// Watches the data folder for files that the stage takes; `None` where that is not possible.
pub(crate) fn start(folder: &Path, spec: Spec, wake: &Wake) -> Option<RecommendedWatcher> {
    let started = notify::recommended_watcher(handler(spec, wake.clone())).and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    started
        .inspect_err(|error| warn!(%error, "no file events: files are found by --rescan-interval only"))
        .ok()
}

fn handler(spec: Spec, wake: Wake) -> impl FnMut(notify::Result<Event>) + Send {
    let (lost, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    let first = |told: &AtomicBool| !told.swap(true, Ordering::Relaxed);
    move |event| match event {
        // An overflow comes without paths.
        Ok(event) if event.need_rescan() => {
            if first(&lost) {
                info!("file events were lost: the folder is looked through instead");
            }
            wake.wake();
        }
        Ok(event) if concerns(&event, spec) => wake.wake(),
        Ok(_) => {}
        Err(error) => {
            if first(&failed) {
                warn!(%error, "file events failed: files are found by --rescan-interval");
            }
            wake.wake();
        }
    }
}

/// Whether a file that the stage takes may have become complete.
fn concerns(event: &Event, spec: Spec) -> bool {
    let complete = matches!(
        event.kind,
        EventKind::Create(_)
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Access(AccessKind::Close(AccessMode::Write))
    );
    let ours = |path: &std::path::PathBuf| match (path.file_name(), spec.input) {
        (Some(name), Some(extension)) => volume::is_public_name(name, extension),
        _ => false,
    };
    complete && event.paths.iter().any(ours)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use notify::event::{CreateKind, Flag};

    use super::*;

    const SPEC: Spec = Spec { name: "test", input: Some("txt"), output: None };
    /// Outlasts any event's way.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn lost_events_wake_the_loop() {
        let wake = Wake::default();
        handler(SPEC, wake.clone())(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(wake.sleep(LONG));
    }

    #[test]
    fn failing_events_wake_the_loop() {
        let wake = Wake::default();
        handler(SPEC, wake.clone())(Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
        assert!(wake.sleep(LONG));
    }

    #[test]
    fn only_the_stages_own_files_concern_it() {
        let created = |name: &str| Event::new(EventKind::Create(CreateKind::File)).add_path(name.into());
        assert!(concerns(&created("/data/listing-7.txt"), SPEC));
        assert!(!concerns(&created("/data/listing-7.csv"), SPEC));
        assert!(!concerns(&created("/data/.pipe"), SPEC));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it plays the people who drop files")]
    fn a_file_moved_into_the_folder_wakes_the_loop() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let wake = Wake::default();
        let watcher = start(folder.path(), SPEC, &wake);
        assert!(watcher.is_some(), "this machine has no file events");
        std::fs::write(outside.path().join("new"), "x").unwrap();
        std::fs::rename(outside.path().join("new"), folder.path().join("listing.txt")).unwrap();
        assert!(wake.sleep(LONG));
    }
}
