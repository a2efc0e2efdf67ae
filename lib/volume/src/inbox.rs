//! What a stage can take: claims of dead owners first, then new files in the order of their names.
//!
//! The scan is the truth. Files that are still written are passed over, so that they hold up nothing
//! behind them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use uuid::Uuid;

use crate::Spec;
use crate::claim::{self, Claim, Owner, Take, TakenOver};
use crate::complete::{self, Look, StandStill, Verdict};
use crate::error::Error;
use crate::hand_on::Committed;
use crate::names::{ClaimName, PublicName};
use crate::volume::Volume;

/// Takeovers that follow at once: a few replicas may end within a moment, as in a rolling update.
const PROMPT_GENERATIONS: u32 = 3;
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A claim is without lock for an instant when it is made and when it is removed: nobody is in the way then.
const LOCKLESS_PAUSE: Duration = Duration::from_secs(1);

/// Times are added to: a setting of a million years must not overflow.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A stage's view of the volume.
#[derive(Debug)]
pub struct Inbox {
    volume: Volume,
    spec: Spec,
    input: &'static str,
    settle: Duration,
    /// How old a scan may get while its files are worked through.
    rescan: Duration,
    scanned: Option<Instant>,
    waiting: usize,
    queue: BTreeSet<PublicName>,
    seen: HashMap<PublicName, Seen>,
    /// Since when they are known to have no owner.
    orphans: HashMap<ClaimName, Instant>,
    /// How often working on a batch failed here, and when it last did.
    failures: HashMap<Uuid, (u32, Instant)>,
    /// Finished claims that cannot be removed.
    stuck: HashSet<Uuid>,
    /// Claims whose input turned out to be still written.
    held: Vec<(Claim, StandStill)>,
}

/// What is remembered of a file from look to look.
#[derive(Debug, Default)]
struct Seen {
    still: StandStill,
    /// What was last said about it, so that it is said once.
    complaint: Option<String>,
}

/// A batch for the caller to work on.
#[derive(Debug)]
pub enum Taken {
    /// To be converted or delivered.
    Ready(Claim),
    /// To be handed on.
    Committed(Committed),
}

/// What there is to do.
#[derive(Debug)]
pub enum Next {
    /// This.
    Taken(Taken),
    /// Nothing now.
    Nothing {
        /// When waiting alone may have made something ready; `None`: only others can.
        again: Option<Instant>,
    },
}

impl Inbox {
    /// A stage's inbox. `settle`: how long a file must stand still where the system can't tell whether
    /// it is written; `rescan`: after how long the directory is read anew while files of it still wait.
    ///
    /// # Panics
    /// The stage takes no files.
    pub fn new(volume: Volume, spec: Spec, settle: Duration, rescan: Duration) -> Self {
        let input = spec.input.expect("an inbox is for stages that take files");
        Inbox {
            volume,
            spec,
            input,
            settle: settle.min(LONGEST_WAIT),
            rescan: rescan.min(LONGEST_WAIT),
            scanned: None,
            waiting: 0,
            queue: BTreeSet::new(),
            seen: HashMap::new(),
            orphans: HashMap::new(),
            failures: HashMap::new(),
            stuck: HashSet::new(),
            held: Vec::new(),
        }
    }

    /// How many files waited at the last scan.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes the next batch.
    ///
    /// # Errors
    /// The volume failed, and there is nothing that it did not fail for. Single files that cannot be
    /// taken are reported and passed over.
    pub fn next(&mut self, now: Instant) -> Result<Next, Error> {
        let mut round = Round::new(now);
        let next = self.next_in(&mut round);
        if let Some(spare) = round.spare.take() {
            spare.remove();
        }
        match next? {
            Some(taken) => Ok(Next::Taken(taken)),
            None => round.failed.map_or(Ok(Next::Nothing { again: round.again }), Err),
        }
    }

    fn next_in(&mut self, round: &mut Round) -> Result<Option<Taken>, Error> {
        if let Some(claim) = self.next_held(round) {
            return Ok(Some(Taken::Ready(claim)));
        }
        if let Some(taken) = self.next_orphan(round)? {
            return Ok(Some(taken));
        }
        // They take their place in the order at once. None is told of that a scan from here on could miss.
        let news = self.volume.take_news();
        if self.scanned.is_none_or(|at| round.now >= at + self.rescan) {
            // In case no event came.
            self.volume.forget_names();
            self.scan()?;
            self.scanned = Some(round.now);
        } else if self.queue.is_empty() {
            self.scan()?;
        } else {
            self.queue.extend(news);
        }
        while let Some(name) = self.queue.pop_first() {
            if let Some(claim) = self.try_file(&name, round)? {
                return Ok(Some(Taken::Ready(claim)));
            }
        }
        Ok(None)
    }

