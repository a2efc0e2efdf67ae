//! What dead, stalled and failing owners leave, and who carries on.

use std::fs::{self, File};
use std::io::Read;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use volume::{Commit, Next, Taken};

use crate::support::*;

#[test]
fn an_owner_only_thought_dead_does_no_harm() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let (mut first, mut second) = (inbox(&directory), inbox(&directory));
    let mut stalled = copy(take_ready(&mut first));
    assert!(take(&mut second).is_none(), "its lock is held");
    lose_lock(&directory);
    let taken = copy(take_ready(&mut second));
    assert!(stalled.still_ours().unwrap_err().is_fenced());
    assert!(stalled.create_journal(&mut |_| Ok(())).unwrap_err().is_fenced());
    assert!(stalled.commit().unwrap_err().is_fenced());
    let Commit::Done(committed) = taken.commit().unwrap() else { panic!("the input changed") };
    committed.hand_on().unwrap();
    assert_eq!(published(&directory), ["x\n"]);
    assert_nothing_in_hand(&directory);
}

#[test]
fn an_owner_that_loses_its_claim_after_the_commit_does_no_harm() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let Commit::Done(stalled) = copy(take_ready(&mut inbox(&directory))).commit().unwrap() else {
        panic!("the input changed")
    };
    lose_lock(&directory);
    assert_eq!(drain(&mut inbox(&directory)), 0, "it was committed");
    assert!(stalled.hand_on().unwrap_err().is_fenced());
    assert_eq!(published(&directory), ["x\n"]);
    assert_nothing_in_hand(&directory);
}

/// What a network file system does to a client that it thinks dead.
fn lose_lock(directory: &TempDir) {
    let claim = fs::read_dir(claims(directory)).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(claim.join("lock")).unwrap();
    File::create(claim.join("lock")).unwrap();
}

#[test]
fn what_a_dead_owner_left_is_carried_on_with() {
    /// Its files, how often the batch is converted again, what is published.
    type Case<'a> = (&'a [(&'a str, &'a str)], usize, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (&[], 0, &[]),
        (&[("lock", "")], 0, &[]),
        (&[("lock", ""), ("input", "x")], 1, &["x"]),
        (&[("input", "x")], 1, &["x"]),
        (&[("lock", ""), ("input", "x"), ("output.1", "half")], 1, &["x"]),
        (
            &[("lock", ""), ("input", "x"), ("rejected", "r"), ("reasons", "1: r"), ("output.1", "x")],
            1,
            &["x"],
        ),
        (&[("lock", ""), ("input", "x"), ("journal.1.0", "j"), ("journal.1.1.new", "j")], 1, &["x"]),
        (&[("lock", ""), ("input", "x"), ("output", "done")], 0, &["done"]),
        (&[("lock", ""), ("output", "done")], 0, &["done"]),
        (&[("lock", ""), ("output", "")], 0, &[]),
        (&[("lock", ""), ("journal.1.0", "j"), ("output.1", "half")], 0, &[]),
    ];
    for (files, converted, outputs) in cases {
        let directory = directory();
        orphan(&directory, 1, files);
        assert_eq!(drain(&mut inbox(&directory)), *converted, "{files:?}");
        assert_eq!(published(&directory), *outputs, "{files:?}");
        assert_nothing_in_hand(&directory);
        assert_eq!(fs::read_dir(directory.path().join("rejected")).unwrap().count(), 0, "{files:?}");
    }
}

#[test]
fn rejected_lines_of_a_committed_batch_are_published_by_whoever_carries_on() {
    let directory = directory();
    orphan(&directory, 1, &[("lock", ""), ("output", "done"), ("rejected", "bad\n")]);
    fs::write(directory.path().join(format!("rejected/listing-{ID}.txt.reasons")), "1: bad\n").unwrap();
    drain(&mut inbox(&directory));
    let rejected = directory.path().join(format!("rejected/listing-{ID}.txt"));
    assert_eq!(fs::read_to_string(rejected).unwrap(), "bad\n");
    assert_nothing_in_hand(&directory);
}

