//! What json-to-api says of documents: the last that were answered, and why others were not.

use serde::{Deserialize, Serialize};

/// So much of each is kept, of all pods together.
const MAX_SHOWN: usize = 20;
/// Of a text, in bytes: another program's page may be anything.
const MAX_TEXT: usize = 4 << 10;

/// A pod's page, or those of several together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Recent {
    /// The newest first.
    documents: Vec<Sample>,
    reasons: Vec<Reason>,
    /// Documents that wait for their next attempt.
    paused: u64,
    next_attempt_seconds: Option<f64>,
}

/// A document and what it was answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Sample {
    /// Milliseconds since 1970.
    at: u64,
    document: String,
    reply: String,
}

/// Why documents were not delivered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reason {
    kind: String,
    reason: String,
    count: u64,
    /// Milliseconds since 1970.
    last: u64,
}

impl Recent {
    /// Reads a page; one that cannot be read says nothing.
    pub(crate) fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// Adds what another pod says.
    pub(crate) fn merge(&mut self, other: Recent) {
        self.documents.extend(other.documents);
        self.documents.sort_by_key(|sample| std::cmp::Reverse(sample.at));
        self.documents.truncate(MAX_SHOWN);
        for sample in &mut self.documents {
            cut(&mut sample.document);
            cut(&mut sample.reply);
        }
        for mut reason in other.reasons {
            cut(&mut reason.reason);
            cut(&mut reason.kind);
            let same = |known: &&mut Reason| (&known.kind, &known.reason) == (&reason.kind, &reason.reason);
            match self.reasons.iter_mut().find(same) {
                Some(known) => {
                    known.count = known.count.saturating_add(reason.count);
                    known.last = known.last.max(reason.last);
                }
                None => self.reasons.push(reason),
            }
        }
        self.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.last));
        self.reasons.truncate(MAX_SHOWN);
        self.paused = self.paused.saturating_add(other.paused);
        let nexts = [self.next_attempt_seconds, other.next_attempt_seconds].into_iter().flatten();
        self.next_attempt_seconds = nexts.reduce(f64::min);
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_several_pods_become_one_with_the_newest_first() {
        let mut all = Recent::default();
        for at in [5, 9, 7] {
            let page = format!(
                r#"{{"documents":[{{"at":{at},"document":"d{at}","reply":"r"}}],"paused":2,"next_attempt_seconds":{at},
                "reasons":[{{"kind":"retry","reason":"503","count":3,"last":{at}}}]}}"#
            );
            all.merge(Recent::parse(&page));
        }
        let documents: Vec<&str> = all.documents.iter().map(|sample| sample.document.as_str()).collect();
        assert_eq!(documents, ["d9", "d7", "d5"]);
        assert_eq!((all.reasons.len(), all.reasons[0].count, all.reasons[0].last), (1, 9, 9));
        assert_eq!((all.paused, all.next_attempt_seconds), (6, Some(5.0)));
    }

    #[test]
    fn whatever_a_page_holds_what_is_kept_is_bounded() {
        let sample = Sample { at: 1, document: "é".repeat(1 << 20), reply: String::new() };
        let reason =
            |last: u64| Reason { kind: "x".repeat(1 << 20), reason: last.to_string(), count: u64::MAX, last };
        let mut all = Recent::default();
        all.merge(Recent {
            documents: vec![sample; 100],
            reasons: (0..100).map(reason).collect(),
            paused: u64::MAX,
            next_attempt_seconds: None,
        });
        assert!(serde_json::to_string(&all).unwrap().len() < 200 << 10);
        for nonsense in ["", "[]", "{\"documents\":1}", "\u{0}"] {
            assert_eq!(Recent::parse(nonsense), Recent::default(), "{nonsense}");
        }
    }
}
