use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::process::Command;

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use tempfile::TempDir;

use super::*;

fn walk(root: &Path, threads: usize) -> (String, Tally) {
    let mut output = Vec::new();
    let stop = AtomicBool::new(false);
    let tally = Walk { root, left_out: None, threads, stop: &stop }.list(&mut output).unwrap();
    (String::from_utf8(output).unwrap(), tally)
}

/// The paths of a listing's lines; for names without blanks.
fn paths(listing: &str) -> Vec<&str> {
    listing.lines().map(|line| line.rsplit_once(' ').unwrap().1).collect()
}

fn below<'a>(root: &TempDir, listing: &'a str) -> Vec<&'a str> {
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
fn a_directories_entries_come_sorted_and_then_what_its_directories_hold() {
    let root = TempDir::new().unwrap();
    for path in ["b/deep/er", "a", "a.b", "c"] {
        directory(&root, path);
    }
    for path in ["b/z", "b/deep/er/f", "B", "a/f", "a.b/f", "é", "c.txt"] {
        file(&root, path);
    }
    let (listing, tally) = walk(root.path(), 3);
    let top = ["", "/B", "/a", "/a.b", "/b", "/c", "/c.txt", "/é"];
    let rest = ["/a/f", "/a.b/f", "/b/deep", "/b/z", "/b/deep/er", "/b/deep/er/f"];
    assert_eq!(below(&root, &listing), [&top[..], &rest].concat());
    assert_eq!(tally, Tally { entries: 14, unreadable: 0, example: None });
}

#[test]
fn the_listing_is_the_same_with_any_number_of_threads() {
    let root = TempDir::new().unwrap();
    // More than fits in one piece, and directories in every piece.
    for number in 0..1_500 {
        if number % 3 == 0 {
            directory(&root, &format!("wide/{number}/below"));
        } else {
            directory(&root, "wide");
            file(&root, &format!("wide/{number}"));
        }
    }
    let (listing, tally) = walk(root.path(), 1);
    assert_eq!(tally.entries, 2 + 1_500 + 500);
    for threads in [2, 3, 8] {
        let (other, other_tally) = walk(root.path(), threads);
        assert_eq!(other, listing, "{threads} threads");
        assert_eq!(other_tally, tally);
    }
}

#[test]
fn a_directory_larger_than_one_run_is_listed_whole() {
    let root = TempDir::new().unwrap();
    let count = names::RUN + 3_000;
    for number in 0..count {
        file(&root, &number.to_string());
    }
    directory(&root, "directory/below");
    let (listing, tally) = walk(root.path(), 2);
    assert_eq!(tally.entries, count as u64 + 3);
    let listed: BTreeSet<_> = paths(&listing).into_iter().collect();
    assert_eq!(listed.len(), count + 3);
}

/// A chain of directories, each with an empty one and a file beside the next.
struct Deep(TempDir);

impl Deep {
    fn new(levels: usize) -> Self {
        let root = TempDir::new().unwrap();
        let open = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut at: OwnedFd = File::open(root.path()).unwrap().into();
        for _ in 0..levels {
            mkdirat(&at, "deep-name", Mode::RWXU).unwrap();
            mkdirat(&at, "empty", Mode::RWXU).unwrap();
            openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
            at = openat(&at, "deep-name", open, Mode::empty()).unwrap();
        }
        Self(root)
    }
}

impl Drop for Deep {
    fn drop(&mut self) {
        // The standard library's way keeps a file open for each level.
        let removed = Command::new("rm").arg("-rf").arg(self.0.path()).status();
        assert!(removed.unwrap().success());
    }
}

#[test]
fn paths_far_longer_than_the_kernel_takes_are_listed() {
    const LEVELS: usize = 2_000;
    let deep = Deep::new(LEVELS);
    let (listing, tally) = walk(deep.0.path(), 2);
    assert_eq!(tally, Tally { entries: 1 + 3 * LEVELS as u64, unreadable: 0, example: None });
    let longest = deep.0.path().to_str().unwrap().len() + LEVELS * "/deep-name".len();
    assert_eq!(paths(&listing).iter().map(|path| path.len()).max(), Some(longest));
}

#[test]
fn directories_are_opened_without_openat2_too() {
    let deep = Deep::new(600);
    let tree = Tree::open(deep.0.path()).unwrap();
    for path in [b"".to_vec(), b"empty".to_vec(), [b"deep-name/".repeat(500), b"empty".to_vec()].concat()] {
        let inode = |tree: &Tree| rustix::fs::fstat(tree.directory(&path).unwrap()).unwrap().st_ino;
        assert_eq!(inode(&tree), inode(&Tree::open(deep.0.path()).unwrap().without_openat2()));
    }
}

