//! How files are taken, changed under one's eyes, published and rejected.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use volume::{Commit, Taken};

use crate::support::*;

#[test]
fn each_of_hundreds_of_files_is_processed_once_by_many_workers() {
    const FILES: usize = 300;
    const WORKERS: usize = 8;
    let directory = directory();
    let start = Barrier::new(WORKERS + 1);
    let converted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let mut scanner = scanner(&directory);
                start.wait();
                while converted.load(Ordering::SeqCst) < FILES {
                    converted.fetch_add(drain(&mut scanner), Ordering::SeqCst);
                }
            });
        }
        start.wait();
        for number in 0..FILES {
            drop_file(&directory, &format!("listing-{number:03}.txt"), &format!("{number:03}\n"));
        }
    });
    let mut contents = published(&directory);
    contents.sort();
    let expected: Vec<String> = (0..FILES).map(|number| format!("{number:03}\n")).collect();
    assert_eq!(contents, expected);
    assert_nothing_in_hand(&directory);
}

#[test]
fn many_replicas_may_start_on_a_fresh_volume_at_once() {
    const REPLICAS: usize = 8;
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let start = Barrier::new(REPLICAS);
        std::thread::scope(|scope| {
            for _ in 0..REPLICAS {
                scope.spawn(|| {
                    start.wait();
                    assert_eq!(take(&mut scanner(&directory)).map(|_| ()), None);
                });
            }
        });
    }
}

#[test]
fn one_of_many_workers_wins_a_claim() {
    const WORKERS: usize = 8;
    for _ in 0..20 {
        let directory = directory();
        drop_file(&directory, "listing.txt", "x\n");
        let start = Barrier::new(WORKERS);
        // Claims are held until everyone has tried.
        let claims: Vec<Option<Taken>> = std::thread::scope(|scope| {
            let worker = || {
                let mut scanner = scanner(&directory);
                start.wait();
                take(&mut scanner)
            };
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        let ready = claims.iter().flatten().filter(|taken| matches!(taken, Taken::Ready(_))).count();
        assert_eq!(ready, 1);
    }
}

#[test]
fn files_are_taken_plain_name_first_then_by_id_and_published_in_that_order() {
    let directory = directory();
    for (name, content) in
        [("listing-b.txt", "3"), ("listing.txt", "1"), ("listing-a.txt", "2"), ("listing-Z.txt", "1.5")]
    {
        drop_file(&directory, name, content);
    }
    drop_file(&directory, "listing-zzz.csv", "0");
    assert_eq!(drain(&mut scanner(&directory)), 4);
    assert_eq!(published(&directory), ["0", "1", "1.5", "2", "3"]);
}

#[test]
fn a_file_that_is_open_for_writing_is_taken_after_its_close_only() {
    let directory = directory();
    let mut scanner = scanner(&directory);
    let mut writer = File::create(directory.path().join("listing-1.txt")).unwrap();
    writer.write_all(b"half").unwrap();
    drop_file(&directory, "listing-2.txt", "behind");
    assert_eq!(drain(&mut scanner), 1, "it holds up nothing behind it");
    writer.write_all(b" and half").unwrap();
    drop(writer);
    assert_eq!(drain(&mut scanner), 1);
    assert_eq!(published(&directory), ["behind", "half and half"]);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_anew() {
    let changes: [fn(&mut File); 3] = [
        |writer| writer.write_all(b" more").unwrap(),
        |writer| writer.set_len(1).unwrap(),
        // Still open, nothing written yet.
        |_| {},
    ];
    for change in changes {
        let directory = directory();
        let mut scanner = scanner(&directory);
        drop_file(&directory, "listing.txt", "first");
        let claim = take_ready(&mut scanner);
        let input = claims(&directory).join(claim.id()).join("input");
        let mut writer = File::options().append(true).open(&input).unwrap();
        let batch = copy(claim);
        change(&mut writer);
        let Commit::Changed(claim) = batch.commit().unwrap() else { panic!("committed half a file") };
        scanner.defer(claim);
        assert!(take(&mut scanner).is_none(), "its writer is not done");
        drop(writer);
        let expected = fs::read_to_string(&input).unwrap();
        assert_eq!(drain(&mut scanner), 1);
        assert_eq!(published(&directory), [expected]);
        assert_nothing_in_hand(&directory);
    }
}

#[test]
fn another_content_has_another_key_and_no_journal() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let mut scanner = scanner(&directory);
    let mut batch = take_ready(&mut scanner).begin().unwrap();
    let key = batch.key().to_owned();
    batch.create_journal(&mut |_| Ok(()), 0).unwrap().append(b"").unwrap();
    let input = claims(&directory).join(batch.id()).join("input");
    File::options().append(true).open(input).unwrap().write_all(b"y\n").unwrap();
    let Commit::Changed(claim) = batch.commit().unwrap() else { panic!("committed half a file") };
    scanner.defer(claim);
    let anew = take_ready(&mut scanner).begin().unwrap();
    assert_ne!(anew.key(), key);
    assert!(anew.journal().unwrap().is_none());
}

#[test]
fn what_is_published_is_read_only_and_never_overwrites() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    drop_file(&directory, "listing.csv", "theirs");
    drop_file(&directory, "listing.txt", "ours");
    drain(&mut scanner(&directory));
    assert_eq!(published(&directory), ["theirs", "ours"]);
    let modes = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap());
    let ours = modes.filter(|entry| entry.file_name().to_str().unwrap().starts_with("listing-"));
    for entry in ours {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o222, 0);
    }
}

