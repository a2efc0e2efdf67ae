use crate::server::{OK_BODY, Server, header};

fn assert_ok(reply: &str) {
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert_eq!(header(reply, "content-type"), Some("application/json"), "{reply}");
}

fn body(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn any_method_on_any_path_gets_the_same_answer() {
    let server = Server::start().await;
    for line in [
        "GET /",
        "PUT /%ff%00/..//",
        "DELETE http://elsewhere.example/absolute",
        "OPTIONS *",
        "PROPFIND /dav",
        "x!#$%&'*+-.^_`|~9 /",
    ] {
        let reply = server.ask(&format!("{line} HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n")).await;
        assert_ok(&reply);
        assert_eq!(body(&reply), OK_BODY, "{line}");
    }
}

#[tokio::test]
async fn head_gets_the_head_alone() {
    let server = Server::start().await;
    let reply = server.ask("HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert_ok(&reply);
    assert_eq!(header(&reply, "content-length"), Some(&*OK_BODY.len().to_string()));
    assert_eq!(body(&reply), "");
}

#[tokio::test]
async fn connect_gets_a_status_and_no_tunnel() {
    let server = Server::start().await;
    let reply =
        server.ask("CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: elsewhere.example:443\r\n\r\n").await;
    assert_ok(&reply);
    assert_eq!(body(&reply), "");
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    for document in ["{}", "", r#"{"file":"/"}"#] {
        let length = document.len();
        client.send(format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{document}")).await;
        let reply = client.reply().await;
        assert_ok(&reply);
        assert_eq!(header(&reply, "connection"), None);
        assert_eq!(body(&reply), OK_BODY);
    }
    let counted = server.context.metrics.gather();
    let counted = counted.iter().find(|family| family.name() == "api_requests_total").unwrap();
    assert_eq!(counted.get_metric()[0].get_counter().get_value(), 3.0);
}

#[tokio::test]
async fn the_server_is_ready_once_it_listens() {
    let server = Server::start().await;
    server.assert_serves().await;
    assert_eq!(server.context.health.is_ready(), Ok(()));
}
