//! What can go wrong.

use crate::disk::Disk;
use crate::protocol::{Event, Protocol, Steps};
use crate::state::State;

impl Protocol {
    pub(crate) fn add_faults(&self, state: &State, steps: &mut Steps) {
        for (worker, who) in state.workers.iter().enumerate() {
            if state.faults.kills && !who.was_killed && !who.is_idle() {
                let mut next = state.clone();
                next.workers[worker].was_killed = true;
                self.turn(&mut next, worker).release();
                steps.push((Event::Crash { worker }, true, next));
            }
            if state.faults.lost_locks > 0 && who.is_locked && who.owns() {
                let mut next = state.clone();
                next.workers[worker].is_locked = false;
                next.faults.lost_locks -= 1;
                steps.push((Event::LockLost { worker }, true, next));
            }
        }
        if state.faults.cuts > 0 {
            let cuts = state.faults.cuts - 1;
            for names in state.disk.cuts() {
                let mut next = State { disk: Disk::new(names, cuts > 0), ..state.clone() };
                next.faults.cuts = cuts;
                next.person.has_open = false;
                next.person.is_done = next.person.version > 0;
                (0..next.workers.len()).for_each(|worker| self.turn(&mut next, worker).release());
                steps.push((Event::PowerCut, true, next));
            }
        }
    }
}
