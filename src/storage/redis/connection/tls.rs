//! Encrypted connections: whom to trust, and who we are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::OpenError;
use crate::storage::redis::uri::TlsFiles;

/// Where distributions keep the authorities that a system trusts: Debian, Fedora, SUSE, Alpine.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Makes encrypted connections. The files are read once, when the store is opened.
pub(super) struct Tls {
    connector: TlsConnector,
    /// The name that certificates must have, where it is not the host's.
    server_name: Option<String>,
}

impl Tls {
    pub(super) fn load(files: &TlsFiles) -> Result<Self, OpenError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let authorities = files.authorities.clone().unwrap_or_else(system_bundle);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("authorities", &authorities, error))?
            .with_root_certificates(roots(&authorities)?);
        let config = match &files.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates("certificate", certificate)?, private_key(key)?)
                .map_err(|error| unusable("certificate", certificate, error))?,
        };
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, server_name: files.server_name.clone() })
    }

    /// Encrypts a connection to that host.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        self.connector.connect(name, stream).await
    }
}

fn system_bundle() -> PathBuf {
    let set = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let present = || BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
    set.or_else(present).unwrap_or_else(|| BUNDLES[0].into())
}

/// The system's own bundle may hold an odd certificate; that is no reason to refuse the others.
fn roots(path: &Path) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates("authorities", path)?);
    match added {
        0 => Err(unusable("authorities", path, "it holds no certificate in PEM form")),
        _ => Ok(roots),
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let pem = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found.map_err(|_| unusable(what, path, "it holds no certificate in PEM form"))
}

/// Never quotes the file.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, OpenError> {
    let pem = read("private key", path)?;
    let unusable = |_| unusable("private key", path, "it holds no private key in PEM form");
    PrivateKeyDer::from_pem_slice(&pem).map_err(unusable)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, OpenError> {
    std::fs::read(path).map_err(|error| unusable(what, path, error))
}

fn unusable(what: &'static str, path: &Path, cause: impl std::fmt::Display) -> OpenError {
    OpenError::Tls { what, path: path.to_owned(), cause: cause.to_string() }
}
