//! What happened how often.

use std::sync::Mutex;

/// Counters by name, in the order of the table.
pub(crate) struct Figures(Mutex<Vec<(String, u64)>>);

/// Those that are told even where they are 0.
const TABLE: [&str; 30] = [
    "files dropped by rename",
    "files written slowly in place",
    "files with bad lines",
    "files of a wrong clock",
    "listings by getdata",
    "records in",
    "delivered",
    "rejected",
    "of listings that died unfinished",
    "lost",
    "doubled between stages",
    "duplicates at the API",
    "duplicates allowed",
    "kills of getdata",
    "kills of text-to-csv",
    "kills of csv-to-json",
    "kills of json-to-api",
    "kills of api",
    "owners stopped",
    "of them of json-to-api",
    "owners revived after a takeover",
    "replicas restarted in order",
    "api pods added",
    "api pods removed",
    "wrong answers",
    "slow answers",
    "resets",
    "full-disk spells",
    "read-only spells",
    "clock jumps in file times",
];

impl Figures {
    pub(crate) fn new() -> Self {
        Figures(Mutex::new(TABLE.map(|name| (name.to_owned(), 0)).to_vec()))
    }

    /// Counts one more.
    pub(crate) fn count(&self, name: &str) {
        self.add(name, 1);
    }

    pub(crate) fn add(&self, name: &str, more: u64) {
        let mut figures = self.0.lock().unwrap();
        match figures.iter_mut().find(|(known, _)| known == name) {
            Some((_, figure)) => *figure += more,
            None => figures.push((name.to_owned(), more)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> u64 {
        self.0.lock().unwrap().iter().find(|(known, _)| known == name).map_or(0, |(_, figure)| *figure)
    }

    pub(crate) fn print(&self) {
        for (name, figure) in self.0.lock().unwrap().iter() {
            println!("{name:<36}{figure:>10}");
        }
    }
}
