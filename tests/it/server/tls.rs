//! Certificates, handshakes and their renewal.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zaqar::server::{ListenerSettings, Tls, TlsError};

use super::http2::handshake;
use super::{TestServer, closed, patient, receive, send, soon};

/// A certificate and its key in files.
struct Files {
    directory: TempDir,
    cert_file: PathBuf,
    key_file: PathBuf,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (cert_file, key_file) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        Self { directory, cert_file, key_file }
    }

    /// Writes a new certificate for `localhost` and returns it.
    fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&self.cert_file, made.cert.pem()).unwrap();
        std::fs::write(&self.key_file, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    fn load(&self) -> Result<Tls, TlsError> {
        Tls::load(&self.cert_file, &self.key_file)
    }
}

fn start(files: &Files) -> (TestServer, Arc<Tls>) {
    let tls = Arc::new(files.load().unwrap());
    let settings = ListenerSettings { tls: Some(Arc::clone(&tls)), ..patient() };
    (TestServer::start(settings), tls)
}

type Client = TlsStream<tokio::net::TcpStream>;

/// A client that trusts `certificate` alone and offers `protocols`.
async fn connect(
    server: &TestServer,
    certificate: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<Client> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    soon(TlsConnector::from(Arc::new(config)).connect(name, server.connect().await)).await
}

async fn get_http1(mut client: Client) -> String {
    send(&mut client, "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let answer = receive(&mut client).await;
    assert_eq!(soon(client.read(&mut [0; 1])).await.unwrap(), 0, "closed with a goodbye");
    answer.body
}

async fn get_http2(client: Client) -> String {
    let (mut client, _end) = handshake(client).await;
    let request = Request::get("https://localhost/peer").body(Empty::<Bytes>::new()).unwrap();
    let answer = soon(client.send_request(request)).await.unwrap();
    let body = soon(answer.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn both_protocols_are_served() {
    let files = Files::new();
    let certificate = files.renew();
    let (server, _) = start(&files);
    for offered in [&["http/1.1"][..], &[]] {
        let client = connect(&server, &certificate, offered).await.unwrap();
        assert!(get_http1(client).await.ends_with("tls: true }"));
    }
    let client = connect(&server, &certificate, &["http/1.1", "h2"]).await.unwrap();
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert!(get_http2(client).await.ends_with("tls: true }"));
    // Prior knowledge works inside TLS too.
    let client = connect(&server, &certificate, &[]).await.unwrap();
    assert!(get_http2(client).await.ends_with("tls: true }"));
}

#[tokio::test]
async fn a_slow_handshake_is_cut_and_plain_text_refused() {
    let files = Files::new();
    files.renew();
    let limit = Duration::from_millis(200);
    let tls = Some(Arc::new(files.load().unwrap()));
    let server = TestServer::start(ListenerSettings { tls, tls_handshake: limit, ..patient() });
    let start = Instant::now();
    closed(&mut server.connect().await).await;
    assert!(start.elapsed() >= limit, "{:?}", start.elapsed());
    assert_eq!(server.counts.timed_out(), 1);
    let mut plain = server.connect().await;
    send(&mut plain, "GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut received = Vec::new();
    // A TLS alert, or nothing where the reset was faster; no HTTP.
    let _ = soon(plain.read_to_end(&mut received)).await;
    assert!(!received.starts_with(b"HTTP"), "{received:?}");
}

#[tokio::test]
async fn the_certificate_is_renewed_without_a_restart() {
    let files = Files::new();
    let old = files.renew();
    let (server, tls) = start(&files);
    let open = connect(&server, &old, &["http/1.1"]).await.unwrap();

    std::fs::write(&files.key_file, "").unwrap();
    assert!(tls.reload().is_err());
    let client = connect(&server, &old, &["http/1.1"]).await.unwrap();
    assert!(get_http1(client).await.contains("tls: true"), "the old certificate goes on serving");

    let new = files.renew();
    tls.reload().unwrap();
    assert!(connect(&server, &old, &["http/1.1"]).await.is_err());
    let client = connect(&server, &new, &["http/1.1"]).await.unwrap();
    assert!(get_http1(client).await.contains("tls: true"));
    assert!(get_http1(open).await.contains("tls: true"), "open connections stay");
}

#[test]
fn a_bad_file_is_named_in_one_line() {
    let files = Files::new();
    let (cert, key) = (files.cert_file.display().to_string(), files.key_file.display().to_string());
    let message = || {
        let message = files.load().unwrap_err().to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    };
    assert_eq!(message(), format!("[ssl] cert_file {cert}: No such file or directory (os error 2)"));
    files.renew();
    std::fs::remove_file(&files.key_file).unwrap();
    assert_eq!(message(), format!("[ssl] key_file {key}: No such file or directory (os error 2)"));
    std::fs::write(&files.key_file, "nonsense").unwrap();
    assert_eq!(message(), format!("[ssl] key_file {key} holds no private key in PEM form"));
    std::fs::copy(&files.cert_file, &files.key_file).unwrap();
    assert_eq!(message(), format!("[ssl] key_file {key} holds no private key in PEM form"));
    std::fs::write(&files.key_file, "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n").unwrap();
    assert_eq!(message(), format!("[ssl] key_file {key} holds no private key in valid PEM form"));
    files.renew();
    let kept = files.directory.path().join("other.pem");
    std::fs::rename(&files.key_file, &kept).unwrap();
    files.renew();
    std::fs::rename(&kept, &files.key_file).unwrap();
    assert!(message().starts_with(&format!("[ssl] cert_file {cert} with key_file {key}: ")), "{}", message());
    std::fs::write(&files.cert_file, "").unwrap();
    assert_eq!(message(), format!("[ssl] cert_file {cert} holds no certificate in PEM form"));
}