    /// Keeps a claim whose input changed while it was read until its writer is done.
    pub fn hold(&mut self, claim: Claim) {
        info!(batch = claim.id(), "the input is still written: it will be read anew");
        self.held.push((claim, StandStill::default()));
    }

    /// Whether a claim waits for its input's writer: no event tells of his end.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Notes that working on a batch failed here: it rests, so that those behind it get their turn.
    pub fn failed(&mut self, batch: &str, now: Instant) {
        if let Some(name) = ClaimName::parse(batch.as_ref()) {
            let failures = self.failures.entry(name.batch).or_insert((0, now));
            *failures = (failures.0.saturating_add(1), now);
        }
    }

    fn scan(&mut self) -> Result<(), Error> {
        self.queue = self.volume.with_names(self.input, BTreeSet::clone)?;
        self.waiting = self.queue.len();
        self.seen.retain(|name, _| self.queue.contains(name));
        Ok(())
    }

    fn next_held(&mut self, round: &mut Round) -> Option<Claim> {
        let mut ready = None;
        for (mut claim, mut still) in std::mem::take(&mut self.held) {
            if ready.is_some() {
                self.held.push((claim, still));
                continue;
            }
            // A claim that cannot be looked at is released, and taken over ever more slowly.
            let Some(look) = round.unless_failed(claim.look_at_input()) else { continue };
            // Something was wrong with it already: without leases only standing still tells.
            let look = if self.volume.has_leases() { look } else { look.doubted() };
            match still.judge(look, round.now, self.settle) {
                Verdict::Take(fingerprint) => {
                    claim.judged = Some(fingerprint);
                    ready = Some(claim);
                }
                Verdict::Wait { until } => {
                    round.again(until);
                    self.held.push((claim, still));
                }
                Verdict::Leave(reason) => {
                    round.unless_failed(give_back(claim, &reason));
                }
                // Only a takeover moves a claim's input.
                Verdict::Gone => drop(claim),
            }
        }
        ready
    }

