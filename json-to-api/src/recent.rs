//! What was delivered of late, for people who watch: a page of the admin port.
//!
//! It costs the delivery nothing to speak of: of all documents a few a second are kept, cut to a length, and what failed
//! is counted by its reason. It says no more than standard output does: where documents are not printed, none is shown.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use service::Pages;

const PATH: &str = "/recent";
/// So many documents are shown, and so many reasons.
const SHOWN: usize = 20;
/// Of a document or a reply, and of a reason, in bytes.
const MAX_TEXT: usize = 2 << 10;
const MAX_REASON: usize = 300;
/// No more than one document in this time is kept.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);

/// Why a document was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Retry,
    Misconfigured,
    Rejected,
}

/// The delivery's side of the page.
pub(crate) struct Recent {
    shared: Arc<Mutex<State>>,
    shows_documents: bool,
    /// The next document is kept.
    is_due: bool,
    kept: Option<Instant>,
}

#[derive(Default)]
struct State {
    documents: VecDeque<Value>,
    reasons: VecDeque<Reason>,
    /// Documents that wait for their next attempt, and when the first of them has it.
    paused: usize,
    next_attempt: Option<Instant>,
}

struct Reason {
    kind: Kind,
    text: String,
    count: u64,
    last: u64,
}

impl Recent {
    /// Shows the page, which has documents only where they are printed as well.
    pub(crate) fn shown(pages: &Pages, shows_documents: bool) -> Self {
        let shared = Arc::new(Mutex::new(State::default()));
        let page = Arc::clone(&shared);
        pages.add(PATH, move || lock(&page).json(Instant::now()).to_string());
        Recent { shared, shows_documents, is_due: true, kept: None }
    }

    /// A document was answered.
    pub(crate) fn delivered(&mut self, document: &[u8], reply: &[u8]) {
        // All that it costs, for all but a few.
        if !self.is_due {
            return;
        }
        self.is_due = false;
        self.kept = Some(Instant::now());
        if self.shows_documents {
            let sample = json!({ "at": now(), "document": text(document), "reply": text(reply) });
            push(&mut lock(&self.shared).documents, sample);
        }
    }

    /// A document was not delivered.
    pub(crate) fn failed(&self, kind: Kind, reason: &str) {
        let text = &reason[..reason.floor_char_boundary(MAX_REASON)];
        let reasons = &mut lock(&self.shared).reasons;
        let known = reasons.iter().position(|known| known.kind == kind && known.text == text);
        let known = known.and_then(|place| reasons.remove(place));
        let mut reason = known.unwrap_or_else(|| Reason { kind, text: text.to_owned(), count: 0, last: 0 });
        reason.count += 1;
        reason.last = now();
        // The newest at the front.
        push(reasons, reason);
    }

    /// Takes note of time, and of the documents that wait for their next attempt.
    pub(crate) fn tick(&mut self, now: Instant, paused: usize, next_attempt: Option<Instant>) {
        self.is_due |= self.kept.is_none_or(|kept| now.saturating_duration_since(kept) >= SAMPLE_EVERY);
        let mut state = lock(&self.shared);
        (state.paused, state.next_attempt) = (paused, next_attempt);
    }
}

impl State {
    fn json(&self, now: Instant) -> Value {
        let reasons = self.reasons.iter().map(|reason| {
            let kind = match reason.kind {
                Kind::Retry => "retry",
                Kind::Misconfigured => "misconfigured",
                Kind::Rejected => "rejected",
            };
            json!({ "kind": kind, "reason": reason.text, "count": reason.count, "last": reason.last })
        });
        let wait = self.next_attempt.map(|at| at.saturating_duration_since(now).as_secs_f64());
        json!({
            "documents": self.documents,
            "reasons": reasons.collect::<Vec<_>>(),
            "paused": self.paused,
            "next_attempt_seconds": wait,
        })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn push<T>(items: &mut VecDeque<T>, item: T) {
    items.truncate(SHOWN - 1);
    items.push_front(item);
}

/// Bytes as they are shown, cut where they are too long.
fn text(bytes: &[u8]) -> String {
    if bytes.len() <= MAX_TEXT {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut text = String::from_utf8_lossy(&bytes[..MAX_TEXT]).trim_end_matches('\u{fffd}').to_owned();
    text.push('…');
    text
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pages: &Pages) -> Value {
        serde_json::from_str(&pages.get(PATH).unwrap()).unwrap()
    }

    #[test]
    fn the_first_document_is_kept_and_then_one_in_a_while() {
        let pages = Pages::default();
        let mut recent = Recent::shown(&pages, true);
        for number in 0..1000 {
            recent.delivered(format!("{number}").as_bytes(), b"ok");
        }
        let later = Instant::now() + SAMPLE_EVERY;
        recent.tick(later, 0, None);
        recent.delivered(b"later", b"\x1b[31mok");
        let documents = shown(&pages)["documents"].clone();
        let texts: Vec<&str> =
            documents.as_array().unwrap().iter().map(|one| one["document"].as_str().unwrap()).collect();
        assert_eq!(texts, ["later", "0"]);
        assert_eq!(documents[0]["reply"], "\x1b[31mok");
    }

    #[test]
    fn documents_that_are_not_printed_are_not_shown() {
        let pages = Pages::default();
        Recent::shown(&pages, false).delivered(b"secret", b"secret");
        assert!(!shown(&pages).to_string().contains("secret"));
    }

    #[test]
    fn the_page_is_bounded_whatever_comes() {
        let pages = Pages::default();
        let mut recent = Recent::shown(&pages, true);
        let mut at = Instant::now();
        for number in 0..1000 {
            at += SAMPLE_EVERY;
            recent.tick(at, usize::MAX, None);
            recent.delivered("é".repeat(1 << 20).as_bytes(), &[0xff; 1 << 10]);
            recent.failed(Kind::Retry, &format!("{number}{}", "ü".repeat(10_000)));
        }
        let page = shown(&pages);
        assert_eq!(page["documents"].as_array().unwrap().len(), SHOWN);
        assert_eq!(page["reasons"].as_array().unwrap().len(), SHOWN);
        assert!(page.to_string().len() < 256 << 10);
    }

    #[test]
    fn failures_are_counted_by_their_reasons_with_the_newest_in_front() {
        let pages = Pages::default();
        let mut recent = Recent::shown(&pages, true);
        recent.failed(Kind::Retry, "answered 503");
        recent.failed(Kind::Rejected, "answered 422");
        recent.failed(Kind::Retry, "answered 503");
        let now = Instant::now();
        recent.tick(now, 2, Some(now + Duration::from_secs(60)));
        let page = shown(&pages);
        let reasons = page["reasons"].as_array().unwrap();
        let seen: Vec<_> = reasons.iter().map(|one| (&one["kind"], &one["reason"], &one["count"])).collect();
        assert_eq!(
            seen,
            [
                (&json!("retry"), &json!("answered 503"), &json!(2)),
                (&json!("rejected"), &json!("answered 422"), &json!(1))
            ]
        );
        assert_eq!(page["paused"], 2);
        assert!(page["next_attempt_seconds"].as_f64().unwrap() > 50.0);
    }
}
