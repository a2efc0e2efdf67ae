//! The data directory, opened and tested.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::warn;

use crate::Spec;
use crate::error::{Context, Error, OpenError};
use crate::kept_names::{Change, KeptNames};
use crate::names::{Format, PublicName};
use crate::self_test::{self, Abilities};
use crate::{fs, lease};

/// The data directory that the stages share. Clones are cheap and mean the same directory.
#[derive(Debug, Clone)]
pub struct Volume {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    abilities: Abilities,
    /// Whether it can rename without replacing; no longer, once that fails in use.
    no_replace: AtomicBool,
    /// The claims' directories that are known to be durable.
    durable: Mutex<BTreeSet<PathBuf>>,
    names: OnceLock<KeptNames>,
}

/// What the protocol does otherwise since the volume lacks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// No `RENAME_NOREPLACE`: what is published always gets an id of its own.
    OwnNames,
    /// No leases that tell of every writer: a file is complete once it stood still for `--settle`.
    Settle,
}

impl std::fmt::Display for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Fallback::OwnNames => {
                "it cannot rename without replacing: every published file gets an id of its own"
            }
            Fallback::Settle => {
                "no lease tells of every writer: a file is complete once it stood still for --settle"
            }
        })
    }
}

impl Volume {
    /// Opens the directory, makes `.pipe/` and `rejected/` in it, and tests what the protocol needs.
    ///
    /// # Errors
    /// Names what is wrong with the directory, or what its file system cannot do.
    pub fn open(data_dir: &Path) -> Result<Volume, OpenError> {
        lease::ignore_lease_breaks();
        Ok(Self::new(data_dir, self_test::run(data_dir)?))
    }

    fn new(data_dir: &Path, abilities: Abilities) -> Self {
        let (root, durable, names) = (data_dir.to_owned(), Mutex::default(), OnceLock::new());
        let no_replace = AtomicBool::new(abilities.no_replace);
        Volume { inner: Arc::new(Inner { root, abilities, no_replace, durable, names }) }
    }

    /// A volume that does as if it had no more than these abilities.
    #[cfg(test)]
    pub(crate) fn with(data_dir: &Path, no_replace: bool, leases: bool) -> Result<Volume, OpenError> {
        Self::limited(data_dir, |found| Abilities {
            no_replace: found.no_replace && no_replace,
            leases: found.leases && leases,
            ..found
        })
    }

    /// A volume that does as if it had these abilities instead of those found.
    #[cfg(test)]
    pub(crate) fn limited(
        data_dir: &Path,
        limit: impl FnOnce(Abilities) -> Abilities,
    ) -> Result<Volume, OpenError> {
        Ok(Self::new(data_dir, limit(self_test::run(data_dir)?)))
    }

    /// The data directory.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// What the protocol does otherwise on this volume; to be told once.
    pub fn fallbacks(&self) -> Vec<Fallback> {
        let (no_replace, leases) = (self.can_rename_without_replacing(), self.has_leases());
        [(no_replace, Fallback::OwnNames), (leases, Fallback::Settle)]
            .into_iter()
            .filter_map(|(able, fallback)| (!able).then_some(fallback))
            .collect()
    }

    /// How many bytes may still be written by who is not root.
    ///
    /// # Errors
    /// The file system does not say.
    pub fn free_bytes(&self) -> Result<u64, Error> {
        fs::free_bytes(self.root()).act("ask for the free space of", self.root())
    }

    /// Counts the files that wait for the stage; for what starts the chain, those that it published and nobody took.
    ///
    /// # Errors
    /// The data directory cannot be read.
    pub fn waiting(&self, spec: Spec) -> Result<usize, Error> {
        spec.takes().or(spec.gives()).map_or(Ok(0), |format| self.with_names(format, |names| names.len()))
    }

    /// Has the names that the stage takes and gives kept by what [`note`](Self::note) is told from now on, so that the
    /// directory need not be read for each batch. Where others may change it unseen, only what comes is noted.
    pub fn keep_names(&self, spec: Spec) {
        // Who keeps them already does it for the same stage.
        self.inner.names.get_or_init(|| KeptNames::new(self.root().to_owned(), spec, self.is_local()));
    }

    /// Takes note of an event in the directory; returns whether something may have come for the stage.
    pub fn note(&self, change: Change<'_>) -> bool {
        self.inner.names.get().is_none_or(|names| names.note(change))
    }

