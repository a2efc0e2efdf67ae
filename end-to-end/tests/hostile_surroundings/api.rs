use end_to_end::{DataDir, Recorder, Reply, Running, stage};

/// What would be a line of a log's, and what steers a terminal.
const FORGED: &str =
    "no\r\n2026-01-01T00:00:00Z ERROR forged\n\u{1b}[2J\u{1b}]0;title\u{7}\u{8}\0\u{7f}\u{9b}31m\u{2028}";

fn reply(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    let headers = format!("{headers}content-length: {length}\r\nconnection: close\r\n");
    Reply::Raw(format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}").into_bytes())
}

/// Delivers one document to an API that answers as told, then takes it. Returns the diagnostics and what was printed.
fn delivered(api: &Recorder, format: &str) -> (String, String) {
    let data = DataDir::new();
    data.put("listing.json", "{}\n");
    let args = ["--once", "--api-url", &api.url(), "--log-format", format];
    let mut running = Running::start(&mut stage("json-to-api", data.path(), &args));
    assert!(running.wait().success(), "{}", running.log());
    (running.log(), running.out())
}

#[test]
fn an_api_that_redirects_elsewhere_is_named_and_not_followed() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let elsewhere = Recorder::start();
        let location = format!("location: {}/\r\n", elsewhere.url());
        let api = Recorder::with("api", move |before, _| match before {
            0 => reply(status, &location, ""),
            _ => Reply::Status(200),
        });
        let (log, _) = delivered(&api, "text");
        assert!(log.contains("address, set-up or credentials seem wrong"), "{log}");
        assert!(log.contains(&format!("{}/: answered {status}", api.url())), "{log}");
        assert_eq!((api.count(), elsewhere.count(), elsewhere.connections()), (2, 0, 0));
    }
}

/// A reply that means harm, and what is said about it.
type Hostile = (fn() -> Reply, &'static str);

fn hostile() -> [Hostile; 6] {
    [
        (
            || reply("503 forged \u{9b}31m", "x: forged\u{9b}31m\r\n", FORGED),
            "answered 503 Service Unavailable: no\\r\\n",
        ),
        (|| reply("404 forged", "", FORGED), "answered 404 Not Found: no\\r\\n"),
        (|| reply("422 forged", "", FORGED), "answered 422 Unprocessable Entity: no\\r\\n"),
        (|| reply("200 OK", "", FORGED), "batch done"),
        (|| reply("503 \u{1b}[31m", "x: \u{1b}[31m\r\n", FORGED), "batch done"),
        (|| Reply::Raw(FORGED.into()), "batch done"),
    ]
}

#[test]
fn what_an_api_replies_forges_no_line_and_steers_no_terminal() {
    for (hostile, said) in hostile() {
        for format in ["text", "json"] {
            let api = Recorder::with("api", move |before, _| match before {
                0 => hostile(),
                _ => Reply::Status(200),
            });
            let (log, out) = delivered(&api, format);
            for text in [&log, &out] {
                let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{2028}');
                assert_eq!(bad, None, "{text}");
                assert!(!text.lines().any(|line| line.starts_with("2026-01-01")), "{text}");
            }
            if format == "json" {
                log.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
            } else {
                assert!(log.contains(said), "{log}");
            }
        }
    }
}

#[test]
fn the_reason_of_a_refusal_is_one_line_whatever_it_quotes() {
    let api = Recorder::with("api", |_, _| reply("400 Bad Request", "", FORGED));
    let data = DataDir::new();
    data.put("listing.json", "{}\n");
    end_to_end::run(&mut stage("json-to-api", data.path(), &["--once", "--api-url", &api.url()]));
    let files = std::fs::read_dir(data.path().join("rejected")).unwrap().map(|entry| entry.unwrap().path());
    let reasons = files.filter(|path| path.extension().is_some_and(|end| end == "reasons"));
    let reasons: Vec<String> = reasons.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let [reason] = reasons.as_slice() else { panic!("{reasons:?}") };
    assert_eq!(reason.matches('\n').count(), 1, "{reason}");
    assert!(reason.starts_with("1: answered 400 Bad Request: no\\r\\n"), "{reason}");
    assert!(!reason.trim_end().contains(char::is_control), "{reason}");
}

/// JSON allows some of it as it is: a carriage return between tokens, C1 controls and line separators in strings.
#[test]
fn what_a_document_holds_forges_no_line_and_steers_no_terminal() {
    let document = "{\"a\":\r\"\u{9b}31m\u{85}\u{2028}\u{7f}\"}";
    let (data, api) = (DataDir::new(), Recorder::start());
    data.put("listing.json", format!("{document}\n"));
    let mut running =
        Running::start(&mut stage("json-to-api", data.path(), &["--once", "--api-url", &api.url()]));
    assert!(running.wait().success(), "{}", running.log());
    let bodies: Vec<Vec<u8>> = api.posts().into_iter().map(|post| post.body).collect();
    assert_eq!(bodies, [document.as_bytes()], "it is sent as it is");
    let out = running.out();
    let bad = out.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{2028}');
    assert_eq!(bad, None, "{out:?}");
    assert_eq!(out.matches("Post doc to api: {").count(), 1, "{out:?}");
}
