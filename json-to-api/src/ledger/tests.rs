use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn document(line: u64) -> Document {
    let body = Bytes::from(line.to_string());
    Document {
        place: Place { line, offset: line * 10, length: body.len() as u64 },
        attempts: 0,
        body: Some(body),
    }
}

fn chunk(lines: std::ops::RangeInclusive<u64>, is_last: bool) -> Chunk {
    let last_line = *lines.end();
    let documents: VecDeque<_> = lines.map(document).collect();
    Chunk { records: documents.len() as u64, documents, last_line, is_last, ..Chunk::default() }
}

fn ledger(concurrency: usize, lines: u64) -> (Ledger, Instant) {
    let now = Instant::now();
    let mut ledger = Ledger::new(concurrency);
    ledger.supply(chunk(1..=lines, true), now);
    (ledger, now)
}

/// Takes a document that must be there.
fn take(ledger: &mut Ledger, now: Instant) -> Document {
    match ledger.next(now) {
        Next::Deliver(document) => document,
        other => panic!("{other:?}"),
    }
}

fn save(ledger: &mut Ledger) -> Increment {
    let increment = ledger.begin_save();
    ledger.saved(&increment);
    increment
}

#[test]
fn documents_are_handed_out_in_their_order() {
    let (mut ledger, now) = ledger(64, 3);
    let lines: Vec<_> = (0..3).map(|_| take(&mut ledger, now).place.line).collect();
    assert_eq!(lines, [1, 2, 3]);
    assert_eq!(ledger.next(now), Next::Wait);
    assert!(!ledger.is_done());
    for line in lines {
        ledger.delivered(line, now);
    }
    assert!(ledger.is_done());
    assert!(save(&mut ledger).answered.is_all(3));
}

#[test]
fn a_paused_document_lets_the_others_pass_and_comes_first_when_it_is_due() {
    let (mut ledger, now) = ledger(64, 3);
    let due = now + Duration::from_secs(1);
    let first = take(&mut ledger, now);
    ledger.paused(first, due);
    assert_eq!(ledger.next_due(), Some(due));
    assert_eq!(take(&mut ledger, now).place.line, 2);
    let again = take(&mut ledger, due);
    assert_eq!((again.place.line, again.body), (1, None));
    assert_eq!(take(&mut ledger, due).place.line, 3);
}

#[test]
fn with_one_in_flight_a_pause_holds_all_others_so_that_the_order_stays() {
    let (mut ledger, now) = ledger(1, 3);
    let due = now + Duration::from_secs(1);
    let first = take(&mut ledger, now);
    assert_eq!(ledger.next(now), Next::Wait);
    ledger.paused(first, due);
    assert_eq!(ledger.next(now), Next::Wait);
    assert_eq!(take(&mut ledger, due).place.line, 1);
    ledger.delivered(1, due);
    assert!(ledger.take_wanted().senders);
    assert_eq!(take(&mut ledger, due).place.line, 2);
}

#[test]
fn no_more_than_a_thousand_are_outstanding() {
    let (mut ledger, now) = ledger(64, 3_000);
    let due = now + Duration::from_secs(1);
    for _ in 0..MAX_OUTSTANDING {
        let next = take(&mut ledger, now);
        ledger.paused(next, due);
    }
    assert_eq!(ledger.next(now), Next::Wait);
    assert_eq!(take(&mut ledger, due).place.line, 1);
}

#[test]
fn what_is_answered_and_not_saved_holds_back_what_comes() {
    let (mut ledger, now) = ledger(1_000, 3_000);
    for _ in 0..MAX_UNSAVED {
        let next = take(&mut ledger, now);
        ledger.delivered(next.place.line, now);
    }
    ledger.take_wanted();
    assert_eq!(ledger.next(now), Next::Wait);
    assert!(ledger.take_wanted().keeper);
    let increment = ledger.begin_save();
    // Being saved is not yet saved.
    assert_eq!(ledger.next(now), Next::Wait);
    ledger.saved(&increment);
    assert!(ledger.take_wanted().senders);
    take(&mut ledger, now);
}

#[test]
fn a_save_is_due_after_a_while_and_at_once_after_many_answers() {
    let (mut ledger, now) = ledger(64, 2_000);
    assert_eq!(ledger.save_due(), None);
    for count in 1..=SAVE_AFTER {
        let next = take(&mut ledger, now);
        ledger.take_wanted();
        ledger.delivered(next.place.line, now);
        let is_due = count == SAVE_AFTER;
        assert_eq!(ledger.save_due(), Some(if is_due { now } else { now + SAVE_EVERY }));
        assert_eq!(ledger.take_wanted().keeper, is_due);
    }
}

