//! File events: they wake the stage's loop, and keep the set of names in the data directory.
//!
//! The scan stays the truth: events can be lost, and network file systems send none.

use std::ffi::OsStr;
use std::sync::mpsc::SyncSender;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::{info, warn};
use volume::{Change, Spec, Volume};

/// Watches the data directory for as long as it is kept.
pub(crate) struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Wakes whoever receives from `wake` whenever something for the stage may have come.
    ///
    /// # Errors
    /// The system allows no watch; all works without one.
    pub(crate) fn start(volume: &Volume, spec: Spec, wake: SyncSender<()>) -> notify::Result<Self> {
        let root = volume.root().to_owned();
        let mut watcher = notify::recommended_watcher({
            let volume = volume.clone();
            move |event: notify::Result<Event>| {
                let is_news = match &event {
                    Ok(event) => note(&volume, event),
                    Err(error) => {
                        warn!(%error, "file events failed");
                        volume.note(Change::Lost)
                    }
                };
                if is_news {
                    // A wake-up that waits already is enough.
                    let _ = wake.try_send(());
                }
            }
        })?;
        watcher.watch(&root, RecursiveMode::NonRecursive)?;
        volume.keep_names(spec);
        Ok(Watch { _watcher: watcher })
    }
}

/// Tells the volume what an event says; returns whether the loop should look.
fn note(volume: &Volume, event: &Event) -> bool {
    if event.need_rescan() {
        info!("file events were lost: the directory is looked through instead");
        return volume.note(Change::Lost);
    }
    if event.paths.iter().any(|path| path == volume.root()) {
        // The directory itself was moved or deleted, or only looked at.
        return matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_))
            && volume.note(Change::Lost);
    }
    let each = |change: fn(&OsStr) -> Change<'_>| {
        let mut is_news = false;
        for name in event.paths.iter().filter_map(|path| path.file_name()) {
            is_news |= volume.note(change(name));
        }
        is_news
    };
    match event.kind {
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
            each(|name| Change::Appeared(name))
        }
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => each(|name| Change::Written(name)),
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
            each(|name| Change::Gone(name))
        }
        // Both ends of a rename within the directory: they come one by one as well.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => false,
        EventKind::Access(_) | EventKind::Modify(_) => false,
        // What is not understood may be anything.
        _ => volume.note(Change::Lost),
    }
}
