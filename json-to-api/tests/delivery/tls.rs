//! https.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use service::{Context, Shutdown};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use crate::fixture::{Directory, lines, run};
use crate::server::{Answer, Http2, Server};

/// An authority, whose certificate lies in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, issuer.pem()).unwrap();
        Authority { issuer, file }
    }

    fn path(&self) -> &str {
        self.file.path().to_str().unwrap()
    }

    /// What a server needs to be `name`.
    fn certify(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_go_over_tls_to_names_and_addresses_that_the_file_vouches_for() {
    let authority = Authority::new("ours");
    for host in ["api.example", "127.0.0.1"] {
        let server = Server::with_tls(authority.certify(host, &[]), Http2::Close, |_| Answer::ok()).await;
        let directory = Directory::with(200);
        let url = format!("https://{host}:{}", server.address.port());
        let mut config = directory.config_for(&url, &["--ca-file", authority.path()]);
        config.addresses = Some(vec![server.address]);
        run(config, Shutdown::new()).await.assert_done(200, 0);
        assert_eq!(lines(&server), (1..=200).collect());
        assert_eq!(server.asked()[0].headers["host"], format!("{host}:{}", server.address.port()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_cannot_be_trusted_gets_nothing_and_is_reported() {
    let (right, wrong) = (Authority::new("ours"), Authority::new("theirs"));
    for (authority, name, reason) in
        [(&right, "127.0.0.2", "not valid for name"), (&wrong, "127.0.0.1", "UnknownIssuer")]
    {
        let server = Server::with_tls(authority.certify(name, &[]), Http2::Close, |_| Answer::ok()).await;
        let directory = Directory::with(3);
        let url = format!("https://127.0.0.1:{}", server.address.port());
        let context = Context::new(Shutdown::new());
        let (health, shutdown) = (context.health.clone(), context.shutdown.clone());
        let config = directory.config_for(&url, &["--ca-file", right.path()]);
        let running = tokio::spawn(config.run(context));
        while !health.is_ready().is_err_and(|problem| problem.contains("api: ")) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let problem = health.is_ready().unwrap_err();
        assert!(problem.contains("failed to agree on TLS") && problem.contains(reason), "{problem}");
        shutdown.request();
        assert!(running.await.unwrap().is_err());
        assert_eq!(server.count(), 0);
        assert!(directory.claim().join("input").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_agreed_on() {
    let authority = Authority::new("ours");
    for (protocols, setting, version) in [
        (&["h2", "http/1.1"][..], "2", "HTTP/2"),
        (&["h2"], "2", "HTTP/2"),
        (&["h2", "http/1.1"], "1", "HTTP/1.1"),
        (&["http/1.1"], "1", "HTTP/1.1"),
        (&[], "1", "HTTP/1.1"),
    ] {
        let server =
            Server::with_tls(authority.certify("127.0.0.1", protocols), Http2::Speak, |_| Answer::ok()).await;
        let directory = Directory::with(200);
        let url = format!("https://127.0.0.1:{}", server.address.port());
        let config = directory.config_for(&url, &["--ca-file", authority.path(), "--http", setting]);
        run(config, Shutdown::new()).await.assert_done(200, 0);
        assert_eq!(lines(&server), (1..=200).collect());
        let asked = server.asked();
        assert!(asked.iter().all(|asked| asked.request == format!("POST / {version}")), "{:?}", asked[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_does_not_agree_on_http_2_is_reported_where_that_is_set() {
    let authority = Authority::new("ours");
    {
        let protocols = &["http/1.1"];
        let server =
            Server::with_tls(authority.certify("127.0.0.1", protocols), Http2::Close, |_| Answer::ok()).await;
        let directory = Directory::with(3);
        let url = format!("https://127.0.0.1:{}", server.address.port());
        let context = Context::new(Shutdown::new());
        let (health, shutdown) = (context.health.clone(), context.shutdown.clone());
        let config = directory.config_for(&url, &["--ca-file", authority.path(), "--http", "2"]);
        let running = tokio::spawn(config.run(context));
        while !health.is_ready().is_err_and(|problem| problem.contains("api: ")) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        shutdown.request();
        assert!(running.await.unwrap().is_err());
        assert_eq!(server.count(), 0);
    }
}

/// What `openssl req -x509` makes by default: a CA's own certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_ca_that_stands_for_the_api_itself_is_reported_with_advice() {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let server = Server::with_tls(TlsAcceptor::from(Arc::new(config)), Http2::Close, |_| Answer::ok()).await;
    let directory = Directory::with(3);
    let url = format!("https://127.0.0.1:{}", server.address.port());
    let context = Context::new(Shutdown::new());
    let (health, shutdown) = (context.health.clone(), context.shutdown.clone());
    let setup = directory.config_for(&url, &["--ca-file", file.path().to_str().unwrap()]);
    let running = tokio::spawn(setup.run(context));
    while !health.is_ready().is_err_and(|problem| problem.contains("api: ")) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let problem = health.is_ready().unwrap_err();
    assert!(problem.contains("CA:TRUE") && problem.contains("CA:FALSE"), "{problem}");
    shutdown.request();
    assert!(running.await.unwrap().is_err());
}