#[test]
fn blank_lines_alone_are_not_worth_a_save() {
    let now = Instant::now();
    let mut ledger = Ledger::new(64);
    let mut blank = Ranges::default();
    blank.insert_range(1..=7);
    ledger.supply(Chunk { blank, last_line: 7, is_last: true, ..Chunk::default() }, now);
    assert_eq!(ledger.save_due(), None);
    assert!(ledger.is_done() && ledger.take_wanted().keeper);
    assert!(ledger.begin_save().answered.is_all(7));
}

#[test]
fn lines_that_are_no_documents_stop_the_reading_until_they_are_saved() {
    let now = Instant::now();
    let mut ledger = Ledger::new(64);
    let refuse = |line| Refusal::new(Place { line, offset: line, length: 1 }, "no".into());
    let refused: Vec<_> = (1..=MAX_REFUSALS as u64).map(refuse).collect();
    ledger.supply(Chunk { refused, last_line: MAX_REFUSALS as u64, ..Chunk::default() }, now);
    assert!(!ledger.is_hungry() && ledger.take_wanted().keeper);
    assert_eq!(ledger.save_due(), Some(now));
    assert_eq!(save(&mut ledger).refusals.len(), MAX_REFUSALS);
    assert!(ledger.is_hungry() && ledger.take_wanted().reader);
}

#[test]
fn reading_stops_while_enough_waits() {
    let now = Instant::now();
    let mut ledger = Ledger::new(64);
    assert!(ledger.is_hungry());
    let mut large = document(1);
    large.body = Some(Bytes::from(vec![b' '; READ_AHEAD]));
    ledger.supply(Chunk { documents: VecDeque::from([large]), last_line: 1, ..Chunk::default() }, now);
    assert!(!ledger.is_hungry());
    take(&mut ledger, now);
    assert!(ledger.is_hungry() && ledger.take_wanted().reader);
}

#[test]
fn after_the_end_nothing_is_handed_out_and_what_is_in_flight_is_still_noted() {
    let (mut ledger, now) = ledger(64, 3);
    take(&mut ledger, now);
    ledger.end();
    assert_eq!(ledger.next(now), Next::Ended);
    ledger.take_wanted();
    ledger.delivered(1, now);
    assert!(ledger.take_wanted().keeper);
    assert_eq!(ledger.in_flight(), 0);
    assert_eq!(save(&mut ledger).answered.iter().collect::<Vec<_>>(), [1..=1]);
}

#[test]
fn long_reasons_are_cut_between_characters() {
    let place = Place { line: 1, offset: 0, length: 1 };
    let reason = Refusal::new(place, "ü".repeat(MAX_REASON)).reason;
    assert!(reason.len() <= MAX_REASON && reason.len() > MAX_REASON - 4);
}

/// One step of a random schedule; the number picks a document in flight where one is needed.
#[derive(Debug, Clone, Copy)]
enum Step {
    Take,
    Deliver(usize),
    Refuse(usize),
    Pause(usize, u64),
    Wait(u64),
    BeginSave,
    EndSave,
    Supply,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Take),
        5 => any::<usize>().prop_map(Step::Deliver),
        1 => any::<usize>().prop_map(Step::Refuse),
        2 => (any::<usize>(), 0u64..50).prop_map(|(which, pause)| Step::Pause(which, pause)),
        1 => (0u64..40).prop_map(Step::Wait),
        1 => Just(Step::BeginSave),
        1 => Just(Step::EndSave),
        2 => Just(Step::Supply),
    ]
}

/// A ledger under a random schedule, and what must be true of it.
struct Simulation {
    ledger: Ledger,
    now: Instant,
    lines: u64,
    read: u64,
    in_flight: Vec<Document>,
    paused: BTreeMap<u64, Instant>,
    answered: BTreeSet<u64>,
    unsaved: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    saving: Option<Increment>,
    saved: Ranges,
    saved_refusals: Vec<u64>,
}

impl Simulation {
    fn new(concurrency: usize, lines: u64) -> Self {
        Simulation {
            ledger: Ledger::new(concurrency),
            now: Instant::now(),
            lines,
            read: 0,
            in_flight: Vec::new(),
            paused: BTreeMap::new(),
            answered: BTreeSet::new(),
            unsaved: BTreeSet::new(),
            refused: BTreeSet::new(),
            saving: None,
            saved: Ranges::default(),
            saved_refusals: Vec::new(),
        }
    }

