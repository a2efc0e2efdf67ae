use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long the check may take in all; shorter than the usual time-out of who runs it.
const LIMIT: Duration = Duration::from_secs(3);

/// No more of a reply than this is looked at.
const MAX_REPLY: usize = 4096;

/// Asks `/healthz` on the admin port at `address`.
///
/// Plain sockets: it must work with a runtime that does not, and it is run every few seconds.
pub(crate) fn ask(address: Option<SocketAddr>) -> anyhow::Result<()> {
    let Some(address) = address else {
        bail!("there is no admin port to ask: `--admin-listen` is not given");
    };
    ask_within(reachable(address), LIMIT)
}

fn ask_within(address: SocketAddr, limit: Duration) -> anyhow::Result<()> {
    let reply =
        fetch(address, limit).with_context(|| format!("failed to ask the admin port at `{address}`"))?;
    let reply = String::from_utf8_lossy(&reply);
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    let mut status = head.lines().next().unwrap_or_default().split(' ');
    match (status.next(), status.next()) {
        (Some(version), Some("200")) if version.starts_with("HTTP/1.") => Ok(()),
        (Some(version), Some(code)) if version.starts_with("HTTP/1.") => {
            bail!("unhealthy ({code}): {}", body.trim())
        }
        _ => bail!("what answers at `{address}` is not an admin port"),
    }
}

fn fetch(address: SocketAddr, limit: Duration) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + limit;
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut reply = vec![0; MAX_REPLY];
    let mut length = 0;
    while length < reply.len() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut reply[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What a socket's time-out is called by the system.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(too_slow()),
            Err(error) => return Err(error),
        }
    }
    reply.truncate(length);
    Ok(reply)
}

/// The time until `deadline`, never zero, which would mean no limit.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(too_slow()) } else { Ok(left) }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no reply in time")
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
                stream.write_all(piece).unwrap();
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
        assert!(verdict(&[]).unwrap_err().contains("is not an admin port"));
        assert!(verdict(&[b"SSH-2.0-x 200\r\n"]).unwrap_err().contains("is not an admin port"));
        assert!(verdict(&[b"\xff\xfe\x00"]).is_err());
    }

    #[test]
    fn a_reply_without_end_is_cut_off() {
        const ENDLESS: &[&[u8]] = &[&[b'x'; 2 * MAX_REPLY]];
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
