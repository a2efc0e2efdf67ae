use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;

/// How long the check may take in all; shorter than the usual time-out of who runs it.
const LIMIT: Duration = Duration::from_secs(3);

/// Reasons longer than this are not shown, in bytes.
const MAX_REASON: usize = 4096;

/// Asks `/healthz` on the admin port at `address`.
pub(crate) fn ask(address: Option<SocketAddr>) -> anyhow::Result<()> {
    let Some(address) = address else {
        bail!("there is no admin port to ask: `--admin-listen` is not given");
    };
    ask_within(reachable(address), LIMIT)
}

fn ask_within(address: SocketAddr, limit: Duration) -> anyhow::Result<()> {
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().context("failed to start the runtime")?;
    let reply = runtime.block_on(async { timeout(limit, fetch(address)).await });
    let reply = reply.unwrap_or_else(|_| Err(anyhow!("no reply in time")));
    match reply.with_context(|| format!("failed to ask the admin port at `{address}`"))? {
        (StatusCode::OK, _) => Ok(()),
        (status, reason) => bail!("unhealthy ({}): {}", status.as_u16(), reason.trim()),
    }
}

async fn fetch(address: SocketAddr) -> anyhow::Result<(StatusCode, String)> {
    let stream = TcpStream::connect(address).await?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/healthz").header("host", "localhost").body(Body::empty())?;
    let reply = requests.send_request(request).await.context("what answers is no admin port")?;
    let status = reply.status();
    // What cannot be read, or is too long, is no reason to show.
    let reason = Limited::new(reply.into_body(), MAX_REASON).collect().await;
    let reason = reason.map(|reason| reason.to_bytes()).unwrap_or_default();
    Ok((status, String::from_utf8_lossy(&reason).into_owned()))
}

/// The address under which a port is asked that listens on `address`: loopback where it listens everywhere.
fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, address.port())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Asks a port that reads the request and says `pieces`, one after the other, then closes.
    fn verdict(pieces: &'static [&'static [u8]]) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let port = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 256];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\n"));
            for piece in pieces {
                // Fails where the check has heard enough.
                let _ = stream.write_all(piece);
            }
        });
        let verdict = ask(Some(address)).map_err(|error| format!("{error:#}"));
        port.join().unwrap();
        verdict
    }

    #[test]
    fn an_answer_of_200_is_healthy_also_in_pieces() {
        assert_eq!(verdict(&[b"HTTP/1.1 2", b"00 OK\r\n\r\n", b"ok\n"]), Ok(()));
    }

    #[test]
    fn any_other_answer_is_unhealthy_with_its_reason() {
        let stuck: &[&[u8]] = &[b"HTTP/1.1 503 Service Unavailable\r\n\r\nno progress for 61 s\n"];
        assert_eq!(verdict(stuck), Err("unhealthy (503): no progress for 61 s".to_owned()));
        assert!(verdict(&[b"HTTP/1.1 404 Not Found\r\n\r\n"]).is_err());
    }

    #[test]
    fn what_speaks_no_http_is_unhealthy() {
        assert!(verdict(&[]).unwrap_err().contains("is no admin port"));
        assert!(verdict(&[b"SSH-2.0-x 200\r\n"]).unwrap_err().contains("is no admin port"));
        assert!(verdict(&[b"\xff\xfe\x00"]).is_err());
    }

    #[test]
    fn a_reply_without_end_is_cut_off() {
        const ENDLESS: &[&[u8]] = &[&[b'x'; 1 << 20]];
        assert!(verdict(ENDLESS).is_err());
    }

    #[test]
    fn a_closed_port_is_unhealthy() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = ask(Some(address)).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to ask the admin port at `{address}`"));
    }

    #[test]
    fn a_port_that_never_answers_is_given_up_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let limit = Duration::from_millis(50);
        let error = ask_within(listener.local_addr().unwrap(), limit).unwrap_err();
        assert!(format!("{error:#}").ends_with("no reply in time"), "{error:#}");
    }

    #[test]
    fn without_an_admin_port_there_is_nothing_to_ask() {
        assert!(ask(None).unwrap_err().to_string().contains("--admin-listen"));
    }

    #[test]
    fn a_port_that_listens_everywhere_is_asked_on_loopback() {
        let cases =
            [("0.0.0.0:9090", "127.0.0.1:9090"), ("[::]:9090", "[::1]:9090"), ("10.1.2.3:80", "10.1.2.3:80")];
        for (listens, asked) in cases {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
