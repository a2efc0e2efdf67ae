//! What dead, stalled and failing owners leave, and who carries on.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use volume::{Commit, Next, Scanner, Taken, Volume};

use crate::support::*;

#[test]
fn an_owner_only_thought_dead_does_no_harm() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let (mut first, mut second) = (scanner(&directory), scanner(&directory));
    let mut stalled = copy(take_ready(&mut first));
    assert!(take(&mut second).is_none(), "its lock is held");
    lose_lock(&directory);
    let taken = copy(take_ready(&mut second));
    assert!(stalled.still_ours().unwrap_err().is_fenced());
    assert!(stalled.create_journal(&mut |_| Ok(()), 0).unwrap_err().is_fenced());
    assert!(stalled.commit().unwrap_err().is_fenced());
    let Commit::Done(committed) = taken.commit().unwrap() else { panic!("the input changed") };
    committed.publish().unwrap();
    assert_eq!(published(&directory), ["x\n"]);
    assert_nothing_in_hand(&directory);
}

#[test]
fn an_owner_that_loses_its_claim_after_the_commit_does_no_harm() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let Commit::Done(stalled) = copy(take_ready(&mut scanner(&directory))).commit().unwrap() else {
        panic!("the input changed")
    };
    lose_lock(&directory);
    assert_eq!(drain(&mut scanner(&directory)), 0, "it was committed");
    assert!(stalled.publish().unwrap_err().is_fenced());
    assert_eq!(published(&directory), ["x\n"]);
    assert_nothing_in_hand(&directory);
}

/// For a while a network file system finds by its old name what another machine has renamed.
#[test]
fn an_owner_whose_paths_still_work_after_a_takeover_publishes_and_deletes_nothing() {
    for archive in [false, true] {
        for is_committed in [false, true] {
            let directory = directory();
            let volume = Volume::open(directory.path()).unwrap();
            if archive {
                volume.archive_inputs(Path::new("done"), None).unwrap();
            }
            drop_file(&directory, "listing.txt", "x\n");
            let stalled = copy(take_ready(&mut scanner_on(&volume, Duration::ZERO)));
            let old = claims(&directory).join(stalled.id());
            let publish = |commit| match commit {
                Commit::Done(committed) => committed.publish(),
                Commit::Changed(_) => panic!("the input changed"),
            };
            let late: Box<dyn FnOnce() -> Result<_, volume::Error>> = if is_committed {
                let commit = stalled.commit().unwrap();
                Box::new(move || publish(commit))
            } else {
                Box::new(move || stalled.commit().and_then(publish))
            };
            lose_lock(&directory);
            let mut heir = scanner_on(&volume, Duration::ZERO);
            let taken = take(&mut heir).unwrap();
            let new = fs::read_dir(claims(&directory)).unwrap().next().unwrap().unwrap().path();
            let left = files(&new).len();
            symlink(&new, &old).unwrap();
            late().unwrap_err();
            fs::remove_file(&old).unwrap();
            assert_eq!(
                (published(&directory).len(), files(&new).len()),
                (0, left),
                "{archive} {is_committed}"
            );
            match taken {
                Taken::Committed(committed) => drop(committed.publish().unwrap()),
                Taken::Ready(claim) => drop(publish(copy(claim).commit().unwrap()).unwrap()),
            }
            assert_eq!(published(&directory), ["x\n"]);
            assert_nothing_in_hand(&directory);
        }
    }
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
        assert_eq!(drain(&mut scanner(&directory)), *converted, "{files:?}");
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
    drain(&mut scanner(&directory));
    let rejected = directory.path().join(format!("rejected/listing-{ID}.txt"));
    assert_eq!(fs::read_to_string(rejected).unwrap(), "bad\n");
    assert_nothing_in_hand(&directory);
}

