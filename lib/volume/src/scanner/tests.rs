use std::io::Write;

use super::waiting::Seen;
use super::*;
use crate::claim_directory::INPUT;
use crate::complete;
use crate::fs;

const SPEC: Spec = Spec { name: "test", stem: "listing", input: Some("txt"), output: None };
const SETTLE: Duration = Duration::from_secs(5);

/// What happens to a file between the look at it and its claim, and what it holds in the end.
#[test]
fn a_file_that_changes_between_the_look_and_the_claim_is_never_taken_half() {
    type Change = fn(&std::path::Path) -> std::fs::File;
    let append: Change = |path| {
        let mut writer = std::fs::File::options().append(true).open(path).unwrap();
        writer.write_all(b" and more").unwrap();
        writer
    };
    let truncate: Change = |path| std::fs::File::create(path).unwrap();
    let replace: Change = |path| {
        let other = path.with_extension("new");
        let mut writer = std::fs::File::create(&other).unwrap();
        writer.write_all(b"another").unwrap();
        fs::rename(&other, path).unwrap();
        writer
    };
    for (change, expected) in [(append, "first and more."), (truncate, "."), (replace, "another.")] {
        // Where leases tell, and where only standing still does.
        for leases in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let volume = Volume::with(directory.path(), true, leases).unwrap();
            let mut scanner = Scanner::new(volume, SPEC, SETTLE, Duration::ZERO);
            let path = directory.path().join("listing.txt");
            std::fs::write(&path, "first").unwrap();
            let (name, looked) = (PublicName(None), Instant::now());
            let mut seen = Seen::at(looked);
            seen.check.judge(complete::look(&path, leases).unwrap(), looked, SETTLE);
            let mut writer = change(&path);
            let settled = looked + SETTLE;
            let mut pass = Pass::new(settled);
            assert!(scanner.take(&name, seen, &mut pass).unwrap().is_none());
            assert_eq!(scanner.deferred.len(), 1, "it waits for the writer");
            writer.write_all(b".").unwrap();
            drop(writer);
            // Its last change is seen; from here on it stands still.
            assert!(leases || matches!(scanner.next(settled).unwrap(), Next::Nothing { .. }));
            let Next::Taken(Taken::Ready(claim)) = scanner.next(settled + SETTLE).unwrap() else {
                panic!("not taken when its writer was done")
            };
            assert_eq!(std::fs::read(claim.directory.join(INPUT)).unwrap(), expected.as_bytes());
        }
    }
}

/// The time that a file gets comes from another machine's clock, whichever that is.
#[test]
fn a_slow_writer_is_never_taken_half_however_far_its_clock_is_off() {
    const OFF: i64 = 30;
    let skews: [fn(i64) -> i64; 4] =
        [|_| -OFF, |_| OFF, |line| if line % 2 == 0 { OFF } else { -OFF }, |line| -line];
    for skew in skews {
        let directory = tempfile::tempdir().unwrap();
        let volume = Volume::with(directory.path(), true, false).unwrap();
        let mut scanner = Scanner::new(volume.clone(), SPEC, SETTLE, Duration::ZERO);
        let path = directory.path().join("listing.txt");
        let mut writer = std::fs::File::create(&path).unwrap();
        let (start, pause) = (Instant::now(), SETTLE - Duration::from_secs(1));
        let mut now = start;
        for line in 0..20 {
            writeln!(writer, "{line}").unwrap();
            let seconds = u64::try_from(1_000_000_000 + skew(line)).unwrap() + (now - start).as_secs();
            writer.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            assert!(matches!(scanner.next(now).unwrap(), Next::Nothing { .. }), "taken after line {line}");
            now += pause;
            assert!(matches!(scanner.next(now).unwrap(), Next::Nothing { .. }), "taken after line {line}");
            // A replica that has just started knows no more of it.
            let mut another = Scanner::new(volume.clone(), SPEC, SETTLE, Duration::ZERO);
            assert!(matches!(another.next(now).unwrap(), Next::Nothing { .. }), "taken after line {line}");
        }
        drop(writer);
        // Claimed, it is looked at once more.
        let taken = (0..3).any(|looks| matches!(scanner.next(now + SETTLE * looks).unwrap(), Next::Taken(_)));
        assert!(taken, "never taken");
    }
}

#[test]
fn who_loses_the_race_for_a_file_tries_the_next_with_the_same_claim() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path()).unwrap();
    std::fs::write(directory.path().join("listing.txt"), "x").unwrap();
    let mut scanner = Scanner::new(volume, SPEC, SETTLE, Duration::ZERO);
    let mut pass = Pass::new(Instant::now());
    for id in ["1", "2"] {
        let gone = PublicName(Some(id.to_owned()));
        assert!(scanner.take(&gone, Seen::at(pass.now), &mut pass).unwrap().is_none());
    }
    let spare = pass.spare.as_ref().unwrap().name;
    let claim = scanner.take(&PublicName(None), Seen::at(pass.now), &mut pass).unwrap().unwrap();
    assert_eq!((claim.name, pass.spare.is_none()), (spare, true));
    assert_eq!(crate::take_over::all(&scanner.volume, SPEC).unwrap(), [spare]);
}

/// Takes the next batch, time passing as quickly as need be.
pub(crate) fn take(volume: &Volume, spec: Spec) -> Option<Taken> {
    let (mut scanner, mut now) = (Scanner::new(volume.clone(), spec, SETTLE, Duration::ZERO), Instant::now());
    loop {
        match scanner.next(now).unwrap() {
            Next::Taken(taken) => return Some(taken),
            Next::Nothing { again } => now = again?,
        }
    }
}

#[test]
fn an_input_is_given_back_under_a_name_of_its_own_where_renaming_without_replacing_fails() {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::open(directory.path()).unwrap();
    std::fs::write(directory.path().join("listing.txt"), "x").unwrap();
    let Some(Taken::Ready(claim)) = take(&volume, SPEC) else { panic!("nothing taken") };
    let batch = claim.name.batch;
    fs::NO_REPLACE_FAILS.set(Some(rustix::io::Errno::INVAL));
    let back = claim.put_back();
    fs::NO_REPLACE_FAILS.set(None);
    back.unwrap();
    assert_eq!(std::fs::read(directory.path().join(format!("listing-{batch}.txt"))).unwrap(), b"x");
    assert_eq!(volume.fallbacks().first(), Some(&crate::Fallback::OwnNames));
}
