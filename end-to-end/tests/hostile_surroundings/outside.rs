use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory outside the volume, with what a stage would take if it came there. It must stay as it is.
pub(crate) struct Outside {
    directory: TempDir,
    before: BTreeMap<PathBuf, (u32, i64, Vec<u8>)>,
}

impl Outside {
    /// One that holds these files, and a directory of its own.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        fs::create_dir(directory.path().join("directory")).unwrap();
        let before = contents(directory.path());
        Outside { directory, before }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn assert_untouched(&self) {
        assert_eq!(contents(self.directory.path()), self.before);
    }
}

/// Mode, time and content of everything in a directory.
fn contents(directory: &Path) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if metadata.is_dir() {
            found.extend(contents(&path));
        }
        found.insert(path, (metadata.mode(), metadata.mtime(), content));
    }
    found
}
