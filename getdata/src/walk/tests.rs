use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, mkdirat};
use tempfile::TempDir;

use super::*;

/// What no directory is.
const NOTHING: Identity = Identity { device: 0, inode: 0 };

fn walk(root: &Path) -> (String, Statistics) {
    let mut output = Vec::new();
    let walk = Walk { root, left_out: NOTHING, is_to_stop: &|| false };
    let statistics = walk.list(&mut output).unwrap();
    (String::from_utf8(output).unwrap(), statistics)
}

/// The paths of a listing's lines; for names without blanks.
fn paths(listing: &str) -> Vec<&str> {
    listing.lines().map(|line| line.rsplit_once(' ').unwrap().1).collect()
}

fn below<'a>(root: &TempDir, listing: &'a str) -> BTreeSet<&'a str> {
    let root = root.path().to_str().unwrap();
    paths(listing).into_iter().map(|path| path.strip_prefix(root).unwrap()).collect()
}

fn directory(root: &TempDir, path: &str) {
    fs::create_dir_all(root.path().join(path)).unwrap();
}

fn file(root: &TempDir, path: &str) {
    File::create(root.path().join(path)).unwrap();
}

#[test]
fn every_entry_is_listed_once() {
    let root = TempDir::new().unwrap();
    for path in ["b/deep/er", "a"] {
        directory(&root, path);
    }
    for path in ["b/z", "b/deep/er/f", "é"] {
        file(&root, path);
    }
    let (listing, statistics) = walk(root.path());
    let expected = ["", "/a", "/b", "/b/deep", "/b/deep/er", "/b/deep/er/f", "/b/z", "/é"];
    assert_eq!(below(&root, &listing), BTreeSet::from(expected));
    assert_eq!(statistics, Statistics { entries: 8, unreadable: 0, example: None });
}

#[test]
fn a_tree_deeper_than_directories_are_kept_open_is_listed_whole() {
    let root = TempDir::new().unwrap();
    const LEVELS: usize = MAX_OPEN + 50;
    directory(&root, &"d/".repeat(LEVELS));
    for level in 0..LEVELS {
        file(&root, &format!("{}f", "d/".repeat(level)));
    }
    let (listing, statistics) = walk(root.path());
    assert_eq!(statistics, Statistics { entries: 1 + 2 * LEVELS as u64, unreadable: 0, example: None });
    assert_eq!(below(&root, &listing).len(), 1 + 2 * LEVELS);
}

#[test]
fn paths_longer_than_the_kernel_takes_are_counted_as_unreadable() {
    let root = TempDir::new().unwrap();
    let name = "n".repeat(250);
    let mut at = root.path().to_owned();
    for _ in 0..16 {
        at.push(&name);
        fs::create_dir(&at).unwrap();
    }
    // Deeper than any path leads.
    mkdirat(File::open(&at).unwrap(), &name, Mode::RWXU).unwrap();
    let (listing, statistics) = walk(root.path());
    assert_eq!(listing.lines().count(), 17);
    assert_eq!((statistics.entries, statistics.unreadable), (17, 1));
}

#[test]
fn links_are_listed_with_their_targets_and_not_followed() {
    let root = TempDir::new().unwrap();
    directory(&root, "directory/below");
    symlink("directory", root.path().join("link")).unwrap();
    symlink("..", root.path().join("directory/up")).unwrap();
    let long = "x/".repeat(2_000);
    symlink(&long, root.path().join("long")).unwrap();
    let (listing, statistics) = walk(root.path());
    assert_eq!(statistics.entries, 6);
    for target in ["/link -> directory\n", "/directory/up -> ..\n", &format!("/long -> {long}\n")] {
        assert!(listing.contains(target), "{target}");
    }
}

#[test]
fn a_root_that_is_no_directory_is_one_line() {
    let root = TempDir::new().unwrap();
    file(&root, "file");
    directory(&root, "directory/below");
    symlink("directory", root.path().join("link")).unwrap();
    for (name, end) in [("file", "/file\n"), ("link", "/link -> directory\n")] {
        let (listing, statistics) = walk(&root.path().join(name));
        assert!(listing.ends_with(end), "{listing}");
        assert_eq!((listing.lines().count(), statistics.entries), (1, 1));
    }
    // As everywhere, a slash at the end asks for what the link leads to.
    let (listing, _) = walk(&root.path().join("link/"));
    assert_eq!(below(&root, &listing), BTreeSet::from(["/link/", "/link/below"]));
}

