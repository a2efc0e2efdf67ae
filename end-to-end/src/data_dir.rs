//! A data directory of a test's own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;

/// What tells a self-test's files in the data directory and in `rejected/` from others.
const SELF_TEST: &str = ".self-test-";

/// A fresh directory that any user may use, gone with the test.
pub struct DataDir {
    directory: TempDir,
}

impl DataDir {
    /// Makes it.
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// Makes it in memory where the system can: for tests that need hundreds, of which no sync is to reach a disk.
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::within(memory) } else { Self::new() }
    }

    /// Makes it below a directory.
    pub fn within(parent: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("k8s-pipe-").tempdir_in(parent).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        DataDir { directory }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Drops a file in one go: written elsewhere, then renamed.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        self.put_by(name, |file| file.write_all(content.as_ref()));
    }

    /// Drops a file that `write` writes: for what is too large for memory.
    pub fn put_by(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) {
        let mut file = tempfile::NamedTempFile::new_in(self.path()).unwrap();
        write(file.as_file_mut()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        file.persist(self.path().join(name)).unwrap();
    }

    /// Drops a file in one go where nothing has its name; false: something has. `modified` is what is said of its time.
    pub fn put_new(&self, name: &str, content: impl AsRef<[u8]>, modified: SystemTime) -> bool {
        let mut file = tempfile::NamedTempFile::new_in(self.path()).unwrap();
        file.write_all(content.as_ref()).unwrap();
        file.as_file().set_modified(modified).unwrap();
        file.persist_noclobber(self.path().join(name)).is_ok()
    }

    /// The names of the files that wait for the stage that takes `extension`, in the order in which it takes them.
    pub fn waiting(&self, extension: &str) -> Vec<String> {
        let mut names: Vec<String> = names(self.path());
        names.retain(|name| name.starts_with("listing") && name.ends_with(&format!(".{extension}")));
        names.sort_by_key(|name| name.strip_suffix(&format!(".{extension}")).map(str::to_owned));
        names
    }

    /// What the waiting files of an extension hold, in that order.
    pub fn read_all(&self, extension: &str) -> String {
        self.waiting(extension)
            .iter()
            .map(|name| fs::read_to_string(self.path().join(name)).unwrap())
            .collect()
    }

    /// The lines in `rejected/`, reasons apart.
    pub fn rejected(&self) -> Vec<Vec<u8>> {
        let directory = self.path().join("rejected");
        let mut files = names(&directory);
        files.retain(|name| !name.ends_with(".reasons"));
        let contents = files.iter().map(|name| fs::read(directory.join(name)).unwrap());
        contents
            .flat_map(|content| content.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>())
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// The regular files below `.pipe/`, and what self-tests have beside it: none when nothing is in hand.
    pub fn in_hand(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for directory in [self.path().to_owned(), self.path().join("rejected")] {
            let own = names(&directory).into_iter().filter(|name| name.starts_with(SELF_TEST));
            found.extend(own.map(|name| directory.join(name)));
        }
        let mut directories = vec![self.path().join(".pipe")];
        while let Some(directory) = directories.pop() {
            for name in names(&directory) {
                let path = directory.join(name);
                if path.is_dir() { directories.push(path) } else { found.push(path) }
            }
        }
        found
    }

    /// The only claim of a stage, once it has taken its input.
    pub fn claim(&self, stage: &str) -> Option<PathBuf> {
        let directory = self.path().join(".pipe/1").join(stage);
        let claims: Vec<_> = names(&directory).into_iter().map(|name| directory.join(name)).collect();
        claims.into_iter().find(|claim| Self::has_input(claim))
    }

    /// Whether a claim has its input; its name tells of how many owners.
    pub fn has_input(claim: &Path) -> bool {
        names(claim).iter().any(|file| file.starts_with("input"))
    }

    /// Does to a claim what a network file system does to a client that it thinks dead: its lock is free.
    pub fn lose_lock(&self, claim: &Path) {
        let lock = claim.join("lock");
        // In one step, so that nobody finds the claim without a lock.
        let free = tempfile::NamedTempFile::new_in(self.path()).unwrap();
        fs::set_permissions(free.path(), fs::Permissions::from_mode(0o666)).unwrap();
        free.persist(lock).unwrap();
    }
}

impl Default for DataDir {
    fn default() -> Self {
        Self::new()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}
