use super::*;
use crate::scanner::tests::take;
use crate::{Commit, Spec, Taken, Volume};

const SPEC: Spec = Spec { name: "test", stem: "listing", input: Some("txt"), output: None };
/// Of 2022.
const OLD: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn format() -> Format {
    SPEC.takes().unwrap()
}

/// A volume that keeps its inputs, without the way not to replace unless it has that.
fn volume(directory: &Path, no_replace: bool) -> Volume {
    let volume = Volume::with(directory, no_replace, true).unwrap();
    volume.archive_inputs(Path::new("done"), None).unwrap();
    volume
}

/// Takes a file, and has `meanwhile` done before it is put away.
fn done(volume: &Volume, name: &str, meanwhile: impl FnOnce(&Path, &Claim)) {
    std::fs::write(volume.root().join(name), name).unwrap();
    let Some(Taken::Ready(claim)) = take(volume, SPEC) else { panic!("nothing taken") };
    let Commit::Done(committed) = claim.begin().unwrap().commit().unwrap() else { panic!("it was written") };
    meanwhile(&volume.root().join("done"), &committed.claim);
    committed.publish().unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::names(directory).unwrap().iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_input_is_kept_under_its_batchs_name_and_replaces_nothing_that_has_it() {
    for no_replace in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let volume = volume(directory.path(), no_replace);
        let mut expected = Vec::new();
        for name in ["listing.txt", "listing-b.txt.gz"] {
            let end = name.trim_start_matches("listing-b").trim_start_matches("listing");
            done(&volume, name, |archive, claim| {
                for (taken, is_taken) in [("", true), ("-1", true), ("-2", false)] {
                    let kept = format!("listing-{}{taken}{end}", claim.name.batch);
                    if is_taken {
                        std::fs::write(archive.join(&kept), "another's").unwrap();
                    }
                    expected.push((kept, if is_taken { "another's" } else { name }));
                }
            });
        }
        expected.sort();
        let archive = directory.path().join("done");
        let read = |kept: String| {
            let content = std::fs::read_to_string(archive.join(&kept)).unwrap();
            (kept, content)
        };
        let kept: Vec<_> = names(&archive).into_iter().map(read).collect();
        assert!(kept.iter().map(|(kept, content)| (kept.clone(), content.as_str())).eq(expected), "{kept:?}");
    }
}

#[test]
fn a_rename_without_replacing_that_fails_in_use_keeps_the_input_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let volume = volume(directory.path(), true);
    done(&volume, "listing.txt", |_, _| fs::NO_REPLACE_FAILS.set(Some(rustix::io::Errno::INVAL)));
    fs::NO_REPLACE_FAILS.set(None);
    assert_eq!(names(&directory.path().join("done")).len(), 1);
}

#[test]
fn an_input_that_a_network_file_system_does_not_show_is_kept_and_not_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let volume = volume(directory.path(), true);
    done(&volume, "listing.txt", |_, _| fs::HIDDEN.set(Some("input")));
    fs::HIDDEN.set(None);
    assert_eq!(names(&directory.path().join("done")).len(), 1);
}