#[test]
fn the_root_is_named_as_given() {
    let root = TempDir::new().unwrap();
    file(&root, "f");
    let given = format!("{}/.", root.path().display());
    let (listing, _) = walk(Path::new(&given));
    assert_eq!(paths(&listing), [given.clone(), format!("{given}/f")]);
    let (listing, _) = walk(Path::new("src/walk/"));
    assert_eq!(paths(&listing), ["src/walk/", "src/walk/tests.rs"]);
}

#[test]
fn a_missing_root_is_an_error_that_names_it() {
    let root = TempDir::new().unwrap();
    let missing = root.path().join("missing");
    let walk = Walk { root: &missing, left_out: NOTHING, is_to_stop: &|| false };
    let error = walk.list(&mut Vec::new()).unwrap_err().to_string();
    assert_eq!(error, format!("failed to read `{}` (--root)", missing.display()));
}

#[test]
fn what_is_left_out_is_known_by_what_it_is_not_by_its_path() {
    let root = TempDir::new().unwrap();
    directory(&root, "a/data/below");
    directory(&root, "b");
    file(&root, "c");
    symlink("../a/data", root.path().join("b/link")).unwrap();
    let left_out = Identity::of_path(&root.path().join("b/link")).unwrap();
    let list = |path: &str| {
        let mut output = Vec::new();
        let walk = Walk { root: &root.path().join(path), left_out, is_to_stop: &|| false };
        walk.list(&mut output).map(|_| String::from_utf8(output).unwrap())
    };
    let listing = list("").unwrap();
    assert!(!listing.contains(&format!(" {}a/data", root.path().join("").display())), "{listing}");
    assert_eq!(listing.lines().count(), 5, "{listing}");
    for inside in ["a/data", "a/data/below", "b/link/below"] {
        assert!(matches!(list(inside), Err(Error::LeftOut { .. })), "{inside}");
    }
}

#[test]
fn what_is_gone_before_it_is_looked_at_is_counted() {
    let root = TempDir::new().unwrap();
    let names = ["one", "two", "three"];
    names.iter().for_each(|name| directory(&root, name));
    let first_look = std::cell::Cell::new(true);
    // Asked once the root's own entry is found, before its directory is read.
    let remove = || {
        if !first_look.replace(false) {
            let _ = Command::new("rmdir").args(names).current_dir(root.path()).stderr(Stdio::null()).status();
        }
        false
    };
    let mut output = Vec::new();
    let walk = Walk { root: root.path(), left_out: NOTHING, is_to_stop: &remove };
    let statistics = walk.list(&mut output).unwrap();
    assert_eq!(statistics.entries, output.iter().filter(|&&byte| byte == b'\n').count() as u64);
    // The names were read together; the first of them may have been looked at already.
    assert_eq!(statistics.entries + statistics.unreadable, 4, "{statistics:?}");
    assert!(statistics.unreadable >= 2, "{statistics:?}");
    assert!(statistics.example.unwrap().ends_with("No such file or directory (os error 2)"));
}

#[test]
fn a_tree_that_never_stands_still_is_listed_all_the_same() {
    let (listing, statistics) = walk(Path::new("/proc/self"));
    assert_eq!(listing.lines().count() as u64, statistics.entries);
    assert!(listing.lines().any(|line| line.contains(" /proc/self")));
}

#[test]
fn a_walk_that_is_to_stop_stops() {
    let walk = Walk { root: Path::new("/"), left_out: NOTHING, is_to_stop: &|| true };
    assert!(matches!(walk.list(&mut Vec::new()), Err(Error::Stopped)));
}

#[test]
fn an_output_that_fails_ends_the_walk() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let root = TempDir::new().unwrap();
    (0..5_000).for_each(|number| file(&root, &number.to_string()));
    for room in [0, 300 << 10] {
        let walk = Walk { root: root.path(), left_out: NOTHING, is_to_stop: &|| false };
        assert!(matches!(walk.list(&mut Full(room)), Err(Error::Write(_))), "room for {room} bytes");
    }
}
