//! Whether a volume can carry the protocol, tried once at each start.
//!
//! Everything happens under names of its own: `.pipe/1/self-test/<id>/`, and for the renames between
//! the directories `.self-test-<id>` in the data directory and in `rejected/`. What a test that died left is
//! cleaned up by the next.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::error::OpenError;
use crate::fs::{self, FileSystem, NewFile};
use crate::lease::{self, Lease};
use crate::volume::{make_directories, private, rejected};

/// A test that has just begun may not have its lock yet; none takes as long.
const OLD: Duration = Duration::from_secs(600);
/// Whoever cleans up may take a test that has just begun for a dead one's.
const ATTEMPTS: usize = 100;

/// What not every volume can do, and the protocol can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// Rename without replacing.
    pub(crate) no_replace: bool,
    /// Tell by a lease whether a file has a writer, wherever that is.
    pub(crate) leases: bool,
    /// What its kind says, which no test shows.
    pub(crate) file_system: FileSystem,
}

/// Tests the directory, making what is missing in it.
pub(crate) fn run(root: &Path) -> Result<Abilities, OpenError> {
    let missing = |source| OpenError::Missing { path: root.to_owned(), source };
    if !std::fs::metadata(root).map_err(missing)?.is_dir() {
        return Err(OpenError::NotADirectory { path: root.to_owned() });
    }
    let unfit = |(act, source)| OpenError::Unfit { path: root.to_owned(), act, source };
    for directory in [&home(root), &rejected(root)] {
        let made = make_directories(root, directory);
        made.map_err(|error| unfit(("make directories in it", error.into_io())))?;
    }
    clean_up(root);
    for _ in 0..ATTEMPTS {
        let names = Names::new(root, Uuid::now_v7().to_string().as_ref());
        let tried = names.try_all();
        if tried.is_err() {
            names.remove();
        }
        if let Some(abilities) = tried.map_err(unfit)? {
            return Ok(abilities);
        }
    }
    Err(unfit(("lock files", io::Error::other("each lock that was tried was taken by another"))))
}

fn home(root: &Path) -> PathBuf {
    private(root).join("self-test")
}

/// Removes what tests left whose process is gone. What cannot be removed is in nobody's way.
pub(crate) fn clean_up(root: &Path) {
    for id in fs::names(&home(root)).unwrap_or_default() {
        let left = Names::new(root, &id);
        let lock = [&left.before, &left.after]
            .into_iter()
            .find_map(|directory| fs::open_lock(&directory.join("lock")).ok());
        let is_dead = lock.as_ref().map_or_else(|| left.is_old(), |lock| fs::try_lock(lock).unwrap_or(false));
        if is_dead {
            left.remove();
        }
    }
}

/// The paths that one test uses.
struct Names {
    home: PathBuf,
    before: PathBuf,
    after: PathBuf,
    in_data: PathBuf,
    in_rejected: PathBuf,
}

