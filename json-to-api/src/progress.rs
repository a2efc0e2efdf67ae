//! How far a batch has come, durably: kept in its journal, from owner to owner.

use std::io::{self, BufReader, BufWriter, Read, Write};

use stage::ProcessError;
use volume::{Batch, Journal, JournalReader};

use crate::document::{Increment, LineSet, Refusal};
use crate::journal::{self, Record};

/// What is durable about a batch.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Lines about which nothing is left to do.
    answered: LineSet,
    /// How many of them go into `rejected/`; which ones and why stands in the journal.
    refused: u64,
}

impl Progress {
    /// Reads what earlier owners have left; nothing is written yet.
    ///
    /// # Errors
    /// The journal cannot be read. A damaged one is none: what it says before the damage counts.
    pub(crate) fn read(batch: &Batch) -> Result<Self, ProcessError> {
        let mut progress = Progress::default();
        let Some(journal) = batch.journal()? else { return Ok(progress) };
        for record in journal::records(BufReader::new(journal)) {
            if let Record::Answered(ranges) = record? {
                progress.answered.extend(ranges);
            }
        }
        // Once more: which refusals count is known only now.
        let refusals = batch.journal()?.into_iter().flat_map(|journal| progress.refusals(journal));
        progress.refused = refusals.map(|refusal| refusal.map(|_| 1)).sum::<io::Result<u64>>()?;
        Ok(progress)
    }

    /// Lines about which nothing is left to do.
    pub(crate) fn answered(&self) -> &LineSet {
        &self.answered
    }

    /// Whether nothing is left to do about any line up to the last.
    pub(crate) fn is_complete(&self, last_line: u64) -> bool {
        last_line == 0 || self.answered.gaps(&(1..=last_line)).next().is_none()
    }

    /// How many lines go into `rejected/`.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Makes a journal that will say what is known so far once something is appended to it; nothing is ever appended to
    /// one that an earlier owner made, or that failed. It has room for `room` bytes more.
    ///
    /// # Errors
    /// It could not be made; what was durable before still is.
    pub(crate) fn create_journal(&self, batch: &mut Batch, room: u64) -> Result<Journal, ProcessError> {
        let mut older = batch.journal()?;
        Ok(batch.create_journal(&mut |file| self.write(older.take(), file), room)?)
    }

