use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use end_to_end::{AtWork, DataDir, STAGES, Stage, is_root, stage};

use crate::files::without_rights;
use crate::outside::Outside;

/// A claim's name, of a batch that nobody works on.
const ORPHAN: &str = "01890a5d-ac96-774b-bcce-b302099a8057.1";

/// Makes a directory that everyone may use, and those above it that are missing.
fn make(data: &DataDir, directory: &str) -> PathBuf {
    let mut path = data.path().to_owned();
    for name in Path::new(directory) {
        path.push(name);
        if fs::create_dir(&path).is_ok() {
            fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        }
    }
    path
}

/// The directory of a stage's claims, on a volume where everyone may write.
fn claims(data: &DataDir, stage: &Stage) -> PathBuf {
    make(data, "rejected");
    make(data, &format!(".pipe/1/{}", stage.name))
}

/// Files that go in one after the other, while something is in the way of the first.
fn others_go_through(work: &AtWork<'_>, stage: &Stage) {
    for count in 1..=3 {
        work.data.put(&stage.file("behind"), stage.good);
        work.wait_for_good(count);
    }
}

#[test]
fn another_users_claim_that_may_not_be_entered_is_named_and_left_alone() {
    if !is_root("another user's claim") {
        return;
    }
    for stage in &STAGES {
        let data = DataDir::new();
        let claim = claims(&data, stage).join(ORPHAN);
        fs::create_dir(&claim).unwrap();
        fs::write(claim.join("lock"), "").unwrap();
        fs::write(claim.join("input"), stage.good).unwrap();
        fs::set_permissions(&claim, Permissions::from_mode(0o700)).unwrap();
        let mut program = None;
        let work = AtWork::start_by(stage, &data, |command| without_rights(command, &mut program));
        others_go_through(&work, stage);
        work.running.wait_for_log("Permission denied");
        let log = work.running.log();
        assert!(log.contains(ORPHAN) && log.matches("Permission denied").count() == 1, "{log}");
        assert_eq!(fs::read(claim.join("input")).unwrap(), stage.good.as_bytes());
        work.running.stop();
    }
}

#[test]
fn another_users_claim_that_may_not_be_written_is_named_and_keeps_its_input() {
    if !is_root("another user's claim") {
        return;
    }
    for stage in STAGES.iter().filter(|stage| !stage.sends()) {
        let data = DataDir::new();
        let parent = claims(&data, stage);
        let claim = parent.join(ORPHAN);
        fs::create_dir(&claim).unwrap();
        fs::write(claim.join("lock"), "").unwrap();
        fs::set_permissions(claim.join("lock"), Permissions::from_mode(0o666)).unwrap();
        fs::write(claim.join("input"), stage.good).unwrap();
        let mut program = None;
        let work = AtWork::start_by(stage, &data, |command| without_rights(command, &mut program));
        others_go_through(&work, stage);
        work.running.wait_for_log("Permission denied");
        work.running.stop();
        let inputs = fs::read_dir(&parent).unwrap().map(|claim| claim.unwrap().path().join("input"));
        assert!(
            inputs.into_iter().any(|input| fs::read(input).is_ok_and(|read| read == stage.good.as_bytes()))
        );
    }
}

#[test]
fn what_is_no_claim_is_left_alone() {
    for stage in &STAGES {
        let data = DataDir::new();
        let claims = claims(&data, stage);
        for name in ["not-a-claim", "..1", "01890a5d-ac96-774b-bcce-b302099a8057", &ORPHAN.to_uppercase()] {
            fs::create_dir(claims.join(name)).unwrap();
            fs::write(claims.join(name).join("input"), stage.good).unwrap();
        }
        fs::write(claims.join("file"), stage.good).unwrap();
        let work = AtWork::start(stage, &data);
        others_go_through(&work, stage);
        work.running.stop();
        assert_eq!(fs::read_dir(&claims).unwrap().count(), 5);
    }
}

#[test]
fn a_claim_that_is_a_link_out_of_the_volume_is_named_and_harms_nothing_there() {
    let files =
        ["lock", "input", "output.1", "rejected.1", "reasons", "journal.1.0"].map(|name| (name, "theirs"));
    for stage in &STAGES {
        // Uncommitted, committed, and nothing but what would be tidied up.
        for left in
            [&files[..], &[("lock", ""), ("output", "theirs")], &[("lock", ""), ("journal.1.0", "theirs")]]
        {
            let (data, outside) = (DataDir::new(), Outside::with(left));
            symlink(outside.path("."), claims(&data, stage).join(ORPHAN)).unwrap();
            let work = AtWork::start(stage, &data);
            others_go_through(&work, stage);
            work.running.wait_for_log("left alone: it is no directory");
            work.running.stop();
            outside.assert_untouched();
        }
    }
}

#[test]
fn a_directory_of_ours_that_is_a_link_out_of_the_volume_is_named() {
    for stage in &STAGES {
        for directory in [".pipe", "rejected", ".pipe/1", &format!(".pipe/1/{}", stage.name)] {
            let (data, outside) = (DataDir::new(), Outside::with(&[]));
            let path = data.path().join(directory);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(outside.path("directory"), &path).unwrap();
            let output = self::stage(stage.name, data.path(), &["--once"]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{directory}: {said}");
            assert!(said.contains(&path.display().to_string()), "{said}");
            outside.assert_untouched();
        }
    }
}

#[test]
fn a_file_in_the_place_of_a_directory_of_ours_is_named() {
    for stage in &STAGES {
        for directory in [".pipe", "rejected"] {
            let data = DataDir::new();
            fs::write(data.path().join(directory), "theirs").unwrap();
            let output = self::stage(stage.name, data.path(), &["--once"]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(&data.path().display().to_string()), "{said}");
            assert_eq!(fs::read(data.path().join(directory)).unwrap(), b"theirs");
        }
    }
}
