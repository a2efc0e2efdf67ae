//! What moves, and what stands still.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::browser::has_chromium;
use crate::fixture::{Chain, line};

/// A number as the page shows it.
fn shown(count: f64) -> String {
    let digits = format!("{count:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

fn card(stage: &str, part: &str) -> String {
    format!(".stage[data-key=\"{stage}\"] {part}")
}

#[test]
fn the_flow_moves_and_the_pages_numbers_are_those_of_the_metrics_and_the_volume() {
    if !has_chromium() {
        return;
    }
    let chain = Chain::start(&["--interval", "200ms"]);
    let mut browser = chain.browser();
    let lines: String = (0..2_500).map(|number| line(&format!("f{number}"))).collect();
    chain.data.put("listing.txt", format!("{lines}no line\n"));
    let delivered = "#overview [data-key='Documents delivered'] dd";
    browser.wait_until(&format!("document.querySelector(\"{delivered}\").textContent === '2,500'"));

    let records = "pipe_records_total{outcome=\"ok\",stage=\"json-to-api\"}";
    assert_eq!(browser.text(delivered), shown(chain.json_to_api.metric(records).unwrap()));
    let rejected = "pipe_records_total{outcome=\"rejected\",stage=\"text-to-csv\"}";
    assert_eq!(chain.text_to_csv.metric(rejected), Some(1.0));
    let figures = |stage: &str| card(stage, ".figures div:last-child dd");
    assert_eq!(browser.text(&figures("text-to-csv")), "1");
    assert_eq!(browser.text(&figures("csv-to-json")), "0");
    for stage in ["text-to-csv", "csv-to-json", "json-to-api", "api"] {
        let spark = format!("document.querySelector('{}').ariaLabel", card(stage, ".spark"));
        let label = browser.eval(&spark).as_str().unwrap().to_owned();
        assert!(!label.ends_with(": 0 at most"), "{stage} never moved: {label}");
    }
    let requests: f64 = chain.apis.iter().map(|api| api.metric("api_requests_total").unwrap()).sum();
    assert!(requests >= 2_500.0);
    let sum = "[...document.querySelectorAll('#shares .bar-value')].map((one) => \
        Number(one.textContent.split(', ')[1].replace(' in all', '').replace(',', ''))).reduce((a, b) => a + b)";
    browser.wait_until(&format!("({sum}) === {requests}"));
    // Both are called what this machine is called, and are told apart all the same.
    assert_eq!(
        browser.eval(
            "new Set([...document.querySelectorAll('#shares .bar-name')].map((one) => one.textContent)).size"
        ),
        2
    );

    chain.data.put("listing-slow.csv", "a,b\n".repeat(3));
    browser.wait_until(&format!("document.querySelector('{}').textContent === '1'", figures("csv-to-json")));
    browser.assert_no_complaints();
}

#[test]
fn a_stopped_stage_shows_within_five_seconds_and_so_does_its_return() {
    if !has_chromium() {
        return;
    }
    let chain = Chain::start(&[]);
    let mut browser = chain.browser();
    let has_state = |state: &str| {
        format!("document.querySelector('.stage[data-key=\"csv-to-json\"][data-state={state}]') !== null")
    };
    let mut took = Vec::new();
    // The machine may be busy with others: of a few the best counts.
    for _ in 0..3 {
        browser.wait_until(&has_state("idle"));
        let start = Instant::now();
        chain.csv_to_json.signal(Signal::STOP);
        browser.wait_until(&has_state("stopped"));
        took.push(start.elapsed());
        assert!(browser.text(&card("csv-to-json", ".reason")).contains("no answer in time"));
        browser.wait_until("document.querySelector('#news').textContent.includes('csv-to-json is stopped')");
        chain.csv_to_json.signal(Signal::CONT);
    }
    browser.wait_until(&has_state("idle"));
    assert!(took.iter().min().unwrap() < &Duration::from_secs(5), "{took:?}");
    browser.assert_no_complaints();
}

#[test]
fn a_stage_that_was_killed_shows_as_stopped_and_a_dashboard_that_was_is_missed() {
    if !has_chromium() {
        return;
    }
    let Chain { data: _data, text_to_csv, csv_to_json: _c, json_to_api: _j, apis: _apis, dashboard, .. } =
        Chain::start(&[]);
    let page = crate::fixture::page_of(&dashboard);
    let mut browser = crate::browser::Browser::open(&page, 800, 600);
    browser.wait_until("document.querySelectorAll('.stage[data-state=idle]').length === 4");
    assert_eq!(text_to_csv.end_by(Signal::KILL), None);
    browser.wait_until(
        "document.querySelector('.stage[data-key=\"text-to-csv\"][data-state=stopped]') !== null",
    );
    // At first a connection that stood may have been cut.
    let reason = card("text-to-csv", ".reason");
    browser.wait_until(&format!("document.querySelector('{reason}').textContent.includes('nobody listens')"));
    browser.wait_until("document.querySelector('#connection').dataset.state === 'live'");
    assert!(dashboard.stop().contains("listening"));
    browser.wait_until("document.querySelector('#connection').dataset.state === 'lost'");
}