    fn write(&self, older: Option<JournalReader>, file: &mut dyn Write) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(64 << 10, file);
        let mut bytes = Vec::new();
        let mut copied = 0;
        for refusal in older.into_iter().flat_map(|older| self.refusals(older)) {
            bytes.clear();
            journal::encode_refusal(&refusal?, &mut bytes);
            file.write_all(&bytes)?;
            copied += 1;
        }
        self.expect(copied)?;
        bytes.clear();
        journal::encode_answered(&self.answered, &mut bytes);
        file.write_all(&bytes)?;
        file.flush()
    }

    /// Notes that an increment is durable.
    pub(crate) fn add(&mut self, increment: Increment) {
        self.refused += increment.refusals.len() as u64;
        self.answered.extend(increment.answered);
    }

    /// The refusals in a journal that count. What stands in it of a save that failed, or was cut off, does not: its
    /// lines are not among those answered.
    pub(crate) fn refusals(&self, journal: impl Read) -> impl Iterator<Item = io::Result<Refusal>> {
        journal::records(BufReader::new(journal)).filter_map(|record| match record {
            Ok(Record::Refused(refusal)) if self.answered.contains(&refusal.place.line) => Some(Ok(refusal)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// Checks that as many refusals were found in the journal as went into it: a rejected line must not get lost.
    ///
    /// # Errors
    /// The journal was damaged since: the next owner reads what is left of it.
    pub(crate) fn expect(&self, found: u64) -> io::Result<()> {
        if found == self.refused {
            return Ok(());
        }
        let what = format!("{found} rejected lines are in the journal, {} should be", self.refused);
        Err(io::Error::new(io::ErrorKind::InvalidData, what))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use tempfile::TempDir;
    use volume::{Next, Scanner, Spec, Taken, Volume};

    use super::*;
    use crate::document::Place;

    const SPEC: Spec = Spec { name: "json-to-api", stem: "listing", input: Some("json"), output: None };

    fn directory() -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("listing.json"), "{}\n").unwrap();
        directory
    }

    /// Takes the batch, or takes it over from whoever dropped it.
    fn batch(directory: &TempDir) -> Batch {
        let volume = Volume::open(directory.path()).unwrap();
        let mut scanner = Scanner::new(volume, SPEC, Duration::ZERO, Duration::ZERO);
        match scanner.next(Instant::now()).unwrap() {
            Next::Taken(Taken::Ready(claim)) => claim.begin().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn increment(lines: std::ops::RangeInclusive<u64>, refused: &[u64]) -> Increment {
        let refuse =
            |line: &u64| Refusal::new(Place { line: *line, offset: 0, length: 2 }, format!("reason {line}"));
        let mut increment =
            Increment { refusals: refused.iter().map(refuse).collect(), ..Increment::default() };
        increment.answered.insert(lines);
        increment
    }

    fn encoded(increment: &Increment) -> Vec<u8> {
        let mut bytes = Vec::new();
        journal::encode(increment, &mut bytes);
        bytes
    }

    /// Makes a journal that says what is known, and the increment besides.
    fn create(progress: &mut Progress, batch: &mut Batch, increment: &Increment) -> Journal {
        let mut journal = progress.create_journal(batch, 1 << 10).unwrap();
        journal.append(&encoded(increment)).unwrap();
        progress.add(increment.clone());
        journal
    }

    fn refused(progress: &Progress, batch: &Batch) -> Vec<u64> {
        let journal = batch.journal().unwrap().unwrap();
        progress.refusals(journal).map(|refusal| refusal.unwrap().place.line).collect()
    }

    fn journals(directory: &TempDir) -> Vec<PathBuf> {
        let claims = fs::read_dir(directory.path().join(".pipe/1/json-to-api")).unwrap();
        let files = claims.flat_map(|claim| fs::read_dir(claim.unwrap().path()).unwrap());
        let paths = files.map(|file| file.unwrap().path());
        paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("journal")).collect()
    }

    #[test]
    fn the_next_owner_knows_what_was_saved_and_hands_it_on_in_turn() {
        let directory = directory();
        let mut first = batch(&directory);
        let mut progress = Progress::read(&first).unwrap();
        assert!(progress.answered().is_empty());
        let saved = increment(1..=10, &[3, 7]);
        let mut journal = create(&mut progress, &mut first, &saved);
        journal.append(&encoded(&increment(12..=20, &[15]))).unwrap();
        drop((first, journal));

        let mut second = batch(&directory);
        let mut progress = Progress::read(&second).unwrap();
        assert_eq!(progress.answered().iter().cloned().collect::<Vec<_>>(), [1..=10, 12..=20]);
        assert_eq!((progress.refused(), refused(&progress, &second)), (3, vec![3, 7, 15]));
        let saved = increment(11..=11, &[11]);
        create(&mut progress, &mut second, &saved);
        assert_eq!(refused(&progress, &second), [3, 7, 15, 11]);
        assert_eq!(journals(&directory).len(), 1);
        drop(second);

        let third = batch(&directory);
        let progress = Progress::read(&third).unwrap();
        assert!(progress.is_complete(20));
        assert_eq!(progress.refused(), 4);
    }

    #[test]
    fn what_a_failed_save_has_left_counts_neither_twice_nor_without_its_lines() {
        let directory = directory();
        let mut batch = batch(&directory);
        let mut progress = Progress::default();
        let saved = increment(1..=10, &[3]);
        create(&mut progress, &mut batch, &saved);
        // Some of it reached the disk all the same.
        let failed = increment(11..=20, &[12, 14]);
        let mut journal = OpenOptions::new().append(true).open(&journals(&directory)[0]).unwrap();
        journal.write_all(&encoded(&failed)).unwrap();

        create(&mut progress, &mut batch, &failed);
        assert_eq!((progress.refused(), refused(&progress, &batch)), (3, vec![3, 12, 14]));
    }

    #[test]
    fn a_journal_that_lost_a_refusal_is_not_carried_on() {
        let directory = directory();
        let mut batch = batch(&directory);
        let mut progress = Progress::default();
        let saved = increment(1..=10, &[3, 4]);
        create(&mut progress, &mut batch, &saved);
        let path = &journals(&directory)[0];
        let content = fs::read(path).unwrap();
        // Behind its end there is room.
        let content = &content[..content.iter().rposition(|byte| *byte != 0).unwrap() + 1];
        fs::write(path, &content[..content.len() - encoded(&increment(1..=10, &[4])).len()]).unwrap();
        assert!(progress.create_journal(&mut batch, 0).is_err());
    }

    #[test]
    fn a_journal_of_another_content_does_not_count() {
        let directory = directory();
        let mut first = batch(&directory);
        create(&mut Progress::default(), &mut first, &increment(1..=1, &[]));
        drop(first);
        let input = journals(&directory)[0].with_file_name("input");
        fs::write(input, "{}\n{}\n").unwrap();
        assert!(Progress::read(&batch(&directory)).unwrap().answered().is_empty());
    }
}
