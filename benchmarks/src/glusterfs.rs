//! The chain and one document on a network file system, beside what that costs by itself to put a file into its place.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use end_to_end::{Node, SharedVolume};
use tempfile::{TempDir, tempdir_in};

use crate::measure::{Cores, interleave, run as run_all};
use crate::place::{Place, system};
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit};
use crate::{chain, goals, input, one_document};

/// The renames on a document's way: claim, commit and publish of both conversions, and json-to-api's claim.
const RENAMES: usize = 7;
/// Files of the chain: each but the first is made of the one before.
const HAND_OVERS: usize = 3;
/// As large as a document.
const BYTES: [u8; 200] = [b'x'; 200];
/// Else what is dropped would have to stand still for a while.
const AT_ONCE: [&str; 2] = ["--settle", "0s"];

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let title = "GlusterFS";
    let bricks = place.directory()?;
    let Some(volume) = SharedVolume::start_on("the benchmarks on GlusterFS", bricks.path()) else {
        let about = "Not measured here: it needs root and the packages `glusterfs-server iproute2 faketime`.";
        return Ok(Section { title, about: about.to_owned(), ..Section::default() });
    };
    let volume = volume.path(Node::First);
    let (document, renames) = by_turns(place, &volume)?;
    let lines = place.scaled(100_000);
    let (chain, copies) = whole_chain(place, &volume, lines)?;
    Ok(Section {
        title,
        about: format!(
            "A volume of three replicas on this machine's disk, by a bridge, mounted through FUSE; `--settle 0s`, since its \
             clients cannot know a writer elsewhere. One document as above, by turns with {RENAMES} synced renames on that \
             volume, as many as the protocol does before the answer, each what `cp`, `fsync`, `mv` do: a file of 200 bytes is \
             made and synced, renamed to another directory, and that synced. The chain: {lines} lines dropped to the last \
             document counted by the api, and `cp`, `sync`, `mv` of these lines, once for each of its {HAND_OVERS} files."
        ),
        rows: vec![
            Row::ratio("one document", &document, format!("{RENAMES} synced renames"), &renames)
                .goal(goals::ONE_DOCUMENT_ON_GLUSTERFS),
            Row::ratio("whole chain", &chain, "`cp`, `sync`, `mv`, three times", &copies),
        ],
        commands: &[],
    })
}

fn by_turns(place: &Place, volume: &Path) -> anyhow::Result<(Samples, Samples)> {
    let mut renames = Renames::new(volume)?;
    one_document::by_turns(place, volume, &AT_ONCE, &mut || renames.run())
}

fn whole_chain(place: &Place, volume: &Path, lines: u64) -> anyhow::Result<(Samples, Samples)> {
    let text = place.root().join("lines.txt");
    input::write(lines, &text, None, None)?;
    let chain = &mut || chain::seconds(place, volume, &text, lines, &AT_ONCE);
    let copies = &mut || copies(volume, &text);
    let runs = interleave(place.rounds, [chain, copies])?;
    Ok(runs.map(|seconds| Samples::new(Unit::Seconds, seconds)).into())
}

fn copies(volume: &Path, text: &Path) -> anyhow::Result<f64> {
    let directory = tempdir_in(volume).context("failed to make a directory")?;
    let path = |name: &str| directory.path().join(name);
    let started = Instant::now();
    for name in ["listing.txt", "listing.csv", "listing.json"] {
        let mut commands = ["cp", "sync", "mv"].map(system);
        commands[0].args([text, &path("made")]);
        commands[1].arg(path("made"));
        commands[2].args([path("made"), path(name)]);
        run_all(Cores::Both, &mut commands)?;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// Two directories on the volume, and how often something was renamed from one to the other.
struct Renames {
    from: TempDir,
    to: TempDir,
    done: u64,
}

impl Renames {
    fn new(volume: &Path) -> anyhow::Result<Self> {
        let directory = || tempdir_in(volume).context("failed to make a directory");
        Ok(Renames { from: directory()?, to: directory()?, done: 0 })
    }

    fn run(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        for _ in 0..RENAMES {
            self.done += 1;
            self.one().context("failed to rename on the volume")?;
        }
        Ok(started.elapsed())
    }

    #[expect(clippy::disallowed_methods, reason = "it measures what a rename costs")]
    fn one(&self) -> std::io::Result<()> {
        let [from, to] = [&self.from, &self.to].map(|directory| directory.path().join(self.done.to_string()));
        let mut file = File::create(&from)?;
        file.write_all(&BYTES)?;
        file.sync_all()?;
        fs::rename(&from, &to)?;
        File::open(self.to.path())?.sync_all()
    }
}
