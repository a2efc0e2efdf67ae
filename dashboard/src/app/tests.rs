use std::path::Path as FilePath;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use service::{Context, Shutdown};
use tokio::sync::watch;
use tower::ServiceExt as _;
use volume::{View, Volume};

use super::*;

const FILE: &str = "listing-1.csv";

fn app(directory: &FilePath, allow_actions: bool) -> Router {
    let volume = allow_actions.then(|| Volume::open(directory).unwrap());
    let rejected = directory.join("rejected");
    std::fs::create_dir_all(&rejected).unwrap();
    std::fs::write(rejected.join(FILE), "a,<b>\n").unwrap();
    std::fs::write(rejected.join(format!("{FILE}.reasons")), "4: expected 7 fields\n").unwrap();
    let (_, latest) = watch::channel(Arc::from("{}"));
    App {
        events: Events::new(latest, &Context::new(Shutdown::new())).unwrap(),
        rejected: Arc::new(Rejected::new(View::new(directory), volume, "listing")),
        is_local: true,
    }
    .router()
}

async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.into()).unwrap())
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "127.0.0.1:1")
}

async fn get(router: &Router, path: &str) -> (StatusCode, HeaderMap, String) {
    ask(router, request("GET", path).body(Body::empty()).unwrap()).await
}

async fn send(router: &Router, path: &str) -> (StatusCode, HeaderMap, String) {
    ask(router, request("POST", path).header("x-dashboard", "1").body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_part_of_the_page_is_its_own_and_nothing_inline_may_run() {
    let directory = tempfile::tempdir().unwrap();
    let router = app(directory.path(), false);
    for path in ["/", "/style.css", "/main.js", "/flow.js", "/panels.js", "/text.js"] {
        let (status, headers, text) = get(&router, path).await;
        assert_eq!(
            (status, headers["x-content-type-options"].to_str().unwrap()),
            (StatusCode::OK, "nosniff")
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        for elsewhere in [
            "http://",
            "https://",
            "//cdn",
            "innerHTML",
            "insertAdjacentHTML",
            " onclick=",
            " style=",
            "eval(",
        ] {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains(elsewhere), "{path} has {elsewhere}");
        }
        let of_page = text.split(['"', '\'']).filter(|word| word.starts_with("./") || word.starts_with('/'));
        for part in of_page.filter(|word| word.ends_with(".js") || word.ends_with(".css")) {
            assert_eq!(get(&router, part.trim_start_matches('.')).await.0, StatusCode::OK, "{part}");
        }
    }
}

#[tokio::test]
async fn without_allow_actions_rejected_files_are_neither_shown_nor_moved() {
    let directory = tempfile::tempdir().unwrap();
    let router = app(directory.path(), false);
    let path = format!("/rejected/{FILE}");
    for path in [&path, &format!("{path}/download")] {
        let (status, _, text) = get(&router, path).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(text.contains("--allow-actions") && !text.contains("<b>"), "{text}");
    }
    assert_eq!(send(&router, &format!("{path}/send-again")).await.0, StatusCode::FORBIDDEN);
    assert!(directory.path().join("rejected").join(FILE).exists());
}

#[tokio::test]
async fn a_rejected_file_is_shown_with_its_reasons_and_downloaded_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let router = app(directory.path(), true);
    let (status, headers, text) = get(&router, &format!("/rejected/{FILE}")).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/json"));
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        shown["lines"],
        serde_json::json!([{"number": 4, "text": "a,<b>", "reason": "expected 7 fields"}])
    );
    let (status, headers, text) = get(&router, &format!("/rejected/{FILE}/download")).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "a,<b>\n"));
    assert_eq!(headers["content-disposition"], format!("attachment; filename=\"{FILE}\""));
    assert_eq!(headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_rejected_file_is_sent_again_once_and_only_by_the_page_itself() {
    let directory = tempfile::tempdir().unwrap();
    let router = app(directory.path(), true);
    let path = format!("/rejected/{FILE}/send-again");
    let foreign = [
        request("POST", &path),
        request("POST", &path).header("x-dashboard", "1").header("origin", "http://evil.example"),
    ];
    for foreign in foreign {
        assert_eq!(ask(&router, foreign.body(Body::empty()).unwrap()).await.0, StatusCode::FORBIDDEN);
    }
    assert_eq!(get(&router, &path).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let (status, _, text) = send(&router, &path).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, r#"{"waits_as":"listing.csv"}"#));
    assert_eq!(std::fs::read_to_string(directory.path().join("listing.csv")).unwrap(), "a,<b>\n");
    assert_eq!(send(&router, &path).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_name_leads_out_of_the_rejected_files() {
    let directory = tempfile::tempdir().unwrap();
    let router = app(directory.path(), true);
    std::fs::write(directory.path().join("listing-2.csv"), "waits").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("rejected/listing-3.csv")).unwrap();
    let names = [
        "..%2flisting-2.csv",
        "..%2f..%2fetc%2fpasswd",
        "listing-3.csv",
        "listing-1.csv.reasons",
        "%00.csv",
        "x%22.csv",
    ];
    for name in names {
        for path in [format!("/rejected/{name}"), format!("/rejected/{name}/download")] {
            assert_eq!(get(&router, &path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(send(&router, &format!("/rejected/{name}/send-again")).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn on_loopback_a_name_that_is_not_this_machines_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let router = app(directory.path(), false);
    let rebound = Request::get("/snapshot").header("host", "evil.example").body(Body::empty()).unwrap();
    assert_eq!(ask(&router, rebound).await.0, StatusCode::MISDIRECTED_REQUEST);
}
