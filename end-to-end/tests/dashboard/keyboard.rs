//! Without a mouse, and without eyes.

use end_to_end::DataDir;
use serde_json::{Value, json};

use crate::browser::{Browser, has_chromium};
use crate::exporter::Exporter;
use crate::fixture::{WIDE, dashboard_on, page_of};

const TAB: (&str, u32) = ("Tab", 9);

fn press(browser: &mut Browser, (key, code): (&str, u32)) {
    browser.press(key, code);
}

fn focused(browser: &mut Browser) -> String {
    let name = browser.eval("document.activeElement.ariaLabel ?? document.activeElement.textContent");
    name.as_str().unwrap_or_default().trim().to_owned()
}

#[test]
fn the_keyboard_alone_reaches_everything_and_focus_stays_while_numbers_change() {
    if !has_chromium() {
        return;
    }
    let data = DataDir::new();
    std::fs::create_dir(data.path().join("rejected")).unwrap();
    data.put("rejected/listing-1.csv", "a,<i>b</i>\n");
    data.put("rejected/listing-1.csv.reasons", "7: expected 7 fields\n");
    let dashboard = dashboard_on(data.path(), &[], &["--interval", "50ms", "--allow-actions"]);
    let mut browser = Browser::open(&page_of(&dashboard), WIDE.0, WIDE.1);
    browser.wait_until("document.querySelectorAll('#rejected button').length === 2");
    let mut order = Vec::new();
    for _ in 0..5 {
        press(&mut browser, TAB);
        order.push(focused(&mut browser));
    }
    let expected = [
        "Skip to the flow",
        "Pause updates",
        "Read listing-1.csv",
        "Download listing-1.csv",
        "Send again listing-1.csv",
    ];
    assert_eq!(order, expected);
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.eval(outline), "solid");

    // Snapshots come all the time, and the button stays the same.
    let before = dashboard.metric("dashboard_pages_open");
    assert_eq!(before, Some(1.0));
    data.put("rejected/listing-2.csv", "c\n");
    browser.wait_until("document.querySelectorAll('#rejected li').length === 2");
    assert_eq!(focused(&mut browser), "Send again listing-1.csv");

    browser.eval("document.querySelector('[aria-label=\"Read listing-1.csv\"]').focus()");
    press(&mut browser, ("Enter", 13));
    browser.wait_until(
        "document.querySelector('#file').open && document.querySelectorAll('#file-lines li').length === 1",
    );
    assert_eq!(browser.text("#file-lines li"), "7a,<i>b</i>expected 7 fields");
    press(&mut browser, ("Escape", 27));
    browser.wait_until("!document.querySelector('#file').open");
    assert_eq!(focused(&mut browser), "Read listing-1.csv");
    browser.assert_no_complaints();
}

#[test]
fn updates_can_be_paused_and_go_on_where_the_flow_is() {
    if !has_chromium() {
        return;
    }
    let data = DataDir::new();
    let pod = Exporter::start(|_, times| {
        Some(format!(
            "pipe_post_requests_total{{status=\"200\"}} {times}\npipe_records_total{{outcome=\"ok\"}} {times}\n"
        ))
    });
    let dashboard = dashboard_on(data.path(), &[("json-to-api", pod.address)], &["--interval", "50ms"]);
    let mut browser = Browser::open(&page_of(&dashboard), WIDE.0, WIDE.1);
    let delivered = "Number(document.querySelector(\"[data-key='Documents delivered'] dd\")?.textContent.replaceAll(',', '') ?? 0)";
    browser.wait_until(&format!("{delivered} > 3"));
    browser.eval("document.querySelector('#hold').focus()");
    press(&mut browser, (" ", 32));
    browser.wait_until("document.querySelector('#hold').ariaPressed === 'true' && document.querySelector('#connection').dataset.state === 'held'");
    let held = browser.eval(delivered).as_f64().unwrap();
    let asked = pod.asked();
    end_to_end::wait_for("more samples", || (pod.asked() > asked + 20).then_some(()));
    assert_eq!(browser.eval(delivered).as_f64().unwrap(), held);
    press(&mut browser, (" ", 32));
    browser.wait_until(&format!("{delivered} >= {}", held + 20.0));
}

/// The names that a screen reader tells of elements of a role.
fn names(tree: &Value, role: &str) -> Vec<String> {
    let nodes = tree["nodes"].as_array().unwrap().iter();
    let of_role = nodes.filter(|node| node["role"]["value"] == role && node["ignored"] == false);
    of_role.map(|node| node["name"]["value"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_screen_reader_finds_landmarks_headings_and_names() {
    if !has_chromium() {
        return;
    }
    let data = DataDir::new();
    std::fs::create_dir(data.path().join("rejected")).unwrap();
    data.put("rejected/listing-1.csv", "a\n");
    let dashboard = dashboard_on(data.path(), &[], &["--interval", "100ms", "--allow-actions"]);
    let mut browser = Browser::open(&page_of(&dashboard), WIDE.0, WIDE.1);
    browser.wait_until("document.querySelectorAll('#rejected button').length === 2");
    browser.call("Accessibility.enable", &json!({}));
    let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
    assert_eq!((names(&tree, "banner").len(), names(&tree, "main").len()), (1, 1));
    let regions = [
        "Overview",
        "Flow",
        "Load on the api’s pods",
        "From file to answer",
        "Retries and pauses",
        "Last documents and replies",
        "Rejected files",
    ];
    assert_eq!(names(&tree, "region"), regions);
    let headings = names(&tree, "heading");
    for heading in ["k8s-pipe", "Flow", "getdata", "text-to-csv", "csv-to-json", "json-to-api", "api"] {
        assert!(headings.iter().any(|found| found == heading), "{heading} in {headings:?}");
    }
    for role in ["button", "link", "list"] {
        assert!(!names(&tree, role).is_empty(), "{role}");
    }
    assert!(names(&tree, "button").iter().chain(&names(&tree, "link")).all(|name| !name.is_empty()));
    assert_eq!(browser.eval("document.querySelector('[role=status]').id"), "news");
    assert_eq!(browser.eval("document.documentElement.lang"), "en");
    browser.assert_no_complaints();
}