#[test]
fn orphans_go_before_new_files_and_slowly_where_they_end_their_owners() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "new");
    orphan(&directory, 1, &[("lock", ""), ("input", "released")]);
    let released = take_ready(&mut scanner(&directory));
    assert_eq!(released.id(), format!("{ID}.2"), "a released batch goes first");
    drop(released);
    fs::rename(claims(&directory).join(format!("{ID}.2")), claims(&directory).join(format!("{ID}.9")))
        .unwrap();
    let mut scanner = scanner(&directory);
    let start = Instant::now();
    let Next::Taken(Taken::Ready(new)) = scanner.next(start).unwrap() else { panic!("nothing taken") };
    assert_eq!(fs::read(claims(&directory).join(new.id()).join("input")).unwrap(), b"new");
    let Next::Nothing { again } = scanner.next(start).unwrap() else { panic!("taken too soon") };
    assert_eq!(again, Some(start + Duration::from_secs(30)));
    let Next::Taken(Taken::Ready(orphan)) = scanner.next(again.unwrap()).unwrap() else {
        panic!("not taken")
    };
    assert_eq!(orphan.id(), format!("{ID}.10"));
}

#[test]
fn a_released_batch_goes_to_the_next_owner_with_its_journal_and_key() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let mut batch = take_ready(&mut scanner(&directory)).begin().unwrap();
    let key = batch.key().to_owned();
    let mut journal = batch.create_journal(&mut |file| file.write_all(b"one "), 0).unwrap();
    journal.append(b"two").unwrap();
    drop((batch, journal));
    let mut next = take_ready(&mut scanner(&directory)).begin().unwrap();
    assert_eq!(next.key(), key);
    let mut told = String::new();
    next.journal().unwrap().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "one two");
    next.create_journal(&mut |file| file.write_all(b"three"), 0).unwrap();
    let mut told = String::new();
    next.journal().unwrap().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "one two", "a new one counts from its first append on");
    let mut journal = next.create_journal(&mut |file| file.write_all(b"four "), 100).unwrap();
    journal.append(b"five ").unwrap();
    journal.append(b"six").unwrap();
    let mut told = String::new();
    next.journal().unwrap().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told.trim_end_matches('\0'), "four five six");
    let journals = files(&claims(&directory)).into_iter().filter(|file| file.contains("journal"));
    assert_eq!(journals.count(), 1, "those before it are gone, and those that never counted");
}

#[test]
fn a_journal_that_is_damaged_at_its_start_does_not_count_and_the_next_one_does() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let mut scanner = scanner(&directory);
    let mut batch = take_ready(&mut scanner).begin().unwrap();
    let journal = claims(&directory).join(batch.id()).join("journal.7.3");
    for damage in ["", "garbage"] {
        fs::write(&journal, damage).unwrap();
        // The one before it counts, if there is one.
        assert_eq!(batch.journal().unwrap().is_some(), !damage.is_empty());
        batch.create_journal(&mut |file| file.write_all(b"whole"), 0).unwrap().append(b"").unwrap();
        let mut told = String::new();
        batch.journal().unwrap().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(told, "whole", "{damage}");
        assert!(!journal.exists());
    }
}