    fn pick(&mut self, which: usize) -> Option<Document> {
        (!self.in_flight.is_empty()).then(|| self.in_flight.swap_remove(which % self.in_flight.len()))
    }

    fn step(&mut self, step: Step, concurrency: usize) {
        match step {
            Step::Take if self.in_flight.len() < concurrency => {
                if let Next::Deliver(document) = self.ledger.next(self.now) {
                    let line = document.place.line;
                    assert!(!self.answered.contains(&line), "{line} was answered already");
                    assert!(
                        self.paused.remove(&line).is_none_or(|due| due <= self.now),
                        "{line} was to pause"
                    );
                    assert!(
                        self.in_flight.iter().all(|other| other.place.line != line),
                        "{line} is in flight"
                    );
                    self.in_flight.push(document);
                }
            }
            Step::Take => {}
            Step::Deliver(which) => {
                if let Some(document) = self.pick(which) {
                    self.answered.insert(document.place.line);
                    self.unsaved.insert(document.place.line);
                    self.ledger.delivered(document.place.line, self.now);
                }
            }
            Step::Refuse(which) => {
                if let Some(document) = self.pick(which) {
                    self.answered.insert(document.place.line);
                    self.unsaved.insert(document.place.line);
                    self.refused.insert(document.place.line);
                    self.ledger.refused(Refusal::new(document.place, "no".into()), self.now);
                }
            }
            Step::Pause(which, pause) => {
                if let Some(document) = self.pick(which) {
                    let due = self.now + Duration::from_millis(pause);
                    self.paused.insert(document.place.line, due);
                    self.ledger.paused(document, due);
                }
            }
            Step::Wait(pause) => self.now += Duration::from_millis(pause),
            Step::BeginSave if self.saving.is_none() => self.saving = Some(self.ledger.begin_save()),
            Step::BeginSave => {}
            Step::EndSave => self.end_save(),
            Step::Supply => self.supply(),
        }
        self.check(concurrency);
    }

    fn end_save(&mut self) {
        if let Some(increment) = self.saving.take() {
            self.ledger.saved(&increment);
            self.saved.insert_all(&increment.answered);
            increment.answered.iter().flatten().for_each(|line| _ = self.unsaved.remove(&line));
            self.saved_refusals.extend(increment.refusals.iter().map(|refusal| refusal.place.line));
        }
    }

    fn supply(&mut self) {
        if self.ledger.is_hungry() {
            let last = (self.read + 600).min(self.lines);
            self.ledger.supply(chunk(self.read + 1..=last, last == self.lines), self.now);
            self.read = last;
        }
    }

    fn check(&self, concurrency: usize) {
        let sent = self.in_flight.len() + self.paused.len();
        assert!(sent <= if concurrency == 1 { 1 } else { MAX_OUTSTANDING });
        // What a kill would have sent twice, beyond what is in flight.
        assert!(self.unsaved.len() <= MAX_UNSAVED, "{}", self.unsaved.len());
        assert_eq!(self.ledger.in_flight(), self.in_flight.len());
    }

    /// Goes on without further failures: everything must come to its end.
    fn finish(mut self, concurrency: usize) {
        for _ in 0..100_000 {
            if self.ledger.is_done() {
                break;
            }
            for step in
                [Step::Supply, Step::Take, Step::Wait(1), Step::Deliver(0), Step::BeginSave, Step::EndSave]
            {
                self.step(step, concurrency);
            }
        }
        assert!(self.ledger.is_done(), "it came to a halt");
        self.end_save();
        self.saving = Some(self.ledger.begin_save());
        self.end_save();
        assert!(self.saved.is_all(self.lines));
        self.saved_refusals.sort_unstable();
        assert_eq!(self.saved_refusals, self.refused.iter().copied().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn under_any_schedule_each_line_is_answered_or_refused_exactly_once(
        concurrency in prop_oneof![Just(1usize), Just(2), Just(64), Just(1_000)],
        lines in 1u64..2_500,
        steps in prop::collection::vec(step(), 0..3_000),
    ) {
        let mut simulation = Simulation::new(concurrency, lines);
        for step in steps {
            simulation.step(step, concurrency);
        }
        simulation.finish(concurrency);
    }
}
