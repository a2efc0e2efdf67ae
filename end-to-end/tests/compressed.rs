//! Compressed files through the real programs, and inputs that are kept.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and plays the people who drop files"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use end_to_end::{AtWork, DataDir, Packing, Recorder, Reply, Running, STAGES, run, stage, wait_for};
use rustix::process::Signal;

/// No file makes a stage need more, in bytes.
const MEMORY: u64 = 64 << 20;

/// The names and contents of the files in a directory, in the order of their names.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files: Vec<_> =
        paths.filter(|path| path.is_file()).map(|path| (name(&path), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

fn names(directory: &Path) -> Vec<String> {
    files(directory).into_iter().map(|(name, _)| name).collect()
}

/// What lies in `rejected/`: the only file with its content, and its reasons.
fn rejected(data: &DataDir) -> (String, Vec<u8>, String) {
    let files = files(&data.path().join("rejected"));
    let [(name, content), (reasons, why)] = files.as_slice() else { panic!("{:?}", files.len()) };
    assert_eq!(*reasons, format!("{name}.reasons"));
    (name.clone(), content.clone(), String::from_utf8(why.clone()).unwrap())
}

/// What an API got.
fn bodies(api: &Recorder) -> Vec<String> {
    api.posts().into_iter().map(|post| String::from_utf8(post.body).unwrap()).collect()
}

#[test]
fn compressed_files_go_the_whole_way_and_their_lines_are_rejected_as_text() {
    for packing in Packing::ALL {
        let (data, api, end) = (DataDir::new(), Recorder::start(), packing.suffix());
        let put = |name: &str, text: &str| data.put(&format!("{name}{end}"), packing.pack(text.as_bytes()));
        put("x.txt", "n=1\nnone\nn=2\n");
        put("x-a.csv", "name,year\nAda,1815\nGrace\n");
        put("x-b.json", "{\"json\":1}\n{half\n");
        let stem = ["--once", "--stem", "x"];
        run(&mut stage("text-to-csv", data.path(), &[&stem[..], &["--pattern", "n=(?<n>[0-9])"]].concat()));
        run(&mut stage("csv-to-json", data.path(), &[&stem[..], &["--header"]].concat()));
        let to = ["--api-url", &api.url(), "--concurrency", "1"];
        run(&mut stage("json-to-api", data.path(), &[&stem[..], &to].concat()));

        let mut came = bodies(&api);
        came.sort();
        let expected = [r#"{"json":1}"#, r#"{"n":"1"}"#, r#"{"n":"2"}"#, r#"{"name":"Ada","year":"1815"}"#];
        assert_eq!(came, expected);
        let lines = files(&data.path().join("rejected")).into_iter();
        let mut lines: Vec<_> = lines.filter(|(name, _)| !name.ends_with(".reasons")).collect();
        lines.sort_by_key(|(name, _)| name.rsplit('.').next().unwrap().to_owned());
        let expected = [("csv", "name,year\nGrace\n"), ("json", "{half\n"), ("txt", "none\n")];
        for ((name, content), (extension, expected)) in lines.into_iter().zip(expected) {
            assert!(name.ends_with(&format!(".{extension}")), "{name}: lines are no longer compressed");
            assert_eq!(String::from_utf8(content).unwrap(), expected);
        }
        assert_eq!(names(data.path()), Vec::<String>::new());
        assert!(data.in_hand().is_empty(), "{:?}", data.in_hand());
    }
}

#[test]
fn a_file_that_cannot_be_unpacked_gives_nothing_and_mended_and_moved_back_it_gives_all_once() {
    for (st, packing) in STAGES.iter().flat_map(|st| Packing::ALL.map(|packing| (st, packing))) {
        let data = DataDir::new();
        let work = AtWork::start(st, &data);
        // Far more than is read at once, so that much of it is made before it is known to be cut off.
        let whole = packing.pack(format!("{}no record\n", st.good.repeat(20_000)).as_bytes());
        let cut = &whole[..whole.len() - 3];
        data.put(&format!("{}{}", st.file("cut"), packing.suffix()), cut);
        data.put(&st.file("zz"), st.good);
        work.wait_for_good(1);
        wait_for("the end of the work", || data.in_hand().is_empty().then_some(()));
        let (name, content, why) = rejected(&data);
        assert_eq!(content, cut, "byte for byte");
        assert!(name.ends_with(&format!(".{}{}", st.input, packing.suffix())), "{name}");
        assert_eq!(why, "the compressed file is cut off\n");
        let log = work.running.log();
        assert!(
            log.contains(&format!("{}{}", st.file("cut"), packing.suffix())) && log.contains("cut off"),
            "{log}"
        );

        let rejects = data.path().join("rejected");
        fs::remove_file(rejects.join(format!("{name}.reasons"))).unwrap();
        fs::write(rejects.join(&name), &whole).unwrap();
        fs::rename(rejects.join(&name), data.path().join(&name)).unwrap();
        work.wait_for_good(20_001);
        wait_for("the end of the work", || data.in_hand().is_empty().then_some(()));
        let (name, content, _) = rejected(&data);
        assert_eq!(
            (content.as_slice(), name.ends_with(st.input)),
            (b"no record\n".as_slice(), true),
            "{name}"
        );
        work.running.stop();
    }
}

#[test]
fn a_bomb_is_refused_as_it_came_and_takes_little_memory() {
    let zeros = vec![0; 16 << 20];
    // A GiB in a MiB, and in less.
    for (packing, ratio) in [(Packing::Gzip, Some("50")), (Packing::Zstd, None)] {
        let bomb = packing.pack(&zeros).repeat(64);
        assert!(bomb.len() < 2 << 20, "{}", bomb.len());
        for st in &STAGES {
            let data = DataDir::new();
            data.put(&format!("{}{}", st.file(""), packing.suffix()), &bomb);
            data.put(&st.file("behind"), st.good);
            let work = AtWork::start_by(st, &data, |mut command| {
                command.args(ratio.iter().flat_map(|ratio| ["--max-ratio", ratio]));
                command
            });
            work.wait_for_good(1);
            wait_for("the end of the work", || data.in_hand().is_empty().then_some(()));
            let peak = work.running.peak_memory();
            println!("{}: {} MiB at most", st.name, peak >> 20);
            assert!(peak < MEMORY, "{} needed {} MiB", st.name, peak >> 20);
            let (_, content, why) = rejected(&data);
            assert!(content == bomb, "byte for byte");
            let ratio = ratio.unwrap_or("1000");
            let expected =
                format!("the compressed file unpacks to more than {ratio} times its size (--max-ratio)\n");
            assert_eq!(why, expected);
            work.running.stop();
        }
    }
}

#[test]
fn a_sender_killed_in_the_middle_of_a_compressed_file_sends_the_rest_under_the_same_keys() {
    const DOCUMENTS: usize = 5_000;
    for packing in Packing::ALL {
        // The first run is left hanging in the middle.
        let data = DataDir::new();
        let api = Recorder::with("api", |before, _| match before {
            2_500..2_564 => Reply::Hang,
            _ => Reply::Status(200),
        });
        let text: String = (0..DOCUMENTS).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        data.put(&format!("listing.json{}", packing.suffix()), packing.pack(text.as_bytes()));
        let url = api.url();
        let args = ["--api-url", &url, "--log-docs", "false", "--timeout", "1h"];
        let killed = Running::start(&mut stage("json-to-api", data.path(), &args));
        wait_for("a sender in the middle", || (api.count() >= 2_564).then_some(()));
        killed.end_by(Signal::KILL);
        run(&mut stage("json-to-api", data.path(), &[&["--once"], &args[..]].concat()));

        let posts = api.posts();
        let keys: BTreeSet<_> = posts.iter().map(|post| (&post.body, &post.key)).collect();
        assert_eq!(keys.len(), DOCUMENTS, "each document under one key, which no other has");
        assert_eq!(keys.iter().map(|(body, _)| *body).collect::<BTreeSet<_>>().len(), DOCUMENTS);
        assert!(posts.len() <= DOCUMENTS + 1_064, "{} sent twice", posts.len() - DOCUMENTS);
        assert!(posts.len() < 2 * DOCUMENTS - 1_000, "it began anew");
        assert!(data.in_hand().is_empty(), "{:?}", data.in_hand());
    }
}

#[test]
fn documents_of_a_compressed_file_that_wait_or_are_refused_late_are_what_they_were() {
    for packing in Packing::ALL {
        let data = DataDir::new();
        let tried = std::sync::Mutex::new(BTreeSet::new());
        let api = Recorder::with("api", move |_, post| {
            let is_first = tried.lock().unwrap().insert(post.key.clone());
            let is = |what: &str| String::from_utf8_lossy(&post.body).contains(what);
            match () {
                () if is("busy") && is_first => Reply::Status(503),
                () if is("refused") => Reply::Status(422),
                () => Reply::Status(200),
            }
        });
        let kind = |n: usize| ["taken", "busy", "refused", "busy, refused"][n % 4];
        // Long enough that an early line is not among what is unpacked last.
        let line = |n: usize| {
            format!("{{\"n\":{n},\"is\":\"{}\",\"x\":\"{}\"}}", kind(n), "y".repeat(n * 37 % 5_000))
        };
        let lines: Vec<_> = (0..200).map(line).collect();
        data.put(
            &format!("listing.json{}", packing.suffix()),
            packing.pack((lines.join("\r\n") + "\n").as_bytes()),
        );
        run(&mut stage("json-to-api", data.path(), &["--once", "--api-url", &api.url()]));
        let sent: BTreeSet<_> = bodies(&api).into_iter().collect();
        assert_eq!(sent, lines.iter().cloned().collect());
        let refused: Vec<_> =
            (0..200).filter(|n| kind(*n).contains("refused")).map(|n| format!("{}\r\n", lines[n])).collect();
        let expected =
            refused.concat().replacen(&format!("{}\r\n", lines[199]), &format!("{}\n", lines[199]), 1);
        let (_, content, why) = rejected(&data);
        assert_eq!(String::from_utf8(content).unwrap(), expected);
        assert_eq!(why.lines().count(), refused.len());
    }
}

#[test]
fn inputs_are_kept_as_they_came_for_as_long_as_they_are_to_be() {
    for st in &STAGES {
        let data = DataDir::new();
        let start = SystemTime::now();
        let packed = Packing::Gzip.pack(st.good.as_bytes());
        // Whatever its time: it may be a copy of something old.
        assert!(data.put_new(&format!("{}.gz", st.file("a")), &packed, SystemTime::UNIX_EPOCH));
        data.put(&st.file(""), st.good);
        let keep = |age: &'static str| {
            AtWork::start_by(st, &data, move |mut command| {
                command.args(["--archive", "done", "--archive-keep", age]);
                command
            })
        };
        let work = keep("7d");
        work.wait_for_good(2);
        let archive = data.path().join("done");
        wait_for("the end of the work", || data.in_hand().is_empty().then_some(()));
        let kept = files(&archive);
        let [(first, plain), (second, compressed)] = kept.as_slice() else { panic!("{kept:?}") };
        assert!(first.starts_with("listing-") && first.ends_with(&format!(".{}", st.input)), "{first}");
        assert!(second.starts_with("listing-") && second.ends_with(&format!(".{}.gz", st.input)), "{second}");
        assert_eq!((plain.as_slice(), compressed), (st.good.as_bytes(), &packed));
        work.running.stop();

        fs::write(archive.join("notes.txt"), "somebody's").unwrap();
        let work = keep("1s");
        wait_for("their end", || (names(&archive) == ["notes.txt"]).then_some(()));
        assert!(start.elapsed().unwrap() > Duration::from_secs(1));
        work.running.stop();
    }
}

#[test]
fn getdata_counts_compressed_listings_that_wait() {
    let data = DataDir::new();
    data.put("listing.txt.gz", "x");
    data.put("listing-1.txt.zst", "x");
    let list = |backlog: &str| {
        let root = tempfile::tempdir().unwrap();
        let args = ["--root", root.path().to_str().unwrap(), "--max-backlog", backlog];
        run(&mut stage("getdata", data.path(), &args));
        data.waiting("txt")
    };
    assert_eq!(list("2"), Vec::<String>::new());
    let [name] = &list("3")[..] else { panic!("nothing listed") };
    assert!(name.as_str() > "listing-1", "{name} is taken after what waits");
}

#[test]
fn settings_of_files_that_cannot_be_meant_are_refused_at_the_start() {
    let data = DataDir::new();
    for (args, status, why) in [
        (&["--max-ratio", "0"][..], 2, "0 is not in 1.."),
        (&["--archive-keep", "7d"], 2, "--archive <DIRECTORY>"),
        (&["--archive", "done", "--archive-keep", "0s"], 2, "longer than nothing"),
        (&["--archive", "."], 1, "would take for its own what is kept there"),
        (&["--archive", "rejected/done"], 1, "would take for its own what is kept there"),
        (&["--archive", "/proc/nowhere"], 1, "cannot be found"),
    ] {
        for st in &STAGES {
            let output = stage(st.name, data.path(), &[&["--once"], args].concat()).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(status), "{} {args:?}: {said}", st.name);
            assert!(said.contains(why), "{} {args:?}: {said}", st.name);
        }
    }
}
