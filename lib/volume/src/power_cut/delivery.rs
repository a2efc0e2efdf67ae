//! The last stage's share: documents are sent, and a journal says which.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read as _;

use super::batch_file::is_refused;
use super::environment::{DocumentKey, Event};
use super::machine;
use super::worker::{lines, reject};
use crate::{Batch, Error, Journal};

/// So many documents are sent before they are recorded.
const UNSAVED: usize = 2;
/// More than what records that many.
const ROOM: u64 = 64;

/// Lines that were sent, counted from 0.
type Sent = BTreeSet<usize>;

/// Sends what the journal does not say was sent, and rejects what the API refuses; returns all that was sent.
pub(super) fn deliver(batch: &mut Batch, stage: usize) -> Result<Vec<DocumentKey>, Error> {
    let documents = lines(batch);
    let mut delivery = Delivery { sent: believed(batch)?, unsaved: Vec::new(), journal: None };
    delivery.begin_journal(batch)?;
    for (line, document) in documents.iter().enumerate() {
        if delivery.sent.contains(&line) {
            continue;
        }
        let key = (batch.key().to_owned(), line);
        machine::note(Event::Sent { key, document: document.clone() });
        delivery.sent.insert(line);
        delivery.unsaved.push(line);
        if delivery.unsaved.len() == UNSAVED {
            delivery.save(batch)?;
        }
    }
    for (line, document) in documents.iter().enumerate().filter(|(_, document)| is_refused(document, stage)) {
        reject(batch, line, document)?;
    }
    Ok(keys(batch, delivery.sent))
}

fn believed(batch: &Batch) -> Result<Sent, Error> {
    let mut journal = Vec::new();
    if let Some(mut file) = batch.journal()? {
        file.read_to_end(&mut journal).expect("memory can be read");
    }
    let journal = String::from_utf8_lossy(&journal).into_owned();
    let sent: Sent = journal.split_inclusive('\n').map_while(decode).collect();
    machine::note(Event::Believed(keys(batch, sent.iter().copied())));
    Ok(sent)
}

struct Delivery {
    sent: Sent,
    unsaved: Vec<usize>,
    journal: Option<Journal>,
}

impl Delivery {
    /// Makes a journal of what was recorded, with room for what comes: nothing is sent that cannot be recorded.
    fn begin_journal(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let saved = self.sent.iter().filter(|line| !self.unsaved.contains(line));
        let saved: String = saved.map(|line| encode(*line)).collect();
        let journal = batch.create_journal(&mut |journal| journal.write_all(saved.as_bytes()), ROOM)?;
        self.journal = Some(journal);
        Ok(())
    }

    /// Records what was sent since the last time; where that fails, in a new journal.
    fn save(&mut self, batch: &mut Batch) -> Result<(), Error> {
        if let Err(error) = self.append() {
            if error.is_fenced() {
                return Err(error);
            }
            self.begin_journal(batch)?;
            self.append()?;
        }
        batch.still_ours()?;
        machine::note(Event::Saved(keys(batch, std::mem::take(&mut self.unsaved))));
        Ok(())
    }

    fn append(&mut self) -> Result<(), Error> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let records: String = self.unsaved.iter().map(|line| encode(*line)).collect();
        journal.append(records.as_bytes())?;
        journal.reserve(ROOM)
    }
}

/// The keys of documents, by their lines.
fn keys(batch: &Batch, lines: impl IntoIterator<Item = usize>) -> Vec<DocumentKey> {
    lines.into_iter().map(|line| (batch.key().to_owned(), line)).collect()
}

fn encode(line: usize) -> String {
    format!("{line} {:x}\n", checksum(line))
}

fn decode(record: &str) -> Option<usize> {
    let (line, sum) = record.strip_suffix('\n')?.split_once(' ')?;
    let line = line.parse().ok()?;
    (sum == format!("{:x}", checksum(line))).then_some(line)
}

fn checksum(line: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}
