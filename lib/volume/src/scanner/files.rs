//! New files: looked at, claimed, and judged once more.

use std::time::Instant;

use tracing::warn;

use super::Scanner;
use super::pass::Pass;
use super::waiting::Seen;
use crate::claim::{Claim, Take};
use crate::complete::Completeness;
use crate::error::Error;
use crate::links;
use crate::names::PublicName;
use crate::self_test;

impl Scanner {
    pub(super) fn next_file(&mut self, pass: &mut Pass) -> Result<Option<Claim>, Error> {
        // They take their place in the order at once. None is told of that a scan from here on could miss.
        let news = self.volume.take_news();
        if self.scanned.is_none_or(|at| pass.now >= at + self.rescan) {
            self.rescan(pass.now)?;
        } else if self.queue.is_empty() {
            self.scan(pass.now)?;
        } else {
            news.iter().for_each(|name| self.seen.see(name, pass.now));
            self.queue.extend(news);
        }
        while let Some(name) = self.queue.pop_first() {
            if let Some(claim) = self.try_file(&name, pass)? {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }

    /// Reads the directory, or what is known of it.
    fn scan(&mut self, now: Instant) -> Result<(), Error> {
        self.queue = self.volume.with_names(self.input, |names| names.clone())?;
        self.waiting = self.queue.len();
        self.seen.retain(&self.queue);
        self.queue.iter().for_each(|name| self.seen.see(name, now));
        Ok(())
    }

    /// Reads the directory in case no event came, and tidies up what else nobody may have in hand.
    fn rescan(&mut self, now: Instant) -> Result<(), Error> {
        self.volume.forget_names();
        self.scan(now)?;
        self.scanned = Some(now);
        self_test::clean_up(self.volume.root());
        Ok(())
    }

    fn try_file(&mut self, name: &PublicName, pass: &mut Pass) -> Result<Option<Claim>, Error> {
        let path = self.volume.root().join(self.input.file_name(name));
        let look = match links::look(&self.volume, &path, self.input) {
            Ok(look) => look,
            Err(error) => {
                self.complain(name, format!("cannot be looked at: {error}"), pass.now);
                return Ok(None);
            }
        };
        let mut seen = self.seen.take(name).unwrap_or_else(|| Seen::at(pass.now));
        match seen.check.judge(look, pass.now, self.settle) {
            Completeness::Take(_) => return self.take(name, seen, pass),
            Completeness::Wait { until } => {
                pass.again(until);
                self.seen.put(name.clone(), seen);
            }
            Completeness::Leave(reason) => {
                self.seen.put(name.clone(), seen);
                self.complain(name, reason, pass.now);
            }
            Completeness::Gone => {}
        }
        Ok(None)
    }

    /// Claims a file and judges it once more: only now can nobody put another in its place.
    pub(super) fn take(
        &mut self,
        name: &PublicName,
        seen: Seen,
        pass: &mut Pass,
    ) -> Result<Option<Claim>, Error> {
        let empty = pass.spare.take().map_or_else(|| Claim::create(&self.volume, self.spec), Ok)?;
        match empty.take(self.input, name) {
            Ok(Take::Taken(mut claim)) => {
                claim.seen = seen.since;
                self.deferred.push((claim, seen.check));
                return Ok(self.next_deferred(pass));
            }
            Ok(Take::Gone(spare)) => pass.spare = Some(spare),
            Ok(Take::Refused(spare, error)) => {
                pass.spare = Some(spare);
                self.seen.put(name.clone(), seen);
                self.complain(name, format!("cannot be moved: {error}"), pass.now);
            }
            // The next file may do: it is told if there is none.
            Err(error) => {
                self.seen.put(name.clone(), seen);
                pass.unless_failed::<()>(Err(error));
            }
        }
        Ok(None)
    }

    fn complain(&mut self, name: &PublicName, reason: String, now: Instant) {
        let mut seen = self.seen.take(name).unwrap_or_else(|| Seen::at(now));
        if seen.complaint.as_deref() != Some(&reason) {
            warn!(file = self.input.file_name(name), "left alone: it {reason}");
            seen.complaint = Some(reason);
        }
        self.seen.put(name.clone(), seen);
    }
}
