//! The search itself, on models whose answers are known.

use crate::explore::{Mixer, Model, explore};

/// Two workers that each add one to a number: read, then write.
struct Counter {
    /// Reading and writing are one step.
    is_locked: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Counting {
    number: u8,
    /// What each has read, while it has not written.
    read: [Option<u8>; 2],
    written: [bool; 2],
}

impl Model for Counter {
    type State = Counting;
    type Step = (&'static str, usize);

    fn initial(&self) -> Counting {
        Counting::default()
    }

    fn next(&self, state: &Counting, steps: &mut Vec<(Self::Step, bool, Counting)>) {
        for who in 0..2 {
            let mut next = *state;
            if let Some(read) = next.read[who].take() {
                next.number = read + 1;
                next.written[who] = true;
                steps.push((("write", who), false, next));
            } else if !state.written[who] && (!self.is_locked || state.read == [None; 2]) {
                next.read[who] = Some(state.number);
                steps.push((("read", who), false, next));
            }
        }
    }

    fn fingerprint(&self, state: &Counting) -> u64 {
        Mixer::of(state)
    }

    fn flaw(&self, _: &Counting) -> Option<String> {
        None
    }

    fn flaw_at_end(&self, state: &Counting) -> Option<String> {
        (state.number != 2).then(|| format!("counted {}", state.number))
    }
}

#[test]
fn a_known_bug_is_found_by_the_shortest_way() {
    let violation = explore(&Counter { is_locked: false }).violation.unwrap();
    assert_eq!(violation.flaw, "counted 1");
    assert_eq!(violation.steps, [r#"("read", 0)"#, r#"("read", 1)"#, r#"("write", 0)"#, r#"("write", 1)"#]);
    assert!(violation.state.starts_with("Counting { number: 1"), "{}", violation.state);
}

#[test]
fn a_model_without_the_bug_is_seen_whole() {
    let report = explore(&Counter { is_locked: true });
    assert!(report.violation.is_none(), "{report}");
    // None, either reading, either done, the other reading then, both done.
    assert_eq!((report.states, report.transitions, report.ends), (8, 8, 1));
}

/// A walk over a square from corner to corner, with a hole that only a fault leads out of, where there is one.
struct Walk {
    length: u8,
    hole: Option<u8>,
}

impl Model for Walk {
    type State = (u8, u8);
    type Step = &'static str;

    fn initial(&self) -> (u8, u8) {
        (0, 0)
    }

    fn next(&self, state: &(u8, u8), steps: &mut Vec<(&'static str, bool, (u8, u8))>) {
        let (x, y) = *state;
        if self.hole == Some(x + y) {
            steps.push(("round", false, *state));
            steps.push(("fault", true, (self.length, self.length)));
            return;
        }
        if x < self.length {
            steps.push(("right", false, (x + 1, y)));
        }
        if y < self.length {
            steps.push(("up", false, (x, y + 1)));
        }
    }

    /// The walk is the same on either side of the diagonal.
    fn fingerprint(&self, state: &(u8, u8)) -> u64 {
        Mixer::of(&[state.0.min(state.1), state.0.max(state.1)])
    }

    fn flaw(&self, _: &(u8, u8)) -> Option<String> {
        None
    }

    fn flaw_at_end(&self, _: &(u8, u8)) -> Option<String> {
        None
    }
}

#[test]
fn states_that_differ_in_names_only_are_one() {
    let report = explore(&Walk { length: 9, hole: None });
    assert!(report.violation.is_none(), "{report}");
    assert_eq!((report.states, report.ends), (10 * 11 / 2, 1));
}

#[test]
fn going_round_without_end_is_found() {
    let violation = explore(&Walk { length: 3, hole: Some(2) }).violation.unwrap();
    assert_eq!(violation.flaw, "nothing leads to an end from here");
}