    /// Takes over one orphan, the oldest that is due: each replica gets its share, and a batch that ends its owners
    /// drags no other along.
    fn next_orphan(&mut self, round: &mut Round) -> Result<Option<Taken>, Error> {
        let mut claims = claim::all(&self.volume, self.spec.name)?;
        self.orphans.retain(|name, _| claims.contains(name));
        self.failures.retain(|batch, _| claims.iter().any(|name| name.batch == *batch));
        claims.sort_unstable_by_key(|name| name.batch);
        for name in claims {
            let due = self.is_due(name, round);
            if round.unless_failed(due) != Some(true) {
                continue;
            }
            let taken = Claim::take_over(&self.volume, self.spec, name);
            match round.unless_failed(taken).flatten() {
                None => {}
                Some(TakenOver::Committed(committed)) => return Ok(Some(Taken::Committed(committed))),
                Some(TakenOver::Leftover(claim)) => self.tidy(claim, round),
                Some(TakenOver::Uncommitted(claim)) => {
                    info!(batch = claim.id(), "carrying on with a batch that its owner left");
                    if let Some(claim) = self.judge_orphan(claim, round) {
                        return Ok(Some(Taken::Ready(claim)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Its first owner judged the input complete, but may have died before it could look twice.
    fn judge_orphan(&mut self, mut claim: Claim, round: &mut Round) -> Option<Claim> {
        let look = round.unless_failed(claim.look_at_input())?;
        if let Look::Written(fingerprint) | Look::Unknown(fingerprint) = look
            && fingerprint.age() >= self.settle
        {
            claim.judged = Some(fingerprint);
            return Some(claim);
        }
        self.held.push((claim, StandStill::default()));
        self.next_held(round)
    }

    /// Removes a claim in which nothing is left; one that cannot be removed is not tried again.
    fn tidy(&mut self, claim: Claim, round: &mut Round) {
        let batch = claim.name.batch;
        if round.unless_failed(claim.clear(&[])).is_none() || !claim.remove() {
            self.stuck.insert(batch);
        }
    }

    /// A batch that ends each of its owners is taken over ever more slowly, and holds up nothing behind it.
    fn is_due(&mut self, name: ClaimName, round: &mut Round) -> Result<bool, Error> {
        if self.stuck.contains(&name.batch) {
            return Ok(false);
        }
        let pause = match claim::owner(&self.volume, self.spec.name, name) {
            Ok(Owner::Some) => return Ok(false),
            Ok(Owner::None) => backoff(name.generation),
            Ok(Owner::NoLock) => backoff(name.generation).max(LOCKLESS_PAUSE),
            Ok(Owner::NoClaim) => {
                warn!(claim = %name, "left alone: it is no directory, and may lead out of the volume");
                self.stuck.insert(name.batch);
                return Ok(false);
            }
            // Another user's: no other try will do better, and what else waits must not wait for it.
            Err(error) if error.is_denied() => {
                let error: &dyn std::error::Error = &error;
                warn!(claim = %name, error, "left alone until the next start");
                self.stuck.insert(name.batch);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let mut due = *self.orphans.entry(name).or_insert(round.now) + pause;
        if let Some((failures, at)) = self.failures.get(&name.batch) {
            due = due.max(*at + backoff(PROMPT_GENERATIONS.saturating_add(*failures)));
        }
        if round.now < due {
            round.again(Some(due));
        }
        Ok(round.now >= due)
    }

    fn try_file(&mut self, name: &PublicName, round: &mut Round) -> Result<Option<Claim>, Error> {
        let path = self.volume.root().join(name.file_name(self.input));
        let look = match complete::look(&path, self.volume.has_leases()) {
            Ok(look) => look,
            Err(error) => {
                self.complain(name, format!("cannot be looked at: {error}"));
                return Ok(None);
            }
        };
        let mut seen = self.seen.remove(name).unwrap_or_default();
        match seen.still.judge(look, round.now, self.settle) {
            Verdict::Take(_) => return self.take(name, seen, round),
            Verdict::Wait { until } => {
                round.again(until);
                self.seen.insert(name.clone(), seen);
            }
            Verdict::Leave(reason) => {
                self.seen.insert(name.clone(), seen);
                self.complain(name, reason);
            }
            Verdict::Gone => {}
        }
        Ok(None)
    }

    /// Claims a file and judges it once more: only now can nobody put another in its place.
    fn take(&mut self, name: &PublicName, mut seen: Seen, round: &mut Round) -> Result<Option<Claim>, Error> {
        let empty = round.spare.take().map_or_else(|| Claim::create(&self.volume, self.spec), Ok)?;
        let mut claim = match empty.take(self.input, name) {
            Ok(Take::Taken(claim)) => claim,
            Ok(Take::Gone(spare)) => {
                round.spare = Some(spare);
                return Ok(None);
            }
            Err(error) if error.is_fenced() => {
                warn!("{error}");
                self.seen.insert(name.clone(), seen);
                return Ok(None);
            }
            Err(error) => return Err(error),
            Ok(Take::Refused(spare, error)) => {
                round.spare = Some(spare);
                self.seen.insert(name.clone(), seen);
                self.complain(name, format!("cannot be moved: {error}"));
                return Ok(None);
            }
        };
        let Some(look) = round.unless_failed(claim.look_at_input()) else { return Ok(None) };
        match seen.still.judge(look, round.now, self.settle) {
            Verdict::Take(fingerprint) => {
                claim.judged = Some(fingerprint);
                return Ok(Some(claim));
            }
            Verdict::Wait { until } => {
                round.again(until);
                self.held.push((claim, seen.still));
            }
            Verdict::Leave(reason) => {
                round.unless_failed(give_back(claim, &reason));
            }
            Verdict::Gone => drop(claim),
        }
        Ok(None)
    }

    fn complain(&mut self, name: &PublicName, reason: String) {
        let seen = self.seen.entry(name.clone()).or_default();
        if seen.complaint.as_deref() != Some(&reason) {
            warn!(file = name.file_name(self.input), "left alone: it {reason}");
            seen.complaint = Some(reason);
        }
    }
}

fn give_back(claim: Claim, reason: &str) -> Result<(), Error> {
    warn!(batch = claim.id(), "given back: it {reason}");
    claim.put_back()
}

/// How long an orphan of this generation rests before it is taken over.
fn backoff(generation: u32) -> Duration {
    match generation.checked_sub(PROMPT_GENERATIONS + 1) {
        None => Duration::ZERO,
        Some(doublings) => Duration::from_secs(1 << doublings.min(10)).min(LONGEST_BACKOFF),
    }
}

/// What one look for a batch has come to know.
struct Round {
    now: Instant,
    /// The earliest time at which waiting alone may have made something ready.
    again: Option<Instant>,
    /// The first failure that concerned one claim only: others are tried before it is told.
    failed: Option<Error>,
    /// An empty claim: whoever loses the race for a file tries the next with it, since a claim costs a sync.
    spare: Option<Claim>,
}

impl Round {
    fn new(now: Instant) -> Self {
        Round { now, again: None, failed: None, spare: None }
    }

    fn again(&mut self, at: Option<Instant>) {
        self.again = self.again.into_iter().chain(at).min();
    }

    fn unless_failed<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(error) if error.is_fenced() => warn!("{error}"),
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                warn!(error = cause, "passed over");
                self.failed.get_or_insert(error);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::fs;

    const SPEC: Spec = Spec { name: "test", input: Some("txt"), output: None };
    const SETTLE: Duration = Duration::from_secs(5);

    /// What happens to a file between the look at it and its claim, and what it holds in the end.
    #[test]
    fn a_file_that_changes_between_the_look_and_the_claim_is_never_taken_half() {
        type Change = fn(&std::path::Path) -> std::fs::File;
        let append: Change = |path| {
            let mut writer = std::fs::File::options().append(true).open(path).unwrap();
            writer.write_all(b" and more").unwrap();
            writer
        };
        let truncate: Change = |path| std::fs::File::create(path).unwrap();
        let replace: Change = |path| {
            let other = path.with_extension("new");
            let mut writer = std::fs::File::create(&other).unwrap();
            writer.write_all(b"another").unwrap();
            fs::rename(&other, path).unwrap();
            writer
        };
        for (change, expected) in [(append, "first and more."), (truncate, "."), (replace, "another.")] {
            // Where leases tell, and where only standing still does.
            for leases in [true, false] {
                let directory = tempfile::tempdir().unwrap();
                let volume = Volume::with(directory.path(), true, leases).unwrap();
                let mut inbox = Inbox::new(volume, SPEC, SETTLE, Duration::ZERO);
                let path = directory.path().join("listing.txt");
                std::fs::write(&path, "first").unwrap();
                let (name, looked) = (PublicName(None), Instant::now());
                let mut seen = Seen::default();
                seen.still.judge(complete::look(&path, leases).unwrap(), looked, SETTLE);
                let mut writer = change(&path);
                let settled = looked + SETTLE;
                let mut round = Round::new(settled);
                assert!(inbox.take(&name, seen, &mut round).unwrap().is_none());
                assert_eq!(inbox.held.len(), 1, "it waits for the writer");
                writer.write_all(b".").unwrap();
                drop(writer);
                // Its last change is seen; from here on it stands still.
                assert!(leases || matches!(inbox.next(settled).unwrap(), Next::Nothing { .. }));
                let Next::Taken(Taken::Ready(claim)) = inbox.next(settled + SETTLE).unwrap() else {
                    panic!("not taken when its writer was done")
                };
                assert_eq!(std::fs::read(claim.path(claim::INPUT)).unwrap(), expected.as_bytes());
            }
        }
    }

    #[test]
    fn who_loses_the_race_for_a_file_tries_the_next_with_the_same_claim() {
        let directory = tempfile::tempdir().unwrap();
        let volume = Volume::open(directory.path()).unwrap();
        std::fs::write(directory.path().join("listing.txt"), "x").unwrap();
        let mut inbox = Inbox::new(volume, SPEC, SETTLE, Duration::ZERO);
        let mut round = Round::new(Instant::now());
        for id in ["1", "2"] {
            let gone = PublicName(Some(id.to_owned()));
            assert!(inbox.take(&gone, Seen::default(), &mut round).unwrap().is_none());
        }
        let spare = round.spare.as_ref().unwrap().name;
        let claim = inbox.take(&PublicName(None), Seen::default(), &mut round).unwrap().unwrap();
        assert_eq!((claim.name, round.spare.is_none()), (spare, true));
        assert_eq!(claim::all(&inbox.volume, SPEC.name).unwrap(), [spare]);
    }

    #[test]
    fn takeovers_back_off_as_generations_grow() {
        let seconds: Vec<u64> = (1..=10).map(|generation| backoff(generation).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
    }
}