#[test]
fn a_directory_that_was_removed_is_made_anew_and_a_link_in_its_place_is_not_followed() {
    let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let volume = volume(directory.path(), true);
    let archive = directory.path().join("done");
    done(&volume, "listing.txt", |archive, _| fs::remove_directory(archive).unwrap());
    assert_eq!(names(&archive).len(), 1);

    fs::rename(&archive, &directory.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(outside.path(), &archive).unwrap();
    std::fs::write(directory.path().join("listing.txt"), "").unwrap();
    let Some(Taken::Ready(claim)) = take(&volume, SPEC) else { panic!("nothing taken") };
    let Commit::Done(committed) = claim.begin().unwrap().commit().unwrap() else { panic!("it was written") };
    let id = committed.id();
    committed.publish().unwrap_err();
    assert_eq!(names(outside.path()), Vec::<String>::new());
    let claim = volume.claims(SPEC).join(id);
    assert!(claim.join("input").exists() && claim.join("output").exists(), "it waits in its claim");
}

#[test]
fn what_a_stage_looks_through_and_what_is_not_there_keep_no_inputs() {
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let volume = Volume::open(directory.path()).unwrap();
    Volume::open(other.path()).unwrap();
    std::os::unix::fs::symlink(directory.path(), other.path().join("link")).unwrap();
    let link = other.path().join("link");
    for path in
        [Path::new("."), Path::new("rejected"), Path::new(".pipe/1/x"), directory.path(), other.path(), &link]
    {
        let error = volume.archive_inputs(path, None).unwrap_err();
        assert!(matches!(error, OpenError::ScannedArchive { .. }), "{}: {error:?}", path.display());
    }
    for path in ["../nowhere", "/nowhere", "listing/../../nowhere"] {
        let error = volume.archive_inputs(Path::new(path), None).unwrap_err();
        assert!(error.to_string().ends_with("nowhere` (--archive) cannot be found"), "{error}");
    }
    volume.archive_inputs(Path::new("done/text"), None).unwrap();
    assert!(directory.path().join("done/text").is_dir());
}

#[test]
fn a_directory_on_another_volume_keeps_no_inputs() {
    let directory = tempfile::tempdir().unwrap();
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return eprintln!("skipped: no /dev/shm") };
    let device = |path: &Path| std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(path).unwrap());
    if device(directory.path()) == device(elsewhere.path()) {
        return eprintln!("skipped: /dev/shm is no volume of its own");
    }
    let volume = Volume::open(directory.path()).unwrap();
    let error = volume.archive_inputs(elsewhere.path(), None).unwrap_err();
    assert!(error.to_string().contains("cannot take files from the data directory"), "{error}");
    assert_eq!(names(elsewhere.path()), Vec::<String>::new());
}

#[test]
fn files_are_as_old_as_their_names_say_and_others_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::open(directory.path(), Path::new("done"), Some(WEEK)).unwrap();
    let done = directory.path().join("done");
    let young = Uuid::now_v7();
    // Of batches that are too old, by whatever clock their files' times were given.
    let old =
        [format!("listing-{OLD}.txt"), format!("listing-{OLD}-1.txt"), format!("listing-{OLD}.txt.zst")];
    let left = [
        format!("listing-{young}.txt"),
        format!("listing-{OLD}.csv"),
        format!("other-{OLD}.txt"),
        format!("listing-{OLD}-x.txt"),
        format!("listing-{}.txt", OLD.to_uppercase()),
        format!("listing-{}.txt", OLD.replace("-7cc3", "-4cc3")),
        format!("listing-{OLD}.txt.reasons"),
        "listing-2022.txt".to_owned(),
        "listing.txt".to_owned(),
    ];
    for name in old.iter().chain(&left) {
        let file = std::fs::File::create(done.join(name)).unwrap();
        if name.contains(&young.to_string()) {
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
    }
    std::fs::create_dir(done.join(format!("listing-{OLD}-2.txt"))).unwrap();
    archive.delete_old(format(), Instant::now());
    let mut expected: Vec<_> = left.into_iter().chain([format!("listing-{OLD}-2.txt")]).collect();
    expected.sort();
    assert_eq!(names(&done), expected);
}

#[test]
fn no_look_deletes_more_than_so_many_and_a_pass_is_followed_by_a_pause() {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::open(directory.path(), Path::new("done"), Some(WEEK)).unwrap();
    let done = directory.path().join("done");
    let put = |number| std::fs::write(done.join(format!("listing-{OLD}-{number}.txt")), "").unwrap();
    (0..DELETED + 10).for_each(put);
    let start = Instant::now();
    archive.delete_old(format(), start);
    assert_eq!(names(&done).len(), 10);
    archive.delete_old(format(), start);
    assert_eq!(names(&done).len(), 0);
    put(0);
    archive.delete_old(format(), start + LONGEST_PAUSE - Duration::from_secs(1));
    assert_eq!(names(&done).len(), 1);
    archive.delete_old(format(), start + LONGEST_PAUSE);
    assert_eq!(names(&done).len(), 0);
}

#[test]
fn without_an_age_nothing_is_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let archive = Archive::open(directory.path(), Path::new("done"), None).unwrap();
    std::fs::write(directory.path().join(format!("done/listing-{OLD}.txt")), "").unwrap();
    archive.delete_old(format(), Instant::now());
    assert_eq!(names(&directory.path().join("done")).len(), 1);
}