#[test]
fn orphans_go_before_new_files_and_slowly_where_they_end_their_owners() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "new");
    orphan(&directory, 1, &[("lock", ""), ("input", "released")]);
    let released = take_ready(&mut inbox(&directory));
    assert_eq!(released.id(), format!("{ID}.2"), "a released batch goes first");
    drop(released);
    fs::rename(claims(&directory).join(format!("{ID}.2")), claims(&directory).join(format!("{ID}.9")))
        .unwrap();
    let mut inbox = inbox(&directory);
    let start = Instant::now();
    let Next::Taken(Taken::Ready(new)) = inbox.next(start).unwrap() else { panic!("nothing taken") };
    assert_eq!(fs::read(claims(&directory).join(new.id()).join("input")).unwrap(), b"new");
    let Next::Nothing { again } = inbox.next(start).unwrap() else { panic!("taken too soon") };
    assert_eq!(again, Some(start + Duration::from_secs(30)));
    let Next::Taken(Taken::Ready(orphan)) = inbox.next(again.unwrap()).unwrap() else { panic!("not taken") };
    assert_eq!(orphan.id(), format!("{ID}.10"));
}

#[test]
fn a_released_batch_goes_to_the_next_owner_with_its_journal_and_key() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let mut batch = take_ready(&mut inbox(&directory)).begin().unwrap();
    let key = batch.key().to_owned();
    let mut journal = batch.create_journal(&mut |file| file.write_all(b"one ")).unwrap();
    journal.append(b"two").unwrap();
    drop((batch, journal));
    let mut next = take_ready(&mut inbox(&directory)).begin().unwrap();
    assert_eq!(next.key(), key);
    let mut told = String::new();
    next.journal().unwrap().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "one two");
    next.create_journal(&mut |file| file.write_all(b"three")).unwrap();
    next.create_journal(&mut |file| file.write_all(b"four")).unwrap();
    let mut told = String::new();
    next.journal().unwrap().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "four");
}

#[test]
fn a_claim_whose_input_is_no_file_is_given_back() {
    let directory = directory();
    orphan(&directory, 1, &[("lock", "")]);
    std::os::unix::fs::symlink("/etc/passwd", claims(&directory).join(format!("{ID}.1/input"))).unwrap();
    assert_eq!(drain(&mut inbox(&directory)), 0);
    let back = directory.path().join(format!("listing-{ID}.txt"));
    assert!(fs::symlink_metadata(back).unwrap().is_symlink());
    assert_nothing_in_hand(&directory);
}

#[test]
fn one_orphan_is_taken_over_at_a_time() {
    const OTHER: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c073990";
    let directory = directory();
    orphan(&directory, 1, &[("lock", ""), ("input", "first")]);
    let other = claims(&directory).join(format!("{OTHER}.1"));
    fs::create_dir(&other).unwrap();
    fs::write(other.join("input"), "second").unwrap();
    fs::write(other.join("lock"), "").unwrap();
    let first = take_ready(&mut inbox(&directory));
    assert_eq!(first.id(), format!("{ID}.2"));
    assert!(other.exists(), "another replica can have this one");
    let second = take_ready(&mut inbox(&directory));
    assert_eq!(second.id(), format!("{OTHER}.2"));
}

#[test]
fn a_batch_that_failed_here_rests_and_lets_others_go_first() {
    let directory = directory();
    orphan(&directory, 1, &[("lock", ""), ("input", "poison")]);
    drop_file(&directory, "listing.txt", "behind");
    let mut inbox = inbox(&directory);
    let now = Instant::now();
    let Next::Taken(Taken::Ready(poison)) = inbox.next(now).unwrap() else { panic!("nothing taken") };
    inbox.failed(&poison.id(), now);
    drop(poison);
    let Next::Taken(Taken::Ready(behind)) = inbox.next(now).unwrap() else { panic!("nothing taken") };
    assert_eq!(behind.id().rsplit('.').next(), Some("1"), "a new file");
    let Next::Nothing { again: Some(again) } = inbox.next(now).unwrap() else { panic!("taken too soon") };
    assert!(again > now);
    assert!(matches!(inbox.next(again).unwrap(), Next::Taken(Taken::Ready(_))));
}

#[test]
fn a_directory_that_cannot_be_removed_is_tried_once() {
    let directory = directory();
    orphan(&directory, 1, &[("lock", ""), ("somebody's", "file")]);
    assert_eq!(drain(&mut inbox(&directory)), 0);
    assert!(claims(&directory).join(format!("{ID}.2/somebody's")).exists());
}

#[test]
fn a_claims_directory_that_is_none_is_the_stages_error_and_not_the_files() {
    let directory = directory();
    // A file where the directory should be fails for everyone, root too.
    fs::write(claims(&directory), "").unwrap();
    drop_file(&directory, "listing.txt", "x");
    assert!(inbox(&directory).next(Instant::now()).is_err());
    assert!(directory.path().join("listing.txt").exists());
}