#[test]
fn what_is_made_in_vain_is_deleted_and_input_and_journal_stay() {
    let directory = directory();
    drop_file(&directory, "listing.txt", "x\n");
    let mut scanner = scanner(&directory);
    let begin = |claim: volume::Claim| {
        let mut batch = copy(claim);
        batch.rejected.start(1, "bad").unwrap();
        batch.rejected.piece(&[b'x'; 100_000]).unwrap();
        batch
    };
    let mut batch = begin(take_ready(&mut scanner));
    batch.create_journal(&mut |_| Ok(()), 1_000).unwrap().append(b"x").unwrap();
    batch.create_journal(&mut |_| Ok(()), 1_000).unwrap();
    batch.discard().unwrap();
    let left = |directory| {
        let mut left: Vec<_> = files(&claims(directory))
            .iter()
            .map(|file| file.rsplit('/').next().unwrap().to_owned())
            .collect();
        left.sort();
        left
    };
    assert_eq!(left(&directory), ["input", "journal.1.0", "lock"]);
    // A commit that finds that its input changed, and so one that fails, does the same.
    let batch = begin(take_ready(&mut scanner));
    let input = claims(&directory).join(batch.id()).join("input-2");
    fs::remove_file(&input).unwrap();
    batch.commit().unwrap_err();
    assert_eq!(left(&directory), ["journal.1.0", "lock"]);
    fs::write(&input, "another").unwrap();
    let batch = begin(take_ready(&mut scanner));
    File::options()
        .append(true)
        .open(claims(&directory).join(batch.id()).join("input-3"))
        .unwrap()
        .set_len(1)
        .unwrap();
    let Commit::Changed(_) = batch.commit().unwrap() else { panic!("committed half a file") };
    assert_eq!(left(&directory), ["input-3", "journal.1.0", "lock"]);
}

#[test]
fn a_batch_that_rests_is_kept_locked_and_given_out_again_behind_others() {
    let directory = directory();
    let ids = |taken: Next| match taken {
        Next::Taken(Taken::Ready(claim)) => claim,
        other => panic!("{other:?}"),
    };
    drop_file(&directory, "listing-1.txt", "poison");
    let (mut scanner, now) = (scanner(&directory), Instant::now());
    let (soon, later) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
    let poison = ids(scanner.next(now).unwrap());
    let poisoned = poison.id();
    assert!(!scanner.others_wait());
    scanner.rest(poison.begin().unwrap().rest(), soon);
    assert_eq!(scanner.resting(), 1);
    assert!(take(&mut self::scanner(&directory)).is_none(), "it is no orphan");
    let Next::Nothing { again } = scanner.next(now).unwrap() else { panic!("taken too soon") };
    assert_eq!(again, Some(soon));
    for name in ["listing-2.txt", "listing-3.txt"] {
        drop_file(&directory, name, "behind");
    }
    let second = ids(scanner.next(later).unwrap());
    assert_ne!(second.id(), poisoned, "others go first");
    let poison = ids(scanner.next(later).unwrap());
    assert_eq!(poison.id(), poisoned, "it is not kept waiting by those that come");
    scanner.rest(poison, later);
    assert_ne!(ids(scanner.next(later).unwrap()).id(), poisoned, "nor they by it");
    assert_eq!(ids(scanner.next(later).unwrap()).id(), poisoned);
}

#[test]
fn batches_that_rest_get_their_turn_one_after_the_other() {
    let directory = directory();
    for number in 1..=3 {
        drop_file(&directory, &format!("listing-{number}.txt"), "poison");
    }
    let (mut scanner, mut now) = (scanner(&directory), Instant::now());
    let mut turns = Vec::new();
    for _ in 0..12 {
        now += Duration::from_secs(1);
        let Next::Taken(Taken::Ready(claim)) = scanner.next(now).unwrap() else { panic!("nothing is due") };
        turns.push(claim.id());
        scanner.rest(claim, now);
    }
    // Once all have been taken, they go round.
    let mut last = turns[9..].to_vec();
    last.sort();
    last.dedup();
    assert_eq!(last.len(), 3, "{turns:?}");
    assert_eq!(turns[6..9], turns[9..], "{turns:?}");
}

#[test]
fn whoever_has_a_batch_in_hand_learns_that_others_wait() {
    let rescan = Duration::ZERO;
    let directory = directory();
    let volume = Volume::open(directory.path()).unwrap();
    let mut scanner = Scanner::new(volume, SPEC, Duration::ZERO, rescan);
    drop_file(&directory, "listing.txt", "in hand");
    let claim = take_ready(&mut scanner);
    assert!(!scanner.others_wait());
    drop_file(&directory, "listing.txt", "waiting");
    assert!(scanner.others_wait());
    fs::remove_file(directory.path().join("listing.txt")).unwrap();
    orphan(&directory, 1, &[("lock", ""), ("input", "released")]);
    assert!(scanner.others_wait());
    scanner.failed(&format!("{ID}.1"), Instant::now());
    assert!(!scanner.others_wait(), "one that failed here is nobody's reason to rest before it is due");
    scanner.rest(claim, Instant::now());
    assert!(scanner.others_wait());
}

