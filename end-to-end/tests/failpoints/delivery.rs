//! json-to-api against an API that takes documents, refuses some, and is busy for others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;
use std::sync::Mutex;

use end_to_end::{DataDir, Post, Recorder, Reply, stage};

use crate::conversion::check_reasons;
use crate::trial::{Attempt, Case};

/// By the contract, so many documents are sent twice after a kill, besides those in flight.
const UNSAVED: usize = 1_000;
/// So often the API is busy for a document that it is busy for: the pauses outlast the time within which answers are
/// saved, so that there is a save to crash in.
const BUSY: usize = 3;
const NO_DOCUMENT: &str = "no document at all";

/// json-to-api's case.
pub(crate) struct Delivery {
    pub(crate) documents: usize,
    pub(crate) concurrency: usize,
}

impl Case for Delivery {
    fn name(&self) -> String {
        format!("json-to-api, {} documents, {} in flight", self.documents, self.concurrency)
    }

    fn begin(&self) -> Box<dyn Attempt> {
        let (data, lines) = (DataDir::in_memory(), lines(self.documents));
        data.put("listing.json", lines.join("\n") + "\n");
        let attempts = Mutex::new(HashMap::new());
        let api = Recorder::with("api-7d4f", move |_, post| answer(post, &mut attempts.lock().unwrap()));
        Box::new(Delivering { data, lines, api, concurrency: self.concurrency })
    }
}

/// A few of them are to be refused, and a few come upon a busy API.
fn lines(documents: usize) -> Vec<String> {
    let kind = |n: usize| match n % 1_000 {
        2 | 7 => "busy",
        3 | 8 => "refused",
        _ => "taken",
    };
    let mut lines: Vec<String> =
        (0..documents).map(|n| format!(r#"{{"n":"{n}","is":"{}"}}"#, kind(n))).collect();
    lines.insert(5, NO_DOCUMENT.to_owned());
    lines
}

fn is(line: &[u8], kind: &str) -> bool {
    line.ends_with(format!("\"{kind}\"}}").as_bytes())
}

fn answer(post: &Post, attempts: &mut HashMap<String, usize>) -> Reply {
    let attempt = attempts.entry(post.key.clone()).or_default();
    *attempt += 1;
    match () {
        () if is(&post.body, "refused") => Reply::Status(422),
        () if is(&post.body, "busy") && *attempt <= BUSY => Reply::Status(503),
        () => Reply::Status(200),
    }
}

struct Delivering {
    data: DataDir,
    lines: Vec<String>,
    api: Recorder,
    concurrency: usize,
}

impl Attempt for Delivering {
    fn data(&self) -> &DataDir {
        &self.data
    }

    fn command(&self) -> Command {
        let concurrency = self.concurrency.to_string();
        let args = ["--once", "--api-url", &self.api.url(), "--concurrency", &concurrency];
        stage("json-to-api", self.data.path(), &args)
    }

    fn check(&self, printed: &str, crashes: usize) {
        assert_eq!(self.data.waiting("json"), Vec::<String>::new(), "left as it was");
        let (refused, delivered): (Vec<&String>, Vec<&String>) =
            self.lines.iter().partition(|line| *line == NO_DOCUMENT || is(line.as_bytes(), "refused"));
        let mut rejected: Vec<String> =
            self.data.rejected().into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
        rejected.sort_by_key(|line| self.lines.iter().position(|other| other == line));
        assert_eq!(rejected.iter().collect::<Vec<_>>(), refused, "rejected");
        check_reasons(&self.data, refused.len());
        self.check_posts(&delivered, crashes);
        check_blocks(&delivered, printed);
    }
}

impl Delivering {
    /// Every document came, always under the same key, which no other has, and not too often.
    fn check_posts(&self, delivered: &[&String], crashes: usize) {
        let mut keys: BTreeMap<Vec<u8>, BTreeSet<String>> = BTreeMap::new();
        let mut doubled = 0;
        let mut times: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for Post { key, body, .. } in self.api.posts() {
            keys.entry(body.clone()).or_default().insert(key);
            *times.entry(body).or_default() += 1;
        }
        let all: BTreeSet<&String> = keys.values().flatten().collect();
        assert!(keys.values().all(|keys| keys.len() == 1), "a document was sent under two keys");
        assert_eq!(all.len(), keys.len(), "two documents were sent under one key");
        for line in delivered {
            let needed = if is(line.as_bytes(), "busy") { BUSY + 1 } else { 1 };
            let came = times.get(line.as_bytes()).copied().unwrap_or_default();
            assert!(came >= needed, "{line} was lost");
            doubled += came - needed;
        }
        let most = crashes * (self.concurrency + UNSAVED);
        assert!(doubled <= most, "{doubled} were sent twice after {crashes} crashes");
    }
}

/// Every document that was delivered has its block, whole.
fn check_blocks(delivered: &[&String], printed: &str) {
    let head = format!("{}\n\nPost doc to api: ", "-".repeat(68));
    let blocks: BTreeSet<&str> = printed.split(head.as_str()).collect();
    for line in delivered {
        let block = format!("{line}\n{{\"response\":\"ok\",\"container\":\"api-7d4f\"}}\n");
        assert!(blocks.contains(block.as_str()), "{line} has no block");
    }
}
