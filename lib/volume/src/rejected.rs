//! The lines that a stage refused, byte for byte, and their reasons beside them.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use crate::claim::Claim;
use crate::claim_directory::{REASONS, REJECTED};
use crate::error::{Context, Error};
use crate::output::Output;
use crate::publish;

/// So many reasons stand beside their line numbers.
const LISTED: u64 = 1_000;
/// Reasons may take as much room as what was rejected, and this much where that is less.
const LEAST_ROOM: u64 = 64 << 10;
/// So many kinds of reasons are counted, each told by so many characters.
const KINDS: usize = 100;
const KIND: usize = 200;
const OTHERS: &str = "other reasons";

/// The two files of a batch's rejected lines, made when the first is rejected.
///
/// A line is begun with [`start`](Self::start), given in pieces and ended with [`end`](Self::end).
/// The reasons hold a line each: the line's number in the input, a colon, the reason. Where there are too many for that,
/// a line for each kind of reason follows: how many lines it concerns, and the reason.
#[derive(Debug)]
pub struct RejectFiles {
    lines: BufWriter<Output>,
    /// So many bytes.
    rejected: u64,
    reasons: Reasons,
}

/// The second file.
#[derive(Debug)]
struct Reasons {
    output: BufWriter<Output>,
    written: u64,
    listed: u64,
    are_all_listed: bool,
    kinds: BTreeMap<String, u64>,
}

impl RejectFiles {
    pub(crate) fn new(claim: &Claim) -> Self {
        let create = |file| BufWriter::new(Output::new(claim.directory.join(&claim.own(file))));
        let (output, kinds) = (create(REASONS), BTreeMap::new());
        let reasons = Reasons { output, written: 0, listed: 0, are_all_listed: true, kinds };
        RejectFiles { lines: create(REJECTED), rejected: 0, reasons }
    }

    /// Begins a rejected line; `line` counts from 1.
    ///
    /// # Errors
    /// The volume's error, wrapped: see [`Error::unwrap_io`].
    pub fn start(&mut self, line: u64, reason: &str) -> io::Result<()> {
        let reason = one_line(reason);
        self.reasons.add(line, &reason, self.rejected.max(LEAST_ROOM))
    }

    /// Adds to the line begun.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rejected += bytes.len() as u64;
        self.lines.write_all(bytes)
    }

    /// Ends the line begun.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn end(&mut self) -> io::Result<()> {
        self.piece(b"\n")
    }

    /// Makes the reason why the input is refused as a whole durable, and gives it its name in the claim.
    pub(crate) fn name_reason(mut self, claim: &Claim, reason: &str) -> Result<(), Error> {
        let own = claim.directory.join(&claim.own(REASONS));
        let reason = one_line(reason);
        writeln!(self.reasons.output, "{reason}").map_err(|error| Error::of_writer(error, &own))?;
        name(self.reasons.output, claim, REASONS, claim.compression.reasons())
    }

    /// Makes both files durable and gives them their names in the claim; returns whether there are any.
    pub(crate) fn name(mut self, claim: &Claim) -> Result<bool, Error> {
        if self.rejected == 0 {
            return Ok(false);
        }
        let reasons = claim.directory.join(&claim.own(REASONS));
        self.reasons.sum_up().map_err(|error| Error::of_writer(error, &reasons))?;
        for (output, file) in [(self.reasons.output, REASONS), (self.lines, REJECTED)] {
            name(output, claim, file, file)?;
        }
        Ok(true)
    }
}

/// A reason is one line, whatever it quotes.
fn one_line(reason: &str) -> String {
    reason.replace(|c: char| c.is_control(), " ")
}

/// Makes a file of the owner's durable, and gives it its name in the claim.
fn name(output: BufWriter<Output>, claim: &Claim, file: &str, to: &str) -> Result<(), Error> {
    let own = claim.directory.join(&claim.own(file));
    let output = output.into_inner().map_err(|error| Error::of_writer(error.into_error(), &own))?;
    output.sync()?;
    publish::rename(&own, &claim.directory.join(to)).act("rename", &own)
}

