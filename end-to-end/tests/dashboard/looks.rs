//! How it looks: in narrow and wide windows, light and dark, with and without motion.
//!
//! With `PICTURES` set to a directory, the pictures are kept there.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use end_to_end::{DataDir, Running};

use crate::browser::{Browser, has_chromium};
use crate::exporter::Exporter;
use crate::fixture::{WIDE, dashboard_on, page_of};

/// Pods that work as those of a busy day do.
fn busy(data: &DataDir, more: &[&str]) -> (Running, Vec<Exporter>) {
    let start = Instant::now();
    let converter = move |rate: f64, stage: &'static str| {
        Exporter::start(move |path, _| {
            let t = start.elapsed().as_secs_f64();
            let count = rate * (t + 1.2 * (t / 5.0).sin() + 0.3 * (t / 2.0 + rate).cos());
            (path != "/recent").then(|| {
                format!("pipe_records_total{{outcome=\"ok\",stage=\"{stage}\"}} {count:.0}\npipe_batches_total 9\n")
            })
        })
    };
    let mut pods = vec![
        ("text-to-csv", converter(61_000.0, "text-to-csv")),
        ("csv-to-json", converter(58_000.0, "csv-to-json")),
    ];
    pods.push(("json-to-api", sender(start)));
    for (number, share) in [(0, 0.215), (1, 0.205), (2, 0.2), (3, 0.195), (4, 0.185)] {
        pods.push(("api", api_pod(start, number, share)));
    }
    let targets: Vec<(&str, SocketAddr)> = pods.iter().map(|(name, pod)| (*name, pod.address)).collect();
    let dashboard = dashboard_on(data.path(), &targets, more);
    (dashboard, pods.into_iter().map(|(_, pod)| pod).collect())
}

fn sender(start: Instant) -> Exporter {
    Exporter::start(move |path, _| {
        let t = start.elapsed().as_secs_f64();
        let sent = 50_000.0 * (t + (t / 7.0).sin() + 0.25 * (t / 2.0).cos());
        let within = |share: f64| (sent * share).round();
        match path {
            "/metrics" => Some(format!(
                "pipe_records_total{{outcome=\"ok\",stage=\"json-to-api\"}} {}\npipe_records_total{{outcome=\"rejected\",stage=\"json-to-api\"}} 12\n\
                 pipe_post_requests_total{{status=\"200\"}} {}\npipe_post_requests_total{{status=\"503\"}} 41\npipe_post_retries_total 41\n\
                 pipe_volume_free_bytes 42949672960\npipe_oldest_waiting_seconds{{stage=\"json-to-api\"}} 1.4\n\
                 # TYPE pipe_document_age_seconds histogram\npipe_document_age_seconds_bucket{{le=\"0.25\"}} {}\n\
                 pipe_document_age_seconds_bucket{{le=\"0.5\"}} {}\npipe_document_age_seconds_bucket{{le=\"1\"}} {}\n\
                 pipe_document_age_seconds_bucket{{le=\"2\"}} {}\npipe_document_age_seconds_bucket{{le=\"+Inf\"}} {}\n",
                within(1.0),
                within(1.0),
                within(0.3),
                within(0.7),
                within(0.93),
                within(0.995),
                within(1.0)
            )),
            "/recent" => Some(recent(t)),
            _ => Some("ok".to_owned()),
        }
    })
}

/// What json-to-api shows of documents at that time.
pub(crate) fn recent(seconds: f64) -> String {
    let names = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/proc/irq/26/smp_affinity_list",
        "/usr/share/zoneinfo/Europe/Berlin",
        "/sys/module/sr_mod/sections/.init.text",
        "/var/lib/dpkg/status",
        "/home/a \"quoted\" name",
        "/usr/lib/python3/dist-packages/yaml/composer.py",
        "/sys/kernel/irq/7/type",
    ];
    let now = 1_795_305_600_000_u64 + (seconds * 1000.0) as u64;
    let documents: Vec<_> = names.iter().enumerate().map(|(place, name)| {
        let file = serde_json::json!(name);
            let document = format!(
                r#"{{"mod":"-rw-r--r--","no":"1","user":"root","group":"root","usrno":"4096","date":"Mar 20 00:40","file":{file}}}"#
            );
        let reply = format!("{{\"response\":\"ok\",\"container\":\"api-9b865649-{}\"}}", ["v27jq", "x8s2k", "q4w9d"][place % 3]);
        serde_json::json!({"at": now - 250 * place as u64, "document": document, "reply": reply})
    }).collect();
    let reasons = serde_json::json!([
        {"kind": "retry", "reason": "answered 503 Service Unavailable: too many requests in hand", "count": 38, "last": now},
        {"kind": "rejected", "reason": "answered 422 Unprocessable Entity: `usrno` is no number", "count": 12, "last": now - 41_000},
        {"kind": "retry", "reason": "no answer within 10s", "count": 3, "last": now - 93_000}
    ]);
    serde_json::json!({"documents": documents, "reasons": reasons, "paused": 2, "next_attempt_seconds": 0.8})
        .to_string()
}

