//! The user's headers on the wire.

use std::fs;

use crate::fixture::Directory;
use crate::server::{Answer, Server};

#[tokio::test(flavor = "multi_thread")]
async fn the_users_headers_are_sent_along() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(3);
    let given = ["--header", "X-One: 1", "--header", "User-Agent: mine\n\nX-Two: a, b"];
    directory.drain(&server, &given).await.assert_done(3, 0);
    for asked in server.asked() {
        let headers = asked.headers;
        assert_eq!((headers["x-one"].as_str(), headers["x-two"].as_str()), ("1", "a, b"));
        assert_eq!(headers["user-agent"], "mine");
        assert_eq!(headers["content-type"], "application/json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_headers_is_read_again_while_documents_wait_for_the_right_one() {
    let server = Server::start(|asked| match asked.headers["authorization"].as_str() {
        "Bearer new" => Answer::ok(),
        _ => Answer::status(401),
    })
    .await;
    let directory = Directory::with(5);
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(&secret, "Authorization: Bearer old\n").unwrap();
    let config = directory.config(&server, &["--header", &format!("@{}", secret.path().display())]);
    let running = tokio::spawn(crate::fixture::run(config, service::Shutdown::new()));
    server.asked_at_least(5).await;
    fs::write(&secret, "Authorization: Bearer brand new\nContent-Type: text/plain\n").unwrap();
    server.asked_at_least(15).await;
    fs::write(&secret, "Authorization: Bearer new\n").unwrap();
    running.await.unwrap().assert_done(5, 0);
    assert!(server.asked().iter().all(|asked| !asked.headers["authorization"].contains("brand")));
}
