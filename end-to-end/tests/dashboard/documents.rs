//! What others wrote is shown as text: markup, scripts, escapes, and texts that run the other way.

use end_to_end::{DataDir, Recorder, Reply, Running, stage};

use crate::browser::{Browser, has_chromium};
use crate::fixture::{WIDE, dashboard_on, page_of};

const MARKUP: &str = "<img src=x onerror=document.title=1><script>document.title=2</script>";

/// An API that answers a status with this body.
fn answering(status: &'static str, body: String) -> Recorder {
    Recorder::with("hostile", move |_, _| {
        let length = body.len();
        Reply::Raw(
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                .into_bytes(),
        )
    })
}

fn open(data: &DataDir, api: &Recorder) -> (Running, Running, Browser) {
    let sender = Running::start(&mut stage("json-to-api", data.path(), &["--api-url", &api.url()]));
    let targets = [("json-to-api", sender.address("admin port open"))];
    let dashboard = dashboard_on(data.path(), &targets, &["--interval", "100ms"]);
    let browser = Browser::open(&page_of(&dashboard), WIDE.0, WIDE.1);
    (sender, dashboard, browser)
}

#[test]
fn documents_and_replies_are_text_whatever_they_hold() {
    if !has_chromium() {
        return;
    }
    let data = DataDir::new();
    let api = answering("200 OK", format!("{MARKUP}\u{1b}[31mred\u{1b}[0m\u{202e}backwards\u{0}"));
    let (_sender, _dashboard, mut browser) = open(&data, &api);
    data.put(
        "listing.json",
        format!("{}\n", serde_json::json!({ "file": MARKUP, "escape": "\u{1b}]0;x\u{7}" })),
    );
    browser.wait_until("document.querySelectorAll('#documents li').length === 1");
    let document = browser.text("#documents .document");
    assert!(document.contains(MARKUP) && document.contains("\\u001b]0;x\\u0007"), "{document}");
    let reply = browser.text("#documents .reply");
    assert!(
        reply.contains(MARKUP) && reply.contains("\\u001b[31mred\\u001b[0m\\u202ebackwards\\u0000"),
        "{reply}"
    );
    assert_eq!(browser.eval("document.querySelectorAll('main img, main script').length"), 0);
    assert_eq!(browser.eval("document.title"), "k8s-pipe: the flow");
    browser.assert_no_complaints();
}

#[test]
fn retries_and_pauses_are_shown_with_their_reasons_as_text() {
    if !has_chromium() {
        return;
    }
    let data = DataDir::new();
    let api = answering("503 Service Unavailable", MARKUP.to_owned());
    let (sender, _dashboard, mut browser) = open(&data, &api);
    data.put("listing.json", "{\"a\":1}\n{\"a\":2}\n");
    browser.wait_until("document.querySelectorAll('#reasons li[data-kind=retry]').length === 1");
    let reason = browser.text("#reasons bdi");
    assert!(reason.starts_with("answered 503 Service Unavailable") && reason.contains("<img"), "{reason}");
    let paused = "#overview [data-key='Documents paused'] dd";
    browser.wait_until(&format!("document.querySelector(\"{paused}\").textContent === '2'"));
    browser.wait_until("/[1-9] × 503/.test(document.querySelector('#trouble-note').textContent)");
    assert!(sender.metric("pipe_post_requests_total{status=\"503\"}").unwrap() >= 2.0);
    assert_eq!(browser.eval("document.querySelectorAll('main img, main script').length"), 0);
    browser.assert_no_complaints();
}
