//! A page that stays open: neither it nor the service grows.

use std::time::{Duration, Instant};

use end_to_end::{DataDir, Running, wait_for};

use crate::browser::{Browser, has_chromium};
use crate::exporter::Exporter;
use crate::fixture::{WIDE, dashboard_on, page_of};
use crate::looks::recent;

const MIB: u64 = 1 << 20;

/// A pod through which so many more documents have gone at each look.
fn moving(documents_a_look: u64) -> Exporter {
    Exporter::start(move |path, times| match path {
        "/recent" => Some(recent(times as f64)),
        _ => {
            let count = times * documents_a_look;
            Some(format!(
                "pipe_records_total{{outcome=\"ok\"}} {count}\npipe_post_requests_total{{status=\"200\"}} {count}\n\
                 # TYPE pipe_document_age_seconds histogram\npipe_document_age_seconds_bucket{{le=\"1\"}} {count}\n\
                 pipe_document_age_seconds_bucket{{le=\"+Inf\"}} {count}\n"
            ))
        }
    })
}

/// What is held at one time.
#[derive(Debug)]
struct Held {
    scripts: u64,
    renderers: u64,
    service: u64,
}

fn held(browser: &mut Browser, dashboard: &Running) -> Held {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", dashboard.pid().as_raw_nonzero())).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let service = rss.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10;
    Held { scripts: browser.heap(), renderers: browser.renderers_memory(), service }
}

/// Watches as long as `watch` takes, and compares what is held before and behind.
fn compare(interval: &str, documents_a_look: u64, watch: impl FnOnce(&Exporter, &mut Browser)) {
    let data = DataDir::new();
    let pod = moving(documents_a_look);
    let api =
        Exporter::start(move |_, times| Some(format!("api_requests_total {}\n", times * documents_a_look)));
    let targets = [("json-to-api", pod.address), ("api", api.address)];
    let dashboard = dashboard_on(data.path(), &targets, &["--interval", interval]);
    let mut browser = Browser::open(&page_of(&dashboard), WIDE.0, WIDE.1);
    // All windows are full, and all code was run often enough to be compiled.
    wait_for("full windows", || (pod.asked() > 500).then_some(()));
    browser.wait_until(
        "document.querySelectorAll('.spark .line')[3].getAttribute('d').split('L').length === 300",
    );
    let before = held(&mut browser, &dashboard);
    watch(&pod, &mut browser);
    let after = held(&mut browser, &dashboard);
    eprintln!("{before:?} became {after:?}");
    for (what, before, after) in [
        ("the page's scripts", before.scripts, after.scripts),
        ("the renderers", before.renderers, after.renderers),
        ("the service", before.service, after.service),
    ] {
        assert!(after < before + 64 * MIB, "{what}: {before} became {after}");
    }
    assert!(after.scripts < 32 * MIB, "{after:?}");
    browser.wait_until("document.querySelector('#connection').dataset.state === 'live'");
    browser.assert_no_complaints();
}

/// An hour has 3,600 snapshots: here they come a hundred times as quick.
#[test]
fn as_many_snapshots_as_an_hour_has_leave_no_more_in_memory() {
    if !has_chromium() {
        return;
    }
    compare("10ms", 50_000, |pod, _| {
        let until = pod.asked() + 3_600;
        wait_for("an hour's snapshots", || (pod.asked() > until).then_some(()));
    });
}

#[test]
#[ignore = "takes an hour: just nightly"]
fn an_hour_of_fifty_thousand_documents_a_second_leaves_no_more_in_memory() {
    if !has_chromium() {
        return;
    }
    compare("1s", 50_000, |_, browser| {
        let end = Instant::now() + Duration::from_secs(3_600);
        // The page is looked at as a person would.
        wait_for_hour(end, browser);
    });
}

fn wait_for_hour(end: Instant, browser: &mut Browser) {
    while Instant::now() < end {
        std::thread::sleep(Duration::from_secs(10));
        assert_eq!(browser.eval("document.querySelectorAll('.stage').length"), 5);
    }
}