    /// Shows the names of a format that are in the directory.
    pub(crate) fn with_names<T>(
        &self,
        format: Format,
        show: impl Fn(&mut BTreeSet<PublicName>) -> T,
    ) -> Result<T, Error> {
        let known = self.inner.names.get().and_then(|names| names.with(format, &show));
        let shown = known.unwrap_or_else(|| {
            let names = fs::names(self.root())?;
            Ok(show(&mut format.all(&names).collect()))
        });
        shown.act("read directory", self.root())
    }

    /// The greatest name that waits.
    pub(crate) fn last_name(&self, format: Format) -> Result<Option<PublicName>, Error> {
        self.with_names(format, |names| {
            // The event of one that is gone may not have come yet.
            while let Some(last) = names.last() {
                if !matches!(fs::look(&self.root().join(format.file_name(last))), Ok(None)) {
                    break;
                }
                names.pop_last();
            }
            names.last().cloned()
        })
    }

    /// Makes a rename that gives or takes a public name.
    pub(crate) fn renaming<T>(&self, format: Format, name: &PublicName, rename: impl FnOnce() -> T) -> T {
        match self.inner.names.get() {
            Some(names) => names.renaming(format, name, rename),
            None => rename(),
        }
    }

    /// The files for the stage that came, or were finished, since this was asked last.
    pub(crate) fn take_news(&self) -> BTreeSet<PublicName> {
        self.inner.names.get().map(KeptNames::take_news).unwrap_or_default()
    }

    /// Has the directory read at the next look, whatever events told.
    pub(crate) fn forget_names(&self) {
        if let Some(names) = self.inner.names.get() {
            names.forget();
        }
    }

    /// Whether only this machine changes the directory, so that what its kernel tells is all that there is to tell.
    pub fn is_local(&self) -> bool {
        self.inner.abilities.file_system.is_local
    }

    /// Whether no power cut leaves a renamed file under both names.
    pub(crate) fn renames_as_one(&self) -> bool {
        self.inner.abilities.file_system.renames_as_one
    }

    pub(crate) fn can_rename_without_replacing(&self) -> bool {
        self.inner.no_replace.load(Ordering::Relaxed)
    }

    /// Renames without replacing; where the volume turns out to be unable to, it is not asked again.
    #[track_caller]
    pub(crate) fn rename_no_replace(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        let renamed = fs::rename_no_replace(from, to);
        if let Err(error) = &renamed
            && fs::is_unsupported(error)
            && self.inner.no_replace.swap(false, Ordering::Relaxed)
        {
            warn!(%error, "from now on: {}", Fallback::OwnNames);
        }
        renamed
    }

    pub(crate) fn has_leases(&self) -> bool {
        self.inner.abilities.leases
    }

    /// The directory of what was refused, made anew where somebody removed it. One that became a link is an error: it
    /// leads where nothing is ours to write.
    pub(crate) fn rejected(&self) -> Result<PathBuf, Error> {
        let directory = rejected(self.root());
        if !is_directory(&directory) {
            make_directories(self.root(), &directory)?;
        }
        Ok(directory)
    }

    /// The directory of a stage's claims.
    pub(crate) fn claims(&self, spec: Spec) -> PathBuf {
        private(self.root()).join(spec.claims())
    }

    /// Makes the directory of a stage's claims where it is missing. The first time it is made durable in any case:
    /// whoever made it may have died before that.
    pub(crate) fn make_claims(&self, spec: Spec) -> Result<PathBuf, Error> {
        let directory = self.claims(spec);
        let mut durable = self.inner.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if !durable.contains(&directory) || !is_directory(&directory) {
            make_directories(self.root(), &directory)?;
            durable.insert(directory.clone());
        }
        Ok(directory)
    }
}

/// Work in progress; the number is the version of the layout below it.
pub(crate) fn private(root: &Path) -> PathBuf {
    root.join(".pipe/1")
}

/// Lines and documents that a stage refused.
pub(crate) fn rejected(root: &Path) -> PathBuf {
    root.join("rejected")
}

/// Makes a directory below the root, and those between, durably. Those that stand already are synced too: whoever made them
/// may have died before that.
pub(crate) fn make_directories(root: &Path, directory: &Path) -> Result<(), Error> {
    let mut parent = root.to_owned();
    for name in directory.strip_prefix(root).unwrap_or(directory) {
        let directory = parent.join(name);
        match fs::make_directory(&directory) {
            // Another replica may start at the same time.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && is_directory(&directory) => {}
            made => made.act("make directory", &directory)?,
        }
        fs::sync_directory(&parent).act("sync directory", &parent)?;
        parent = directory;
    }
    Ok(())
}

/// Returns whether this is a directory of the volume's own: a link may lead out of it.
fn is_directory(path: &Path) -> bool {
    fs::look(path).is_ok_and(|found| found.is_some_and(|metadata| metadata.is_dir()))
}
