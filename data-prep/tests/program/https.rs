//! https.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::NamedTempFile;

use crate::server::{Server, ok};
use crate::{Place, assert_fails, assert_fetches_iris, iris};

/// An authority's certificate, and what a server that it vouches for needs to be `127.0.0.1`.
fn authority() -> (NamedTempFile, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (file, Arc::new(config))
}

/// Answers every connection over TLS with these bytes.
fn serve(config: Arc<ServerConfig>, answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // Whoever does not trust it hangs up.
            let mut asked = [0; 4096];
            if stream.read(&mut asked).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(&answer);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    address
}

fn whole(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn https_is_spoken_with_servers_that_the_file_vouches_for() {
    let (file, config) = authority();
    let address = serve(config, whole(&iris()));
    let place = Place::new();
    let mut command = place.data_prep(&format!("https://{address}/iris.data"));
    assert_fetches_iris(&place, command.arg("--ca-file").arg(file.path()));
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused_at_once() {
    let (_, config) = authority();
    let address = serve(config, whole(&iris()));
    let place = Place::new();
    let mut command = place.data_prep(&format!("https://{address}/iris.data"));
    let log = assert_fails(&place, &mut command, "UnknownIssuer");
    assert!(!log.contains("trying again"), "{log}");
}

#[test]
fn nobody_is_led_from_https_to_http() {
    let plain = Server::start(|_, _, stream| ok(stream, &iris()));
    let (file, config) = authority();
    let location = plain.url("/iris.data");
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let address = serve(config, redirect.into_bytes());
    let place = Place::new();
    let mut command = place.data_prep(&format!("https://{address}/iris.data"));
    command.arg("--ca-file").arg(file.path());
    assert_fails(&place, &mut command, "redirected from https to http");
    assert_eq!(plain.requests(), []);
}
