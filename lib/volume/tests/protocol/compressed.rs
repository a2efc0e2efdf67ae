//! Files whose names say that they are compressed: the protocol knows no more of them than that.

use std::fs;
use std::io::Write as _;

use volume::{Commit, Compression, Published, Taken, Volume};

use crate::support::{
    ID, SPEC, assert_nothing_in_hand, copy, directory, drain, drop_file, files, orphan, published, scanner,
    take, take_ready,
};

/// What lies in `rejected/`, by its name.
fn rejected(directory: &tempfile::TempDir) -> Vec<(String, String)> {
    let mut paths = files(&directory.path().join("rejected"));
    paths.sort();
    let name = |path: &String| path.rsplit('/').next().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn compressed_files_take_their_place_in_the_order_of_names() {
    let directory = directory();
    let names = [
        "listing.txt",
        "listing.txt.gz",
        "listing.txt.zst",
        "listing-a.txt",
        "listing-a.txt.zst",
        "listing-b.txt.gz",
    ];
    for name in names.iter().rev() {
        drop_file(&directory, name, name);
    }
    assert_eq!(Volume::open(directory.path()).unwrap().waiting(SPEC).unwrap(), names.len());
    let mut scanner = scanner(&directory);
    for name in names {
        let batch = copy(take_ready(&mut scanner));
        assert_eq!(batch.source(), Some(name));
        let compression = match name.rsplit('.').next() {
            Some("gz") => Compression::Gzip,
            Some("zst") => Compression::Zstd,
            _ => Compression::None,
        };
        assert_eq!(batch.compression(), compression, "{name}");
        let Commit::Done(committed) = batch.commit().unwrap() else { panic!("nobody writes to it") };
        committed.publish().unwrap();
    }
    assert_eq!(published(&directory), names);
    assert_nothing_in_hand(&directory);
}

#[test]
fn what_is_published_goes_behind_a_compressed_file_that_waits() {
    for waiting in ["listing.csv.gz", "listing-zzz.csv.zst"] {
        let directory = directory();
        drop_file(&directory, waiting, "x");
        drop_file(&directory, "listing.txt", "x");
        let Commit::Done(committed) = copy(take_ready(&mut scanner(&directory))).commit().unwrap() else {
            panic!("nobody writes to it")
        };
        let name = committed.publish().unwrap().name.unwrap();
        assert!(name.as_str() > "listing-" && name.ends_with(".csv"), "{name} behind {waiting}");
        let id = |name: &str| name.trim_start_matches("listing-").split('.').next().unwrap().to_owned();
        assert!(waiting == "listing.csv.gz" || id(&name) > id(waiting), "{name} behind {waiting}");
    }
}

#[test]
fn a_new_owner_knows_how_an_input_is_compressed() {
    for (file, compression) in [("input-gz", Compression::Gzip), ("input-zst", Compression::Zstd)] {
        let directory = directory();
        orphan(&directory, 1, &[("lock", ""), (file, "x"), ("output.1", "half")]);
        let batch = copy(take_ready(&mut scanner(&directory)));
        assert_eq!(batch.compression(), compression);
        drop(batch);
        assert_eq!(drain(&mut scanner(&directory)), 1);
        assert_eq!(published(&directory), ["x"]);
        assert_nothing_in_hand(&directory);
    }
}

#[test]
fn an_input_that_is_refused_lies_in_rejected_as_it_came_and_nothing_is_made_of_it() {
    for (name, end) in [("listing-a.txt.gz", ".gz"), ("listing.txt.zst", ".zst"), ("listing.txt", "")] {
        let directory = directory();
        drop_file(&directory, name, "packed");
        let mut batch = copy(take_ready(&mut scanner(&directory)));
        batch.rejected.start(1, "no record").unwrap();
        batch.rejected.piece(b"line").unwrap();
        batch.rejected.end().unwrap();
        let id = batch.id().split('.').next().unwrap().to_owned();
        let Commit::Done(committed) = batch.refuse("cut\noff").unwrap() else {
            panic!("nobody writes to it")
        };
        assert_eq!(committed.publish().unwrap(), Published { name: None });
        let file = format!("listing-{id}.txt{end}");
        let reasons = (format!("{file}.reasons"), "cut off\n".to_owned());
        assert_eq!(rejected(&directory), [(file, "packed".to_owned()), reasons]);
        assert_eq!(published(&directory), Vec::<String>::new());
        assert_nothing_in_hand(&directory);
    }
}

#[test]
fn an_input_that_is_written_while_it_is_refused_is_read_anew() {
    let directory = directory();
    drop_file(&directory, "listing.txt.gz", "half");
    let batch = copy(take_ready(&mut scanner(&directory)));
    let input =
        files(&directory.path().join(".pipe")).into_iter().find(|file| file.ends_with("input-gz")).unwrap();
    let mut writer = fs::File::options().append(true).open(input).unwrap();
    writer.write_all(b" and the rest").unwrap();
    drop(writer);
    assert!(matches!(batch.refuse("cut off").unwrap(), Commit::Changed(_)));
    assert_eq!(rejected(&directory), []);
    assert_eq!(drain(&mut scanner(&directory)), 1);
    assert_eq!(published(&directory), ["half and the rest"]);
    assert_nothing_in_hand(&directory);
}

#[test]
fn a_refusal_is_carried_on_from_wherever_its_owner_died() {
    let why = |end: &str| (format!("listing-{ID}.txt{end}.reasons"), "why".to_owned());
    let whole = |end: &str| (format!("listing-{ID}.txt{end}"), "packed".to_owned());
    for (end, in_claim) in [(".gz", "-gz"), (".zst", "-zst"), ("", "")] {
        let directory = directory();
        let [file, reasons] = ["rejected", "reasons"].map(|file| format!("{file}{in_claim}"));
        let left = [("lock", ""), (&file, "packed"), (&reasons, "why"), ("journal.1.0", "x")];
        orphan(&directory, 1, &left);
        assert!(matches!(take(&mut scanner(&directory)), Some(Taken::Committed(_))));
        assert_eq!(drain(&mut scanner(&directory)), 0);
        assert_eq!(rejected(&directory), [whole(end), why(end)]);
        assert_nothing_in_hand(&directory);
    }
    // One of the two is there already.
    for (left, there) in [(("rejected-gz", "packed"), why(".gz")), (("reasons-gz", "why"), whole(".gz"))] {
        let directory = directory();
        orphan(&directory, 1, &[("lock", ""), left]);
        fs::write(directory.path().join("rejected").join(there.0), there.1).unwrap();
        assert_eq!(drain(&mut scanner(&directory)), 0);
        assert_eq!(rejected(&directory), [whole(".gz"), why(".gz")]);
        assert_nothing_in_hand(&directory);
    }
}
