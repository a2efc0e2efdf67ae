//! Says what goes wrong with the api: once at first, then summed up, however many documents it hits.

use std::time::{Duration, Instant};

use service::Health;
use tracing::{error, info, warn};

use crate::recent::{Kind, Recent};
use crate::work::Work;

/// The health's name for an api that cannot be delivered to as things are set up.
const API: &str = "api";
/// Of each kind, no more than one line comes in this time.
const EVERY: Duration = Duration::from_secs(10);

/// What is said about the api.
pub(crate) struct Report {
    health: Health,
    /// What people who watch are shown.
    recent: Recent,
    /// The api's address, as it is shown.
    url: String,
    /// The last answer was that the set-up is wrong.
    is_misconfigured: bool,
    retries: Line,
    misconfigured: Line,
    rejections: Line,
    mended: Line,
}

/// One kind of line.
#[derive(Debug, Default)]
struct Line {
    said: Option<Instant>,
    unsaid: u64,
}

impl Line {
    /// Returns whether it is to be said now, and how often it was not since the last time.
    fn say(&mut self, now: Instant) -> Option<u64> {
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < EVERY) {
            self.unsaid += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

impl Report {
    pub(crate) fn new(url: String, health: Health, recent: Recent) -> Self {
        let line = Line::default;
        Report {
            health,
            recent,
            url,
            is_misconfigured: false,
            retries: line(),
            misconfigured: line(),
            rejections: line(),
            mended: line(),
        }
    }

    /// An attempt failed, and nothing says that it always will.
    pub(crate) fn retry(&mut self, reason: &str) {
        self.recent.failed(Kind::Retry, reason);
        if let Some(others) = self.retries.say(Instant::now()) {
            warn!(others_since_last = others, "a document is tried again: {}: {reason}", self.url);
        }
    }

    /// The address, the set-up or the credentials are wrong: not ready until a document gets through.
    pub(crate) fn misconfigured(&mut self, reason: &str) {
        self.is_misconfigured = true;
        self.recent.failed(Kind::Misconfigured, reason);
        self.health.problem(API, format!("{}: {reason}", self.url));
        if let Some(others) = self.misconfigured.say(Instant::now()) {
            error!(
                others_since_last = others,
                "address, set-up or credentials seem wrong, documents are kept and tried again: {}: {reason}",
                self.url
            );
        }
    }

    /// The api refuses a document: the set-up is right then.
    pub(crate) fn rejected(&mut self, line: u64, reason: &str) {
        self.accepted();
        self.recent.failed(Kind::Rejected, reason);
        if let Some(others) = self.rejections.say(Instant::now()) {
            warn!(line, others_since_last = others, "a document is rejected: {}: {reason}", self.url);
        }
    }

    /// The api took a document.
    pub(crate) fn delivered(&mut self, document: &[u8], reply: &[u8]) {
        self.recent.delivered(document, reply);
        self.accepted();
    }

    /// Time has passed: the documents that wait for their next attempt are others.
    pub(crate) fn look(&mut self, now: Instant, work: &Work) {
        let next = work.paused.peek().map(|key| work.paused.deadline(&key).into_std());
        self.recent.tick(now, work.paused.len() + work.due.len(), next);
    }

    /// The api took a document, or judged it.
    fn accepted(&mut self) {
        if self.is_misconfigured {
            self.idle();
            if self.mended.say(Instant::now()).is_some() {
                info!("the api takes documents again");
            }
        }
    }

    /// Nothing is in hand any more: what was wrong is not known to be wrong still.
    pub(crate) fn idle(&mut self) {
        self.is_misconfigured = false;
        self.health.resolved(API);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(health: &Health) -> Report {
        let recent = Recent::shown(&service::Pages::default(), true);
        Report::new("http://api/".to_owned(), health.clone(), recent)
    }

    #[test]
    fn a_line_is_said_at_once_and_then_summed_up() {
        let (mut line, start) = (Line::default(), Instant::now());
        assert_eq!(line.say(start), Some(0));
        for second in 1..10 {
            assert_eq!(line.say(start + Duration::from_secs(second)), None);
        }
        assert_eq!(line.say(start + EVERY), Some(9));
        assert_eq!(line.say(start + EVERY), None);
    }

    #[test]
    fn a_wrong_set_up_is_a_problem_until_a_document_gets_through() {
        let health = Health::new();
        health.ready();
        let mut report = report(&health);
        report.retry("503");
        assert_eq!(health.is_ready(), Ok(()));
        report.misconfigured("answered 404");
        assert_eq!(health.is_ready(), Err("api: http://api/: answered 404".to_owned()));
        report.accepted();
        assert_eq!(health.is_ready(), Ok(()));
    }

    #[test]
    fn a_wrong_set_up_is_none_any_more_once_a_document_is_refused_or_nothing_is_in_hand() {
        let health = Health::new();
        health.ready();
        let mut report = report(&health);
        report.misconfigured("answered 401");
        report.rejected(1, "answered 422");
        assert_eq!(health.is_ready(), Ok(()));
        report.misconfigured("answered 401");
        report.idle();
        assert_eq!(health.is_ready(), Ok(()));
    }
}
