//! Rejected files: sent again by a click, and by nobody who was not allowed to.

use std::fs;

use end_to_end::{DataDir, wait_for};
use serde_json::Value;

use crate::browser::has_chromium;
use crate::fixture::{Chain, dashboard_on, get, line};

#[test]
fn looking_makes_locks_and_moves_nothing_on_the_volume() {
    let data = DataDir::new();
    data.put("listing.txt", "no line\n");
    let dashboard = dashboard_on(data.path(), &[], &["--interval", "20ms"]);
    let snapshot = || serde_json::from_str::<Value>(&get(&dashboard, "/snapshot").1).unwrap();
    wait_for("the file that waits", || (snapshot()["programs"][1]["waiting"] == 1).then_some(()));
    fs::rename(data.path().join("listing.txt"), data.path().join("listing.csv")).unwrap();
    wait_for("the file elsewhere", || (snapshot()["programs"][2]["waiting"] == 1).then_some(()));
    let names: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["listing.csv"]);
    let files = fs::read_dir(format!("/proc/{}/fd", dashboard.pid().as_raw_nonzero())).unwrap();
    let open = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    assert!(!open.into_iter().any(|file| file.starts_with(data.path())), "it holds a file of the volume");
    fs::remove_file(data.path().join("listing.csv")).unwrap();
    fs::remove_dir(data.path()).unwrap();
    wait_for("the reason", || {
        let problem = snapshot()["volume"]["problem"].as_str().map(str::to_owned);
        problem.filter(|problem| problem.contains("failed to read directory"))
    });
    fs::create_dir(data.path()).unwrap();
    wait_for("the volume's return", || snapshot()["volume"]["problem"].is_null().then_some(()));
}

#[test]
fn a_rejected_file_that_was_mended_goes_through_once_it_is_sent_again() {
    if !has_chromium() {
        return;
    }
    let chain = Chain::start(&["--interval", "200ms", "--allow-actions"]);
    let mut browser = chain.browser();
    chain.data.put("listing.txt", "<b>no line</b>\n");
    browser.wait_until("document.querySelectorAll('#rejected li').length === 1");
    let name = browser.text("#rejected .file-name");
    browser.eval("document.querySelector('#rejected button').click()");
    browser.wait_until("document.querySelectorAll('#file-lines li').length === 1");
    let shown = browser.text("#file-lines li");
    assert!(shown.starts_with("1<b>no line</b>") && shown.contains("expected"), "{shown}");
    browser.eval("document.querySelector('#file-close').click()");
    chain.data.put(&format!("rejected/{name}"), line("mended"));
    browser.eval("document.querySelector('#rejected button:last-child').click()");
    wait_for("the document", || chain.json_to_api.out().contains("\"file\":\"/mended\"").then_some(()));
    browser.wait_until("document.querySelectorAll('#rejected li').length === 0");
    assert!(chain.data.rejected().is_empty());
    assert!(chain.dashboard.log().contains("a rejected file is sent again"));
    browser.assert_no_complaints();
}

#[test]
fn without_the_right_there_is_no_button_and_the_volume_is_not_touched() {
    if !has_chromium() {
        return;
    }
    let chain = Chain::start(&["--interval", "200ms"]);
    let mut browser = chain.browser();
    chain.data.put("listing.txt", "no line\n");
    browser.wait_until("document.querySelectorAll('#rejected li').length === 1");
    assert_eq!(browser.eval("document.querySelectorAll('#rejected button, #rejected a').length"), 0);
    let name = browser.text("#rejected .file-name");
    let ask = |path: &str, method: &str| {
        format!(
            "fetch('./rejected/{name}{path}', {{ method: '{method}', headers: {{ 'x-dashboard': '1' }} }}).then((reply) => reply.status)"
        )
    };
    for (path, method) in [("", "GET"), ("/download", "GET"), ("/send-again", "POST")] {
        assert_eq!(browser.eval(&ask(path, method)), 403, "{path}");
    }
    assert_eq!(chain.data.rejected(), [b"no line"]);
}