#[test]
fn rejected_files_stand_beside_their_reasons_and_can_go_through_again() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "bad\n");
    let mut scanner = scanner(&directory);
    let mut batch = take_ready(&mut scanner).begin().unwrap();
    batch.rejected.start(1, "two\nlines").unwrap();
    batch.rejected.piece(b"bad").unwrap();
    batch.rejected.end().unwrap();
    let Commit::Done(committed) = batch.commit().unwrap() else { panic!("the input changed") };
    assert_eq!(committed.publish().unwrap().name, None, "an empty output is not published");
    let mut names: Vec<_> =
        fs::read_dir(directory.path().join("rejected")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let [rejected, reasons] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!(fs::read(rejected).unwrap(), b"bad\n");
    assert_eq!(reasons.display().to_string(), format!("{}.reasons", rejected.display()));
    assert_eq!(fs::read(reasons).unwrap(), b"1: two lines\n");
    fs::write(rejected, "mended\n").unwrap();
    fs::rename(rejected, directory.path().join(rejected.file_name().unwrap())).unwrap();
    assert_eq!(drain(&mut scanner), 1);
    assert_eq!(published(&directory), ["mended\n"]);
}

#[test]
fn a_directory_of_ours_that_becomes_a_link_is_not_followed_and_one_that_is_removed_is_made_anew() {
    let reject = |directory: &TempDir, replace: &dyn Fn(&Path)| {
        drop_file(directory, "listing.txt", "bad\n");
        let mut batch = take_ready(&mut scanner(directory)).begin().unwrap();
        batch.rejected.start(1, "bad").unwrap();
        batch.rejected.piece(b"bad").unwrap();
        batch.rejected.end().unwrap();
        let Commit::Done(committed) = batch.commit().unwrap() else { panic!("the input changed") };
        fs::remove_dir(directory.path().join("rejected")).unwrap();
        replace(&directory.path().join("rejected"));
        committed.publish()
    };
    let (elsewhere, linked) = (tempfile::tempdir().unwrap(), directory());
    let link = |rejected: &Path| std::os::unix::fs::symlink(elsewhere.path(), rejected).unwrap();
    assert!(reject(&linked, &link).unwrap_err().to_string().contains("rejected"));
    assert_eq!(files(elsewhere.path()), Vec::<String>::new());
    let removed = directory();
    reject(&removed, &|_| {}).unwrap();
    assert_eq!(files(&removed.path().join("rejected")).len(), 2);
}

#[test]
fn what_is_no_file_is_left_alone_and_blocks_nothing() {
    let directory = directory();
    fs::create_dir(directory.path().join("listing-1.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("listing-2.txt")).unwrap();
    let fifo = directory.path().join("listing-3.txt");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    drop_file(&directory, "listing-4.txt", "behind");
    drop_file(&directory, "listing-../../x.txt".replace('/', "_").as_str(), "not a public name");
    assert_eq!(drain(&mut scanner(&directory)), 1);
    assert_eq!(published(&directory), ["behind"]);
    assert!(fs::symlink_metadata(directory.path().join("listing-2.txt")).unwrap().is_symlink());
}