impl Reasons {
    fn add(&mut self, line: u64, reason: &str, room: u64) -> io::Result<()> {
        let listed = format!("{line}: {reason}\n");
        let is_listed = self.listed < LISTED && self.written + listed.len() as u64 <= room;
        let kind: String = reason.chars().take(KIND).collect();
        let kind =
            if self.kinds.len() < KINDS || self.kinds.contains_key(&kind) { kind } else { OTHERS.to_owned() };
        *self.kinds.entry(kind).or_default() += 1;
        if !is_listed {
            self.are_all_listed = false;
            return Ok(());
        }
        self.listed += 1;
        self.written += listed.len() as u64;
        self.output.write_all(listed.as_bytes())
    }

    /// What is not told of each line is told of all.
    fn sum_up(&mut self) -> io::Result<()> {
        if self.are_all_listed {
            return Ok(());
        }
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|(_, lines)| std::cmp::Reverse(**lines));
        kinds.iter().try_for_each(|(kind, lines)| writeln!(self.output, "{lines} lines: {kind}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::SYNC_EVERY;
    use crate::{Spec, Volume};

    const SPEC: Spec = Spec { name: "test", stem: "listing", input: Some("txt"), output: None };

    fn reasons_of(lines: u64, reason: impl Fn(u64) -> String) -> (u64, String) {
        let directory = tempfile::tempdir().unwrap();
        let claim = Claim::create(&Volume::open(directory.path()).unwrap(), SPEC).unwrap();
        let mut files = RejectFiles::new(&claim);
        for line in 1..=lines {
            files.start(line, &reason(line)).unwrap();
            files.piece(b"x").unwrap();
            files.end().unwrap();
        }
        assert!(files.name(&claim).unwrap());
        let rejected = std::fs::metadata(claim.directory.join(REJECTED)).unwrap().len();
        (rejected, std::fs::read_to_string(claim.directory.join(REASONS)).unwrap())
    }

    #[test]
    fn reasons_of_a_wrong_file_take_no_more_room_than_its_lines() {
        let reason = |line| if line % 4 == 0 { "expected a date" } else { "expected a mode" }.to_owned();
        let (rejected, reasons) = reasons_of(100_000, reason);
        assert!(reasons.len() as u64 <= rejected, "{} of {rejected}", reasons.len());
        assert_eq!(reasons.lines().take(1_000).last(), Some("1000: expected a date"));
        let kinds: Vec<_> = reasons.lines().skip(1_000).collect();
        assert_eq!(kinds, ["75000 lines: expected a mode", "25000 lines: expected a date"]);
    }

    #[test]
    fn what_is_rejected_is_synced_on_the_way() {
        let directory = tempfile::tempdir().unwrap();
        let claim = Claim::create(&Volume::open(directory.path()).unwrap(), SPEC).unwrap();
        let (mut files, piece) = (RejectFiles::new(&claim), vec![b'x'; 1 << 20]);
        for _ in 0..(SYNC_EVERY >> 20) + 1 {
            files.piece(&piece).unwrap();
        }
        assert!(files.lines.get_ref().unsynced() < SYNC_EVERY);
    }

    #[test]
    fn reasons_that_are_all_different_or_long_are_bounded_too() {
        let (_, reasons) = reasons_of(100_000, |line| format!("byte {line} is wrong"));
        assert_eq!(reasons.lines().count(), 1_000 + KINDS + 1);
        assert!(reasons.contains(&format!("{} lines: {OTHERS}\n", 100_000 - KINDS)));
        let (_, reasons) = reasons_of(1_000, |_| "y".repeat(10_000));
        assert!((reasons.len() as u64) < LEAST_ROOM + 1_000);
    }
}
