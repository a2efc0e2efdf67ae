//! getdata on a tree, beside `find -ls`.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::measure::{self, Cores, Usage, interleave};
use crate::place::{Place, system};
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit};
use crate::{check, goals};

/// Files in a directory of the tree.
const FILES: u64 = 100;

const ABOUT: &str = "A tree of 200,000 entries, 100 files or links in a directory, in the kernel's memory; the listing goes to \
    a file. The same two cores for each; getdata syncs what it wrote.";

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let tree = place.directory()?;
    let entries = plant(tree.path(), place.scaled(200_000) / (FILES + 1) + 1)?;
    let check = |file: &Path| {
        let found = check::lines("", file)?;
        ensure!(found == entries, "`{}` has {found} entries instead of {entries}", file.display());
        anyhow::Ok(())
    };
    let [ours, find] = interleave(
        place.rounds,
        [
            &mut || {
                let data = place.directory()?;
                let mut command = place.program("getdata");
                command.arg("--root").arg(tree.path()).arg("--data-dir").arg(data.path());
                let usage = measure::run(Cores::Both, &mut [command])?;
                check(&data.path().join("listing.txt"))?;
                Ok(usage)
            },
            &mut || {
                let directory = place.directory()?;
                let file = directory.path().join("found");
                let mut command = system("find");
                command.arg(tree.path()).arg("-ls").stdout(File::create(&file)?);
                let usage = measure::run(Cores::Both, &mut [command])?;
                check(&file)?;
                Ok(usage)
            },
        ],
    )?;
    let cpu = |runs: &[Usage]| Samples::of(runs, Unit::Seconds, Usage::cpu_seconds);
    Ok(Section {
        title: "Listing",
        about: ABOUT.to_owned(),
        rows: vec![Row::ratio("getdata", &cpu(&ours), "`find -ls`", &cpu(&find)).goal(goals::GETDATA)],
        commands: &[
            ("getdata", "getdata --root TREE --data-dir DIRECTORY"),
            ("find", "find TREE -ls > found"),
        ],
    })
}

/// Makes a tree of so many directories with something in each; returns how many entries it has, the root included.
fn plant(root: &Path, directories: u64) -> anyhow::Result<u64> {
    let made = || {
        for directory in 0..directories {
            let directory =
                root.join(format!("some-directory-{}", directory / 50)).join(format!("package-{directory}"));
            fs::create_dir_all(&directory)?;
            for file in 0..FILES {
                let path = directory.join(format!("a-file-of-some-name-{file:04}.txt"));
                if file % 10 == 0 { symlink("../somewhere", &path)? } else { drop(File::create(&path)?) }
            }
        }
        Ok::<_, std::io::Error>(())
    };
    made().with_context(|| format!("failed to make a tree in `{}`", root.display()))?;
    Ok(1 + directories.div_ceil(50) + directories * (1 + FILES))
}
