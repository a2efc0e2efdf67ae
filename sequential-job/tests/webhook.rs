//! The webhook as the API server meets it: over TLS, by an authority that it was told to trust.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sequential_job::certificate::{Material, Resolver, SERVICE, Source};
use sequential_job::webhook;
use service::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

/// What the webhook answers to who trusts `authority` alone; an error where it is another's.
async fn ask(address: std::net::SocketAddr, authority: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(format!("{SERVICE}.here.svc")).unwrap();
    let stream = TcpStream::connect(address).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream
        .write_all(b"POST /validate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await?;
    let mut said = Vec::new();
    // Without a farewell at the end, as with many servers.
    let _ = stream.read_to_end(&mut said).await;
    Ok(String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn it_serves_each_newer_certificate_to_those_who_trust_its_authority() {
    let [first, second] = [0, 1].map(|_| Material::make(None, SERVICE, "here", Timestamp::now()).unwrap());
    let resolver = Arc::new(Resolver::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
    let serving = tokio::spawn({
        let (resolver, shutdown) = (Arc::clone(&resolver), shutdown.clone());
        async move { webhook::serve(listener, resolver, &shutdown).await }
    });
    ask(address, &first.authority).await.expect_err("it has none yet");
    resolver.set(&first.certificate, &first.key).unwrap();
    assert!(ask(address, &first.authority).await.unwrap().starts_with("HTTP/1.1 415"), "no JSON");
    ask(address, &second.authority).await.expect_err("of another authority");
    resolver.set(&second.certificate, &second.key).unwrap();
    ask(address, &second.authority).await.unwrap();
    let renewed = Material::make(Some(&second), SERVICE, "here", Timestamp::now()).unwrap();
    resolver.set(&renewed.certificate, &renewed.key).unwrap();
    ask(address, &second.authority).await.unwrap();
    shutdown.request();
    serving.await.unwrap();
}

/// Its clock is the test's: what failed is tried again after 5 seconds.
#[tokio::test(start_paused = true)]
async fn a_mounted_certificate_is_used_as_soon_as_it_is_there() {
    let material = Material::make(None, SERVICE, "here", Timestamp::now()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (told, mut tell) = mpsc::unbounded_channel();
    let source = Source::Directory(directory.path().to_owned());
    tokio::spawn(async move {
        source.keep_fresh(&Arc::new(Resolver::default()), move |outcome| _ = told.send(outcome)).await;
    });
    let why = tell.recv().await.unwrap().unwrap_err();
    assert!(why.starts_with("failed to read `") && why.contains("tls.crt"), "{why}");
    fs::write(directory.path().join("tls.crt"), &material.certificate).unwrap();
    fs::write(directory.path().join("tls.key"), &material.key).unwrap();
    assert_eq!(tell.recv().await.unwrap(), Ok(()));
}
