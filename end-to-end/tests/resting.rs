//! Documents that an API never takes: they hold up nobody else.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use end_to_end::{DataDir, Post, Recorder, Reply, Running, stage, wait_for};

const RESTING: &str = r#"pipe_resting_batches{stage="json-to-api"}"#;

/// An API that answers with `status` to documents that `is_poison` chooses, until it gets well.
fn sick_api(status: u16, is_poison: fn(&[u8]) -> bool) -> (Recorder, Arc<AtomicBool>) {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let api = Recorder::with("api", move |_, post| match post.body.as_slice() {
        body if is_poison(body) && !well.load(Ordering::SeqCst) => Reply::Status(status),
        _ => Reply::Status(200),
    });
    (api, is_well)
}

fn ends_with_poison(body: &[u8]) -> bool {
    body.ends_with(b"poison\"}")
}

/// The different documents that came, but for the poisonous.
fn good(posts: &[Post]) -> BTreeSet<&[u8]> {
    posts.iter().map(|post| post.body.as_slice()).filter(|body| !ends_with_poison(body)).collect()
}

/// A batch that rests is named, but not again and again.
fn assert_is_short(log: &str) {
    assert!(log.len() < 1 << 20, "{} bytes, which begin with {}", log.len(), log.get(..2_000).unwrap_or(log));
}

#[test]
fn a_document_that_is_always_answered_500_lets_every_later_file_through() {
    let (api, is_well) = sick_api(500, ends_with_poison);
    let data = DataDir::new();
    // Two of them: while one has its turn, the other rests.
    data.put("listing.json", "{\"n\":\"first\"}\n{\"n\":\"poison\"}\n{\"n\":\"second\"}\n");
    data.put("listing-0.json", "{\"n\":\"third\"}\n{\"n\":\"other poison\"}\n");
    let running = Running::start(&mut stage("json-to-api", data.path(), &["--api-url", &api.url()]));
    for number in 1..=5 {
        data.put(&format!("listing-{number}.json"), format!("{{\"n\":\"{number}\"}}\n"));
        wait_for("a file behind it", || {
            assert_is_short(&running.log());
            (good(&api.posts()).len() == 3 + number).then_some(())
        });
    }
    wait_for("a batch that rests", || {
        assert_is_short(&running.log());
        running.metric(RESTING).is_some_and(|resting| resting >= 1.0).then_some(())
    });
    assert_eq!(running.ask("/readyz").0, 200, "{}", running.ask("/readyz").1);
    is_well.store(true, Ordering::SeqCst);
    wait_for("the end of both batches", || {
        assert_is_short(&running.log());
        data.in_hand().is_empty().then_some(())
    });
    wait_for("no batch that rests", || (running.metric(RESTING) == Some(0.0)).then_some(()));
    running.stop();
    let mut keys: BTreeMap<Vec<u8>, BTreeSet<String>> = BTreeMap::new();
    let mut times: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for Post { key, body, .. } in api.posts() {
        keys.entry(body.clone()).or_default().insert(key);
        *times.entry(body).or_default() += 1;
    }
    assert!(keys.values().all(|keys| keys.len() == 1), "each has one key: {keys:?}");
    times.retain(|body, count| *count > 1 && !ends_with_poison(body));
    assert_eq!(times, BTreeMap::new(), "sent again without need");
    assert_eq!((data.rejected(), data.in_hand()), (Vec::new(), Vec::<PathBuf>::new()));
}

/// More than may be answered beyond the journal, and more than are in flight.
#[test]
fn two_percent_of_a_file_that_are_answered_503_do_not_stop_the_rest() {
    const DOCUMENTS: usize = 60_000;
    let (api, _) = sick_api(503, ends_with_poison);
    let data = DataDir::new();
    let kind = |n: usize| if n.is_multiple_of(50) { "poison" } else { "good" };
    let lines = (0..DOCUMENTS).map(|n| format!("{{\"n\":\"{n} {}\"}}\n", kind(n)));
    data.put("listing.json", lines.collect::<String>());
    let args = ["--api-url", &api.url(), "--log-docs", "false"];
    let running = Running::start(&mut stage("json-to-api", data.path(), &args));
    let expected = DOCUMENTS - DOCUMENTS / 50;
    wait_for("the other documents", || {
        (api.count() >= expected && good(&api.posts()).len() == expected).then_some(())
    });
    assert_eq!(running.ask("/readyz").0, 200);
    running.stop();
    assert!(data.claim("json-to-api").is_some(), "the rest waits for the next owner");
}
