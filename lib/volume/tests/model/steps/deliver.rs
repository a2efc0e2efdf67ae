//! `journal.rs`, and json-to-api's use of it: one document a file.

use super::{Choice, Turn};
use crate::names::{Content, WHOLE};
use crate::place::{Own, Slot};
use crate::state::Pc;

impl Turn<'_> {
    pub(super) fn deliver(&mut self, pc: Pc, choice: Choice) {
        // A request needs no path.
        if !self.is_ours() && ![Pc::Post, Pc::WriteJournal].contains(&pc) {
            return self.release();
        }
        match pc {
            Pc::ReadJournal => self.read_journal(),
            Pc::Post => {
                self.post();
                self.go(if choice == Choice::Pass { Pc::MakeOutput } else { Pc::MakeJournal });
            }
            Pc::MakeJournal => self.make_own(Own::NewJournal, Pc::WriteJournal),
            Pc::WriteJournal => {
                self.write_own(Own::NewJournal);
                self.go(Pc::SyncJournal);
            }
            Pc::NameJournal => {
                self.rename(self.own(Own::NewJournal), self.own(Own::Journal));
                self.go(Pc::SyncJournalName);
            }
            _ => self.drop_older_journal(),
        }
    }

    /// `journal::newest`; what is torn says nothing
    fn read_journal(&mut self) {
        let owners = (1..=self.worker().generation).rev();
        let newest = owners.map(|owner| Slot::Own(Own::Journal, owner)).find(|slot| self.has(*slot));
        let said = newest.and_then(|slot| Content::of(self.state.disk.seen.get(self.at(slot))));
        let is_answered = said.is_some_and(|content| content.version == WHOLE);
        self.go(if is_answered { Pc::MakeOutput } else { Pc::Post });
    }

    /// The API answers. It may be asked twice only for what no journal says, and with the same key.
    fn post(&mut self) {
        let (file, claim, is_ours) = (usize::from(self.worker().file), self.worker().claim, self.is_ours());
        let had_fault = self.had_fault();
        let promises = &mut self.state.promises;
        if promises.answered[file] {
            if self.state.key[file] != claim {
                self.state.flaw = Some("a document is posted with two keys");
            } else if !had_fault {
                self.state.flaw = Some("a document is posted twice though nothing failed");
            } else if promises.journaled[file] && is_ours {
                self.state.flaw = Some("a document is posted again that a journal says is answered");
            }
        }
        promises.answered[file] = true;
        self.state.key[file] = claim;
    }

    /// `Journal::append`, the first: those before it
    fn drop_older_journal(&mut self) {
        self.state.promises.journaled[usize::from(self.worker().file)] = true;
        let mut owners = 1..self.worker().generation;
        match owners.find(|owner| self.has(Slot::Own(Own::Journal, *owner))) {
            Some(owner) => self.remove(self.at(Slot::Own(Own::Journal, owner))),
            None => self.go(Pc::MakeOutput),
        }
    }
}
