//! The search: every state that a model can reach, breadth first, so that what it finds is the shortest way there.
//!
//! Of a visited state only 64 bits are kept, and the state it was reached from. Two states of the same 64 bits would
//! be taken for one: among ten million that happens once in some 300,000 runs.

use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::hash::{BuildHasherDefault, Hasher};

/// What can be explored.
pub(crate) trait Model {
    type State: Clone + Debug;
    /// What is done in a step, for the trace.
    type Step: Debug;

    fn initial(&self) -> Self::State;

    /// Adds each state that one step leads to; `true` where the step is a fault: no progress rests on those.
    fn next(&self, state: &Self::State, steps: &mut Vec<(Self::Step, bool, Self::State)>);

    /// The same for states that differ in names only.
    fn fingerprint(&self, state: &Self::State) -> u64;

    /// What is wrong with a state.
    fn flaw(&self, state: &Self::State) -> Option<String>;

    /// What is wrong with a state that only a fault can change.
    fn flaw_at_end(&self, state: &Self::State) -> Option<String>;
}

/// What a search has come to know.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    /// States that only a fault can change.
    pub(crate) ends: usize,
    pub(crate) violation: Option<Violation>,
}

#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) flaw: String,
    /// The steps that lead there, the shortest way.
    pub(crate) steps: Vec<String>,
    pub(crate) state: String,
}

impl Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} states, {} transitions, {} ends", self.states, self.transitions, self.ends)?;
        let Some(Violation { flaw, steps, state }) = &self.violation else { return Ok(()) };
        write!(f, "\n{flaw}, after {} steps:", steps.len())?;
        steps.iter().try_for_each(|step| write!(f, "\n  {step}"))?;
        write!(f, "\n{state}")
    }
}

/// Explores until all is seen or something is wrong.
pub(crate) fn explore<M: Model>(model: &M) -> Report {
    let mut search = Search { model, seen: Seen::default(), nodes: Vec::new(), edges: Vec::new() };
    let mut report = Report::default();
    let mut ends = Vec::new();
    let initial = model.initial();
    let (root, _) = search.visit(&initial, 0);
    let mut level = vec![(root, initial)];
    let mut steps = Vec::new();
    while !level.is_empty() && report.violation.is_none() {
        let mut next_level = Vec::new();
        for (index, state) in level {
            if let Some(flaw) = model.flaw(&state) {
                report.violation = Some(search.violation(flaw, index));
                break;
            }
            model.next(&state, &mut steps);
            if steps.iter().all(|(_, fault, _)| *fault) {
                ends.push(index);
                if let Some(flaw) = model.flaw_at_end(&state) {
                    report.violation = Some(search.violation(flaw, index));
                    break;
                }
            }
            for (_, fault, next) in steps.drain(..) {
                report.transitions += 1;
                let (to, is_new) = search.visit(&next, index);
                if !fault {
                    search.edges.push((index, to));
                }
                if is_new {
                    next_level.push((to, next));
                }
            }
        }
        level = next_level;
    }
    report.states = search.nodes.len();
    report.ends = ends.len();
    if report.violation.is_none() {
        report.violation = search.stranded(&ends);
    }
    report
}

type Seen = HashMap<u64, u32, BuildHasherDefault<AsItIs>>;

struct Search<'a, M: Model> {
    model: &'a M,
    seen: Seen,
    /// Each state's fingerprint, and the state that it was first reached from.
    nodes: Vec<(u64, u32)>,
    /// The steps that are no faults.
    edges: Vec<(u32, u32)>,
}

impl<M: Model> Search<'_, M> {
    fn visit(&mut self, state: &M::State, from: u32) -> (u32, bool) {
        let fingerprint = self.model.fingerprint(state);
        let new = u32::try_from(self.nodes.len()).expect("fewer states than fit into memory");
        let index = *self.seen.entry(fingerprint).or_insert(new);
        if index == new {
            self.nodes.push((fingerprint, from));
        }
        (index, index == new)
    }

    /// A state from which no end can be reached without a further fault: work that nobody finishes.
    fn stranded(&self, ends: &[u32]) -> Option<Violation> {
        let mut starts = vec![0_usize; self.nodes.len() + 1];
        self.edges.iter().for_each(|(_, to)| starts[*to as usize + 1] += 1);
        (1..starts.len()).for_each(|index| starts[index] += starts[index - 1]);
        let mut free = starts.clone();
        let mut sources = vec![0; self.edges.len()];
        for (from, to) in &self.edges {
            sources[free[*to as usize]] = *from;
            free[*to as usize] += 1;
        }
        let mut reaches = vec![false; self.nodes.len()];
        let mut open = ends.to_vec();
        while let Some(index) = open.pop() {
            if !std::mem::replace(&mut reaches[index as usize], true) {
                open.extend(&sources[starts[index as usize]..starts[index as usize + 1]]);
            }
        }
        let index = reaches.iter().position(|reaches| !reaches)?;
        let index = u32::try_from(index).expect("an index of a state");
        Some(self.violation("nothing leads to an end from here".to_owned(), index))
    }

    /// Goes the way again, by its fingerprints.
    fn violation(&self, flaw: String, index: u32) -> Violation {
        let mut way = vec![index];
        while let Some(from) = way.last().filter(|index| **index != 0) {
            way.push(self.nodes[*from as usize].1);
        }
        let mut state = self.model.initial();
        let (mut steps, mut next) = (Vec::new(), Vec::new());
        for index in way.iter().rev().skip(1) {
            self.model.next(&state, &mut next);
            let is_next = |state: &M::State| self.model.fingerprint(state) == self.nodes[*index as usize].0;
            let found = next.drain(..).find(|(_, _, next)| is_next(next));
            let (step, _, next) = found.expect("the way was found by the same steps");
            steps.push(format!("{step:?}"));
            state = next;
        }
        Violation { flaw, steps, state: format!("{state:?}") }
    }
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are looked up")
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

/// Makes fingerprints, quickly also where nothing is optimised.
#[derive(Default)]
pub(crate) struct Mixer(u64);

impl Mixer {
    pub(crate) fn of(value: &impl std::hash::Hash) -> u64 {
        let mut mixer = Mixer::default();
        value.hash(&mut mixer);
        mixer.finish()
    }

    fn mix(&mut self, word: u64) {
        let seed = (self.0.rotate_left(23) ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let product = u128::from(seed) * 0xa076_1d64_78bd_642f;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        let mut last = Mixer(self.0);
        last.mix(0xe703_7ed1_a0b4_28db);
        last.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}
