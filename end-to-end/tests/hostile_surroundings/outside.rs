use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder outside the volume, with what a stage would take if it came there. It must stay as it is.
pub(crate) struct Outside {
    folder: TempDir,
    before: BTreeMap<PathBuf, (u32, i64, Vec<u8>)>,
}

impl Outside {
    /// One that holds these files, and a folder of its own.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        fs::create_dir(folder.path().join("folder")).unwrap();
        let before = contents(folder.path());
        Outside { folder, before }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn assert_untouched(&self) {
        assert_eq!(contents(self.folder.path()), self.before);
    }
}

/// Mode, time and content of everything in a folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if metadata.is_dir() {
            found.extend(contents(&path));
        }
        found.insert(path, (metadata.mode(), metadata.mtime(), content));
    }
    found
}