#[test]
fn no_directory_is_opened_through_a_link() {
    let root = TempDir::new().unwrap();
    directory(&root, "real/below");
    symlink("real", root.path().join("link")).unwrap();
    for tree in [Tree::open(root.path()).unwrap(), Tree::open(root.path()).unwrap().without_openat2()] {
        assert!(tree.directory(b"real/below").is_ok());
        assert!(tree.directory(b"link/below").is_err());
        assert!(tree.directory(b"link").is_err());
    }
}

#[test]
fn links_are_listed_with_their_targets_and_not_followed() {
    let root = TempDir::new().unwrap();
    directory(&root, "directory/below");
    symlink("directory", root.path().join("link")).unwrap();
    symlink("..", root.path().join("directory/up")).unwrap();
    let long = "x/".repeat(2_000);
    symlink(&long, root.path().join("long")).unwrap();
    let (listing, tally) = walk(root.path(), 2);
    assert_eq!(tally.entries, 6);
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
        let (listing, tally) = walk(&root.path().join(name), 2);
        assert!(listing.ends_with(end), "{listing}");
        assert_eq!((listing.lines().count(), tally.entries), (1, 1));
    }
    // As everywhere, a slash at the end asks for what the link leads to.
    let (listing, _) = walk(&root.path().join("link/"), 2);
    assert_eq!(below(&root, &listing), ["/link/", "/link/below"]);
}

#[test]
fn the_root_is_named_as_given() {
    let root = TempDir::new().unwrap();
    file(&root, "f");
    let given = format!("{}/.", root.path().display());
    let (listing, _) = walk(Path::new(&given), 2);
    assert_eq!(paths(&listing), [given.clone(), format!("{given}/f")]);
    assert_eq!((prefix(b"/"), prefix(b"."), prefix(b"a\nb")), (b"/".into(), b"./".into(), b"a\\nb/".into()));
}

#[test]
fn a_missing_root_is_an_error_that_names_it() {
    let root = TempDir::new().unwrap();
    let missing = root.path().join("missing");
    let stop = AtomicBool::new(false);
    let walk = Walk { root: &missing, left_out: None, threads: 1, stop: &stop };
    let error = walk.list(&mut Vec::new()).unwrap_err().to_string();
    assert_eq!(error, format!("failed to read `{}` (--root)", missing.display()));
}

#[test]
fn what_is_left_out_is_known_by_what_it_is_not_by_its_path() {
    let root = TempDir::new().unwrap();
    directory(&root, "a/data/below");
    directory(&root, "b");
    symlink("../a/data", root.path().join("b/link")).unwrap();
    let left_out = Some(Identity::of_path(&root.path().join("b/link")).unwrap());
    let stop = AtomicBool::new(false);
    let list = |path: &str| {
        let mut output = Vec::new();
        let root = root.path().join(path);
        let walk = Walk { root: &root, left_out, threads: 2, stop: &stop };
        walk.list(&mut output).map(|tally| (String::from_utf8(output).unwrap(), tally.entries))
    };
    let (listing, entries) = list("").unwrap();
    assert!(!listing.contains(&format!(" {}a/data", root.path().join("").display())), "{listing}");
    assert_eq!(entries, 4);
    for inside in ["a/data", "a/data/below", "b/link/below"] {
        assert!(matches!(list(inside), Err(Error::LeftOut { .. })), "{inside}");
    }
}

#[test]
fn what_is_gone_before_it_is_looked_at_is_counted() {
    let root = TempDir::new().unwrap();
    file(&root, "here");
    let tree = Tree::open(root.path()).unwrap();
    let lines = Lines::new(b"/root/", None, Formatter::new(Owners::nobody()));
    let mut lister = Lister::new(&tree, lines);
    let names = b"gone\0here\0gone too\0".to_vec();
    let (finished, tally) = lister.run(order::Task::Names { directory: b"".as_slice().into(), names });
    assert!(finished.text.ends_with(b"/root/here\n"));
    let example = Some("`/root/gone`: No such file or directory (os error 2)".to_owned());
    assert_eq!(tally, Tally { entries: 1, unreadable: 2, example });

    let (finished, tally) = lister.run(order::Task::Directory(b"gone/directory".to_vec()));
    assert!(finished.text.is_empty() && finished.then.is_empty());
    assert_eq!((tally.entries, tally.unreadable), (0, 1));
}

#[test]
fn a_tree_that_never_stands_still_is_listed_all_the_same() {
    let (listing, tally) = walk(Path::new("/proc/self"), 2);
    assert_eq!(listing.lines().count() as u64, tally.entries);
    assert!(listing.lines().any(|line| line.contains(" /proc/self")));
}

#[test]
fn a_walk_that_is_to_stop_stops() {
    let stop = AtomicBool::new(true);
    let walk = Walk { root: Path::new("/"), left_out: None, threads: 2, stop: &stop };
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
    let stop = AtomicBool::new(false);
    for room in [0, 300 << 10] {
        let walk = Walk { root: root.path(), left_out: None, threads: 2, stop: &stop };
        assert!(matches!(walk.list(&mut Full(room)), Err(Error::Write(_))), "room for {room} bytes");
    }
}
