//! Sources over https.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::Place;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nid,n\n1,2\n2,3\n";

/// An authority's certificate as PEM, and what a server that it vouches for needs to be `127.0.0.1`.
fn authority() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
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
    (issuer.pem(), Arc::new(config))
}

/// Answers every connection over TLS, and counts them.
fn serve(config: Arc<ServerConfig>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // Whoever does not trust it hangs up.
            if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(ANSWER.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    (address, connections)
}

#[test]
fn https_is_spoken_with_servers_that_the_file_vouches_for() {
    let (authority, config) = authority();
    let (address, _) = serve(config);
    let place = Place::new();
    let file = place.write("ca.pem", authority);
    let report = place.report_of(&format!("https://{address}/a.csv"), &["--ca-file", &file]);
    assert_eq!(report.records.valid, 2);
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused_at_once() {
    let (_, config) = authority();
    let (address, connections) = serve(config);
    let place = Place::new();
    let ended = place.run(&["--data-sources", &format!("https://{address}/a.csv")]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("✗ Extraction failed: source 1 (a): no whole answer from 127.0.0.1: "));
    assert!(ended.stdout.contains("UnknownIssuer"), "{ended:?}");
    assert_eq!(connections.load(Ordering::SeqCst), 1, "no other attempt would mend it");
    place.assert_clean();
}

#[test]
fn a_file_without_certificates_is_named_with_its_setting() {
    let place = Place::new();
    let file = place.write("ca.pem", "no certificate");
    let ended = place.run(&["--data-sources", "https://127.0.0.1:1/a.csv", "--ca-file", &file]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let expected = format!("✗ Extraction failed: --ca-file `{file}` holds no certificate (PEM is read)");
    assert!(ended.stdout.contains(&expected), "{ended:?}");
    place.assert_clean();
}