type Tried<T> = Result<T, (&'static str, io::Error)>;

impl Names {
    fn new(root: &Path, id: &OsStr) -> Self {
        let home = home(root);
        let id = id.to_string_lossy().trim_end_matches(".after").to_owned();
        let outside = format!(".self-test-{id}");
        Names {
            before: home.join(&id),
            after: home.join(format!("{id}.after")),
            in_data: root.join(&outside),
            in_rejected: rejected(root).join(&outside),
            home,
        }
    }

    fn is_old(&self) -> bool {
        let id = self.before.file_name().and_then(|id| id.to_str()).and_then(|id| id.parse::<Uuid>().ok());
        let Some(began) = id.and_then(|id| id.get_timestamp()) else { return true };
        let (seconds, _) = began.to_unix();
        let age = UNIX_EPOCH + Duration::from_secs(seconds) + OLD;
        age < SystemTime::now()
    }

    /// `None` where it was taken for a dead one's.
    fn try_all(&self) -> Tried<Option<Abilities>> {
        let lock = self.create_lock()?;
        if !self.try_lock(&lock)? {
            return Ok(None);
        }
        let file = self.try_renames()?;
        self.try_lock_from(&self.after)?;
        let file_system = FileSystem::of(&self.home).map_err(|e| ("tell its file system", e))?;
        // This kernel may grant a lease on a file that another machine writes.
        let leases = self.try_leases(&file)? && file_system.is_local;
        let no_replace = self.try_no_replace()?;
        self.try_unlink(file, lock)?;
        Ok(Some(Abilities { no_replace, leases, file_system }))
    }

    fn create_lock(&self) -> Tried<File> {
        fs::make_directory(&self.before).map_err(|e| ("make directories in it", e))?;
        Ok(NewFile::create(&self.before.join("lock")).map_err(|e| ("create files", e))?.into_file())
    }

    /// Locks the file, unless whoever cleans up was faster; a second lock must be refused.
    fn try_lock(&self, lock: &File) -> Tried<bool> {
        let (act, path) = ("lock files", self.before.join("lock"));
        if !fs::try_lock(lock).map_err(|e| (act, e))? || !fs::is_named(lock, &path) {
            return Ok(false);
        }
        self.try_lock_from(&self.before)?;
        fs::sync_directory(&self.home).map_err(|e| ("sync directories", e))?;
        Ok(true)
    }

    /// A lock that is held must be refused to others, by whatever name its file has.
    fn try_lock_from(&self, directory: &Path) -> Tried<()> {
        let act = "lock files";
        let other = fs::open_lock(&directory.join("lock")).map_err(|e| (act, e))?;
        if fs::try_lock(&other).map_err(|e| (act, e))? {
            return Err((act, io::Error::other("two owners got the same lock")));
        }
        Ok(())
    }

    /// Renames the directory that holds the locked open file, then a file between the three directories.
    fn try_renames(&self) -> Tried<File> {
        let file = NewFile::create(&self.before.join("file")).map_err(|e| ("create files", e))?;
        file.sync().map_err(|e| ("sync files", e))?;
        fs::rename(&self.before, &self.after)
            .map_err(|e| ("rename a directory that holds an open file", e))?;
        let inside = self.after.join("file");
        let stops = [&inside, &self.in_rejected, &self.in_data, &inside];
        for pair in stops.windows(2) {
            fs::rename(pair[0], pair[1]).map_err(|e| ("rename between .pipe/, rejected/ and itself", e))?;
        }
        Ok(file.into_file())
    }

    /// A lease must be refused while the file is open for writing, and granted otherwise.
    fn try_leases(&self, writer: &File) -> Tried<bool> {
        let act = "open files for reading";
        let while_written = lease::probe(&fs::open(&self.after.join("file")).map_err(|e| (act, e))?);
        let quiet = NewFile::create(&self.after.join("quiet")).map_err(|e| ("create files", e))?;
        drop(quiet);
        let when_quiet = lease::probe(&fs::open(&self.after.join("quiet")).map_err(|e| (act, e))?);
        writer.metadata().map_err(|e| ("look at files", e))?;
        Ok(while_written == Lease::Writer && when_quiet == Lease::NoWriter)
    }

    /// Onto a name that is taken, and onto a free one in another directory, as files are published: the kernel refuses
    /// the first by itself, and leaves the second to the file system.
    fn try_no_replace(&self) -> Tried<bool> {
        let act = "rename without replacing";
        let [file, quiet] = ["file", "quiet"].map(|name| self.after.join(name));
        match fs::rename_no_replace(&file, &quiet) {
            Ok(()) => return Err((act, io::Error::other("it replaced a file all the same"))),
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Ok(false),
            Err(_) => {}
        }
        let renamed = fs::rename_no_replace(&file, &self.in_data).is_ok();
        if renamed {
            fs::rename(&self.in_data, &file).map_err(|e| (act, e))?;
        }
        Ok(renamed)
    }

    /// Unlinks an open file, and removes the directory once it is empty.
    fn try_unlink(&self, file: File, lock: File) -> Tried<()> {
        for name in ["file", "quiet", "lock"] {
            fs::unlink(&self.after.join(name)).map_err(|e| ("unlink open files", e))?;
        }
        // Closed only now: some network file systems keep an open file under another name.
        drop((file, lock));
        fs::remove_directory(&self.after).map_err(|e| ("remove directories", e))
    }

    fn remove(&self) {
        // First, since the directory is what tells of them.
        for path in [&self.in_data, &self.in_rejected] {
            let _ = fs::unlink(path);
        }
        for directory in [&self.before, &self.after] {
            for name in ["file", "quiet", "lock"] {
                let _ = fs::unlink(&directory.join(name));
            }
            let _ = fs::remove_directory(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{Scanner, Spec, Volume};

    const SPEC: Spec = Spec { name: "test", stem: "listing", input: Some("txt"), output: None };

    /// The id of a test that began in 2022.
    const OLD_ID: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

    #[test]
    fn a_test_leaves_no_file_behind_and_removes_what_a_dead_one_left() {
        let directory = tempfile::tempdir().unwrap();
        let left = Names::new(directory.path(), OLD_ID.as_ref());
        make_directories(directory.path(), &left.after).unwrap();
        std::fs::write(left.after.join("lock"), "").unwrap();
        std::fs::write(&left.in_data, "").unwrap();
        run(directory.path()).unwrap();
        assert_eq!(fs::names(&left.home).unwrap(), Vec::<std::ffi::OsString>::new());
        assert!(!left.in_data.exists());
        assert_eq!(fs::names(&rejected(directory.path())).unwrap(), Vec::<std::ffi::OsString>::new());
    }

    #[test]
    fn what_a_test_left_that_was_just_killed_goes_at_the_next_start_and_where_a_stage_idles() {
        let directory = tempfile::tempdir().unwrap();
        let volume = Volume::open(directory.path()).unwrap();
        let mut scanner = Scanner::new(volume, SPEC, Duration::ZERO, Duration::ZERO);
        let clean_ups: [&mut dyn FnMut(); 2] =
            [&mut || _ = run(directory.path()).unwrap(), &mut || _ = scanner.next(Instant::now()).unwrap()];
        for clean_up in clean_ups {
            let killed = Names::new(directory.path(), Uuid::now_v7().to_string().as_ref());
            killed.create_lock().unwrap();
            std::fs::write(killed.before.join("file"), "").unwrap();
            std::fs::write(&killed.in_rejected, "").unwrap();
            clean_up();
            assert_eq!(fs::names(&killed.home).unwrap(), Vec::<std::ffi::OsString>::new());
            assert!(!killed.in_rejected.exists());
        }
    }

    #[test]
    fn a_test_that_was_cleaned_up_before_it_had_its_lock_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path()).unwrap();
        let names = Names::new(directory.path(), Uuid::now_v7().to_string().as_ref());
        let lock = names.create_lock().unwrap();
        clean_up(directory.path());
        assert!(!names.try_lock(&lock).unwrap());
    }

    #[test]
    fn an_error_repeats_none_of_its_causes() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("rejected"), "").unwrap();
        let error = run(directory.path()).unwrap_err();
        let mut chain = vec![error.to_string()];
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            chain.push(error.to_string());
            cause = error.source();
        }
        assert_eq!(chain.len(), 3, "{chain:?}");
        assert!(chain[0].ends_with("cannot make directories in it"), "{chain:?}");
        assert!(
            chain[1].starts_with("failed to make directory `") && !chain[1].contains("exists"),
            "{chain:?}"
        );
    }

    #[test]
    fn a_test_that_still_runs_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (locked, young) = (
            Names::new(directory.path(), OLD_ID.as_ref()),
            Names::new(directory.path(), Uuid::now_v7().to_string().as_ref()),
        );
        make_directories(directory.path(), &young.before).unwrap();
        let lock = locked.create_lock().unwrap();
        assert!(locked.try_lock(&lock).unwrap());
        run(directory.path()).unwrap();
        assert!(locked.before.join("lock").exists() && young.before.exists());
        drop(lock);
    }

    #[test]
    fn a_missing_directory_and_a_file_are_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        assert!(run(&missing).unwrap_err().to_string().contains(&missing.display().to_string()));
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(run(&file), Err(OpenError::NotADirectory { .. })));
    }
}
