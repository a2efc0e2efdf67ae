//! What is remembered of the files that wait, from look to look.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use crate::complete::StabilityCheck;
use crate::names::PublicName;

/// What is remembered of one file.
#[derive(Debug)]
pub(super) struct Seen {
    /// When it was seen first. A file's own time says nothing here: another machine's clock may have given it.
    pub(super) since: Instant,
    pub(super) check: StabilityCheck,
    /// What was last said about it, so that it is said once.
    pub(super) complaint: Option<String>,
}

impl Seen {
    pub(super) fn at(since: Instant) -> Self {
        Seen { since, check: StabilityCheck::default(), complaint: None }
    }
}

/// The files that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    files: HashMap<PublicName, Seen>,
    /// How many were seen first at a time: those of one look share it, so that the oldest is found without going through
    /// all of a backlog.
    since: BTreeMap<Instant, usize>,
}

impl Waiting {
    /// Notes that a file is there.
    pub(super) fn see(&mut self, name: &PublicName, now: Instant) {
        if !self.files.contains_key(name) {
            self.put(name.clone(), Seen::at(now));
        }
    }

    pub(super) fn get(&self, name: &PublicName) -> Option<&Seen> {
        self.files.get(name)
    }

    /// Takes out what is remembered of a file, for as long as it is in hand.
    pub(super) fn take(&mut self, name: &PublicName) -> Option<Seen> {
        let seen = self.files.remove(name)?;
        self.forget(seen.since);
        Some(seen)
    }

    /// Puts it back.
    pub(super) fn put(&mut self, name: PublicName, seen: Seen) {
        *self.since.entry(seen.since).or_default() += 1;
        if let Some(earlier) = self.files.insert(name, seen) {
            self.forget(earlier.since);
        }
    }

    /// Forgets all files but these.
    pub(super) fn retain(&mut self, names: &BTreeSet<PublicName>) {
        let gone: Vec<_> = self.files.keys().filter(|name| !names.contains(*name)).cloned().collect();
        for name in gone {
            self.take(&name);
        }
    }

    /// Since when the one waits that waits longest.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.since.keys().next().copied()
    }

    fn forget(&mut self, since: Instant) {
        if let Some(files) = self.since.get_mut(&since) {
            *files -= 1;
            if *files == 0 {
                self.since.remove(&since);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn name(id: &str) -> PublicName {
        PublicName(Some(id.to_owned()))
    }

    #[test]
    fn the_oldest_is_the_first_seen_of_those_that_still_wait() {
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut waiting = Waiting::default();
        assert_eq!(waiting.oldest(), None);
        for id in ["a", "b"] {
            waiting.see(&name(id), first);
        }
        waiting.see(&name("c"), second);
        // Seen again is no younger.
        waiting.see(&name("a"), second);
        let taken = waiting.take(&name("b")).unwrap();
        assert_eq!((taken.since, waiting.oldest()), (first, Some(first)));
        waiting.put(name("b"), taken);
        waiting.retain(&BTreeSet::from([name("c"), name("d")]));
        assert_eq!(waiting.oldest(), Some(second));
        waiting.put(name("c"), Seen::at(first));
        assert_eq!(waiting.oldest(), Some(first), "put twice, it counts once");
        waiting.take(&name("c"));
        assert_eq!((waiting.oldest(), waiting.since.len()), (None, 0));
    }
}
