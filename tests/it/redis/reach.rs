//! Ways to a server: TCP, a Unix socket, TLS, users and passwords, databases.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use zaqar::storage::{Error, Messages as _};

use super::{count, open, post, queue};
use crate::support::redis::server::quoted;
use crate::support::redis::{RedisServer, Setup};

/// What a careless reader of URIs stumbles over.
const PASSWORD: &str = "p@ss:w/o?r#d%41 \"ü\\";

/// Opens the store at the URI, posts, and counts.
async fn serves(uri: &str) {
    let (store, queue) = (open(uri).await, queue("q"));
    store.open(&queue, super::NOW).await.unwrap_or_else(|error| panic!("{uri}: {error:?}"));
    post(&store, &queue, 1).await.unwrap();
    assert_eq!(count(&store, &queue).await, 1);
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[test]
fn a_server_keeps_its_data_over_a_kill() {
    let mut server = RedisServer::with(Setup::default().durable("always").password(PASSWORD));
    server.command(&["SET", "key", "value"]);
    let port = server.port;
    server.kill();
    assert!(server.try_command(&["PING"]).is_err());
    server.restart();
    assert_eq!(server.port, port);
    assert_eq!(server.command(&["GET", "key"]), redis::Value::BulkString(b"value".to_vec()));
    assert_eq!(server.info("role").as_deref(), Some("master"));
}

#[tokio::test]
async fn by_tcp_with_what_the_python_service_ignores() {
    let server = RedisServer::start();
    serves(&format!("{}/5f1c9a?socket_timeout=0.1&unknown=1", server.uri())).await;
}

#[tokio::test]
async fn by_a_socket() {
    let server = RedisServer::with(Setup::default().password(PASSWORD));
    let (password, path) = (encoded(PASSWORD), server.socket());
    serves(&format!("redis://:{password}@{}", path.display())).await;
}

#[tokio::test]
async fn as_a_user_with_an_odd_password() {
    let user = format!("user \"us:er@\" on {} ~* &* +@all", quoted(&format!(">{PASSWORD}")));
    let server = RedisServer::with(Setup::default().with(&[&user]).password("another"));
    let (name, password) = (encoded("us:er@"), encoded(PASSWORD));
    serves(&format!("redis://{name}:{password}@127.0.0.1:{}", server.port)).await;
}

#[tokio::test]
async fn not_with_a_wrong_password() {
    let server = RedisServer::with(Setup::default().password(PASSWORD));
    for uri in [server.uri(), format!("redis://:s3cret@127.0.0.1:{}", server.port)] {
        let error = open(&uri).await.ping().await.expect_err("a refusal");
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn in_a_database() {
    let server = RedisServer::start();
    serves(&format!("{}?dbid=3", server.uri())).await;
    assert_eq!(server.command(&["DBSIZE"]), redis::Value::Int(0));
    assert!(server.info("db3").is_some());
}

/// Certificates of one authority, for the server and for its clients, in files of a directory.
fn certificates(directory: &std::path::Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Not the name that certificates have by default, or each would look signed by itself.
    params.distinguished_name.push(DnType::CommonName, "authority");
    let key = KeyPair::generate().unwrap();
    std::fs::write(directory.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let authority = Issuer::new(params, key);
    for name in ["server", "client"] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        std::fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(directory.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

/// A server that speaks TLS on a second port, with clients that have a certificate: the port.
fn encrypted(files: &std::path::Path) -> (RedisServer, u16) {
    certificates(files);
    let file = |name: &str| files.join(name).display().to_string();
    for _ in 0..5 {
        let port = crate::support::process::free_address().port();
        let lines = [
            format!("tls-port {port}"),
            format!("tls-cert-file {}", file("server.pem")),
            format!("tls-key-file {}", file("server.key")),
            format!("tls-ca-cert-file {}", file("ca.pem")),
        ];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        if let Ok(server) = RedisServer::try_with(Setup::default().with(&lines)) {
            return (server, port);
        }
    }
    panic!("no server could be started on two ports");
}

#[tokio::test]
async fn over_tls() {
    let files = tempfile::tempdir().unwrap();
    let (_server, port) = encrypted(files.path());
    let file = |name: &str| files.path().join(name).display().to_string();
    let identity = format!("ssl_certfile={}&ssl_keyfile={}", file("client.pem"), file("client.key"));
    let trust = format!("ssl_ca_certs={}", file("ca.pem"));
    serves(&format!("rediss://localhost:{port}?{trust}&{identity}")).await;
    serves(&format!("rediss://127.0.0.1:{port}?{trust}&{identity}&ssl_server_name=localhost")).await;
    for (uri, why) in [
        (format!("rediss://localhost:{port}?{trust}"), "no certificate of ours"),
        (format!("rediss://localhost:{port}?{identity}"), "an unknown authority"),
        (format!("rediss://127.0.0.1:{port}?{trust}&{identity}&ssl_server_name=other"), "another name"),
        (format!("redis://localhost:{port}"), "no TLS"),
    ] {
        let error = open(&uri).await.ping().await.expect_err(why);
        assert!(matches!(error, Error::Unavailable(_)), "{why}: {error:?}");
    }
}