fn api_pod(start: Instant, number: u16, share: f64) -> Exporter {
    let suffix = ["v27jq", "x8s2k", "q4w9d", "mm5tz", "c7h0p"][usize::from(number)];
    Exporter::start(move |path, _| {
        let t = start.elapsed().as_secs_f64();
        let count = 50_000.0 * share * (t + (t / 7.0).sin() + 0.25 * (t / 2.0).cos());
        (path != "/recent")
            .then(|| format!("api_requests_total {count:.0}\napi_info{{pod=\"api-9b865649-{suffix}\"}} 1\n"))
    })
}

fn files(data: &DataDir) {
    for number in 0..3 {
        data.put(&format!("listing-{number}.csv"), "x");
    }
    for number in 0..2 {
        data.put(&format!("listing-{number}.json"), "x");
    }
    // A UUID of version 7 begins with the time.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let claim = format!("{:08x}-{:04x}-7cc3-98c4-dc0c0c07398f.1", now >> 16, now & 0xffff);
    for stage in ["text-to-csv", "json-to-api"] {
        let directory = data.path().join(".pipe/1").join(stage).join(&claim);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("input"), "x").unwrap();
    }
    std::fs::create_dir(data.path().join("rejected")).unwrap();
    let name = "rejected/listing-0196f22e-8a51-7d10-b6f3-2f0e5a7c1d44.json";
    data.put(name, "{\"usrno\":\"many\"}\n".repeat(12));
    data.put(&format!("{name}.reasons"), "3: answered 422 Unprocessable Entity\n".repeat(12));
}

fn keep(name: &str, picture: &str) {
    let Some(directory) = std::env::var_os("PICTURES") else { return };
    let path = Path::new(&directory).join(name);
    // The base64 of coreutils: a picture is looked at by people.
    let mut decode = std::process::Command::new("base64");
    let mut decode = decode
        .arg("-d")
        .stdin(std::process::Stdio::piped())
        .stdout(std::fs::File::create(path).unwrap())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut decode.stdin.take().unwrap(), picture.as_bytes()).unwrap();
    assert!(decode.wait().unwrap().success());
}

/// How far the page reaches beyond the window, and which elements do.
const OVERFLOW: &str = "[document.documentElement.scrollWidth - document.documentElement.clientWidth, \
    ...[...document.querySelectorAll('body *')].filter((one) => !one.closest('.visually-hidden, .skip') \
    && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.className)]";

#[test]
fn it_fits_narrow_and_wide_windows_in_light_and_dark() {
    if !has_chromium() {
        return;
    }
    let data = DataDir::new();
    files(&data);
    // Pictures show what people see: windows that are full.
    let (interval, samples) = if std::env::var_os("PICTURES").is_some() { ("1s", 300) } else { ("250ms", 4) };
    let (dashboard, _pods) = busy(&data, &["--interval", interval]);
    let mut browser = Browser::open(&page_of(&dashboard), WIDE.0, WIDE.1);
    browser.wait_until("document.querySelectorAll('.stage[data-state=working]').length === 4");
    browser.wait_until(&format!("document.querySelector('.stage .line').getAttribute('d')?.length > 0 && document.querySelectorAll('.line')[3].getAttribute('d').split('L').length >= {samples}"));
    let mut backgrounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer("prefers-color-scheme", scheme);
        backgrounds.push(browser.eval("getComputedStyle(document.body).backgroundColor"));
        for (width, height) in [WIDE, (1100, 900), (768, 1024), (360, 800)] {
            browser.resize(width, height);
            assert_eq!(browser.eval(OVERFLOW), serde_json::json!([0]), "{width} {scheme}");
            let picture = browser.picture();
            assert!(picture.len() > 20_000);
            keep(&format!("{scheme}-{width}.png"), &picture);
        }
        browser.resize(WIDE.0, WIDE.1);
    }
    assert_ne!(backgrounds[0], backgrounds[1]);
    let moves = "getComputedStyle(document.querySelector('.pipe[data-flowing=true]')).animationName";
    assert_eq!(browser.eval(moves), "along");
    browser.prefer("prefers-reduced-motion", "reduce");
    assert_eq!(browser.eval(moves), "none");
    browser.assert_no_complaints();
}

/// Of WCAG 2.2: 4.5 to 1 for text.
#[test]
fn all_text_has_contrast_in_light_and_dark() {
    if !has_chromium() {
        return;
    }
    let data = DataDir::new();
    files(&data);
    let (dashboard, _pods) = busy(&data, &["--interval", "250ms"]);
    let mut browser = Browser::open(&page_of(&dashboard), WIDE.0, WIDE.1);
    browser.wait_until("document.querySelectorAll('#documents li').length === 8");
    for scheme in ["light", "dark"] {
        browser.prefer("prefers-color-scheme", scheme);
        let poor = browser.eval(include_str!("contrast.js"));
        assert_eq!(poor, serde_json::json!([]), "{scheme}");
    }
}