#[test]
fn a_claim_that_the_volume_fails_for_hides_no_other_work() {
    let directory = directory();
    orphan(&directory, 1, &[("input", "unreachable")]);
    fs::create_dir(claims(&directory).join(format!("{ID}.1/lock"))).unwrap();
    drop_file(&directory, "listing-1.txt", "first");
    drop_file(&directory, "listing-2.txt", "second");
    let (mut scanner, now) = (scanner(&directory), Instant::now());
    for _ in 0..2 {
        assert!(matches!(scanner.next(now).unwrap(), Next::Taken(Taken::Ready(_))));
    }
    assert!(scanner.failing() > 0);
}

#[test]
fn a_batch_that_is_left_alone_is_not_taken_again() {
    let directory = directory();
    orphan(&directory, 1, &[("lock", ""), ("input", "poison")]);
    let mut scanner = scanner(&directory);
    let claim = take_ready(&mut scanner);
    scanner.leave(&claim.id());
    drop(claim);
    assert!(take(&mut scanner).is_none());
}

#[test]
fn a_claim_whose_input_is_no_file_is_given_back() {
    let directory = directory();
    orphan(&directory, 1, &[("lock", "")]);
    std::os::unix::fs::symlink("/etc/passwd", claims(&directory).join(format!("{ID}.1/input"))).unwrap();
    assert_eq!(drain(&mut scanner(&directory)), 0);
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
    let first = take_ready(&mut scanner(&directory));
    assert_eq!(first.id(), format!("{ID}.2"));
    assert!(other.exists(), "another replica can have this one");
    let second = take_ready(&mut scanner(&directory));
    assert_eq!(second.id(), format!("{OTHER}.2"));
}

#[test]
fn a_batch_that_failed_here_rests_and_lets_others_go_first() {
    let directory = directory();
    orphan(&directory, 1, &[("lock", ""), ("input", "poison")]);
    drop_file(&directory, "listing.txt", "behind");
    let mut scanner = scanner(&directory);
    let now = Instant::now();
    let Next::Taken(Taken::Ready(poison)) = scanner.next(now).unwrap() else { panic!("nothing taken") };
    let retried = scanner.failed(&poison.id(), now);
    drop(poison);
    let Next::Taken(Taken::Ready(behind)) = scanner.next(now).unwrap() else { panic!("nothing taken") };
    assert_eq!(behind.id().rsplit('.').next(), Some("1"), "a new file");
    let Next::Nothing { again: Some(again) } = scanner.next(now).unwrap() else { panic!("taken too soon") };
    assert!(again > now);
    assert_eq!(again, retried, "what was said is what happens");
    assert!(matches!(scanner.next(again).unwrap(), Next::Taken(Taken::Ready(_))));
}

#[test]
fn a_directory_that_cannot_be_removed_is_tried_once() {
    let directory = directory();
    orphan(&directory, 1, &[("lock", ""), ("somebody's", "file")]);
    assert_eq!(drain(&mut scanner(&directory)), 0);
    assert!(claims(&directory).join(format!("{ID}.2/somebody's")).exists());
}

#[test]
fn a_claims_directory_that_is_none_is_the_stages_error_and_not_the_files() {
    let directory = directory();
    // A file where the directory should be fails for everyone, root too.
    fs::write(claims(&directory), "").unwrap();
    drop_file(&directory, "listing.txt", "x");
    assert!(scanner(&directory).next(Instant::now()).is_err());
    assert!(directory.path().join("listing.txt").exists());
}
