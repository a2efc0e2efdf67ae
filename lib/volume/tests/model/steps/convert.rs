//! `scanner.rs`, `batch.rs`, `rejected.rs`: from the input's judgement to the commit.

use super::{CONVERT, DELIVER, Turn};
use crate::disk::Change;
use crate::mutations::Mutation;
use crate::names::{PARTIAL, WHOLE};
use crate::place::{Own, Slot};
use crate::state::Pc;

impl Turn<'_> {
    pub(super) fn convert(&mut self, pc: Pc) {
        // What was opened needs no path.
        if !self.is_ours() && pc != Pc::Write {
            return self.release();
        }
        match pc {
            // `Scanner::take`, `judge_orphan`, `next_deferred`: who has it open is waited for
            Pc::Judge => {
                self.me().judged = self.version();
                self.go(Pc::Clear);
            }
            Pc::Clear => self.clear_for_begin(),
            Pc::Read => self.read(),
            Pc::MakeOutput => self.make_output(),
            Pc::MakeRejected => self.make_own(Own::Rejected, Pc::MakeReasons),
            Pc::MakeReasons => self.make_own(Own::Reasons, Pc::Write),
            Pc::Write => self.write(),
            Pc::NameReasons => self.name(Own::Reasons, Slot::Reasons, Pc::SyncRejected),
            Pc::NameRejected => self.name(Own::Rejected, Slot::Rejected, Pc::SyncOutput),
            Pc::LookAgain => self.look_again(),
            Pc::Commit => self.commit(),
            other => unreachable!("{other:?} is no step of the conversion"),
        }
    }

    /// Size and time of the input.
    fn version(&self) -> u8 {
        self.state.version(usize::from(self.worker().file))
    }

    fn has_rejects(&self) -> bool {
        let me = self.worker();
        // A person's half written line cannot be read; the whole one can.
        me.stage == CONVERT && me.file == 0 && me.read == 1
    }

    /// `Claim::begin`: `clear_attempt`, a file at a time
    fn clear_for_begin(&mut self) {
        if let Some(slot) = self.left_over(true) {
            self.me().was_cleared = true;
            return self.remove(self.at(slot));
        }
        self.go(Pc::Read);
    }

    /// `ClaimDirectory::clear`: what it finds first; `begins`: but for input and journal
    pub(super) fn left_over(&self, begins: bool) -> Option<Slot> {
        let kinds: &[Own] = if begins {
            &[Own::Output, Own::Rejected, Own::Reasons]
        } else {
            &[Own::Output, Own::Rejected, Own::Reasons, Own::Journal, Own::NewJournal]
        };
        let owners = 1..=self.worker().generation;
        let own = kinds.iter().flat_map(|own| owners.clone().map(|owner| Slot::Own(*own, owner)));
        let named = [Slot::Output, Slot::Rejected, Slot::Reasons];
        let input = Some(Slot::Input).filter(|_| !begins);
        input.into_iter().chain(named).chain(own).find(|slot| self.has(*slot))
    }

    /// `Claim::begin`: `fs::open`, and all of the reading
    fn read(&mut self) {
        if !self.has(Slot::Input) {
            return self.release();
        }
        let version = self.version();
        self.me().read = version;
        if self.worker().judged == 0 {
            self.me().judged = version;
        }
        let deliver = self.worker().stage == DELIVER;
        self.go(if deliver { Pc::ReadJournal } else { Pc::MakeOutput });
    }

    /// `Output::file`: `NewFile::create`
    fn make_output(&mut self) {
        let next = if self.has_rejects() { Pc::MakeRejected } else { Pc::Write };
        self.make_own(Own::Output, next);
    }

    pub(super) fn make_own(&mut self, own: Own, next: Pc) {
        let place = self.own(own);
        if !self.is_ours() || self.state.disk.seen.has(place) {
            return self.release();
        }
        self.put(place, self.content(PARTIAL));
        self.go(next);
    }

    /// What `Output` and `RejectFiles` write, and that nobody reads yet
    fn write(&mut self) {
        self.write_own(Own::Output);
        if !self.has_rejects() {
            return self.go(Pc::SyncOutput);
        }
        self.write_own(Own::Reasons);
        self.write_own(Own::Rejected);
        self.go(Pc::SyncReasons);
    }

    pub(super) fn write_own(&mut self, own: Own) {
        let place = self.own(own);
        if self.state.disk.seen.has(place) {
            let content = self.content(WHOLE);
            self.state.disk.change(Change::Content(place, content));
        }
    }

    /// `RejectFiles::name`: `publish::rename`
    fn name(&mut self, own: Own, slot: Slot, next: Pc) {
        let from = self.own(own);
        if !self.state.disk.seen.has(from) {
            return self.release();
        }
        self.rename(from, self.at(slot));
        self.go(next);
    }

    /// `Batch::commit`: `look_at_input`
    fn look_again(&mut self) {
        if !self.has(Slot::Input) {
            return self.release();
        }
        let file = usize::from(self.worker().file);
        let is_seen_open = self.protocol.leases && self.state.has_open(file);
        if is_seen_open || self.version() != self.worker().judged {
            // `Commit::Changed`: held, and judged anew.
            self.me().judged = 0;
            return self.go(Pc::Judge);
        }
        if self.protocol.lacks(Mutation::InputUntilCommit) {
            self.remove(self.at(Slot::Input));
        }
        let rests_on_names = self.has_rejects() || self.worker().was_cleared;
        self.go(if rests_on_names { Pc::SyncBeforeCommit } else { Pc::Commit });
    }

    /// `Claim::commit`: `publish::rename`
    fn commit(&mut self) {
        let (from, me) = (self.own(Own::Output), self.worker());
        if !self.state.disk.seen.has(from) {
            return self.release();
        }
        let file = usize::from(me.file);
        if me.stage == CONVERT {
            if me.read != self.version() {
                self.state.flaw = Some("a file was converted that was not complete");
            }
            self.state.promises.refused[file] = self.has_rejects();
        }
        if from != self.at(Slot::Output) {
            self.rename(from, self.at(Slot::Output));
        }
        self.go(Pc::SyncCommit);
    }
}
