//! The certificate of a listener, and its renewal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate chain and its key, read from two PEM files.
#[derive(Debug)]
pub struct Tls {
    cert_file: PathBuf,
    key_file: PathBuf,
    config: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads `[ssl] cert_file` (the chain, the server's own certificate first) and `[ssl] key_file`.
    pub fn load(cert_file: impl Into<PathBuf>, key_file: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (cert_file, key_file) = (cert_file.into(), key_file.into());
        let config = ArcSwap::from_pointee(server_config(&cert_file, &key_file)?);
        Ok(Self { cert_file, key_file, config })
    }

    /// Reads the same files again. New connections get the new certificate, open ones keep theirs; after an
    /// error the old certificate goes on serving. Reads two small files, blocking.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.store(Arc::new(server_config(&self.cert_file, &self.key_file)?));
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

/// Why a certificate cannot be used, in one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("[ssl] {option} {}: {cause}", path.display())]
    Read {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file holds nothing of what it should.
    #[error("[ssl] {option} {} {cause}", path.display())]
    Content {
        /// The option that names the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        cause: String,
    },
    /// Both files can be read but do not serve: they do not belong together, or the key is of no use.
    #[error("[ssl] cert_file {} with key_file {}: {cause}", cert_file.display(), key_file.display())]
    Unusable {
        /// The file of the certificates.
        cert_file: PathBuf,
        /// The file of the key.
        key_file: PathBuf,
        /// What the TLS library said.
        cause: rustls::Error,
    },
}

/// Names the provider, because building a configuration without one panics where two are compiled in.
fn server_config(cert_file: &Path, key_file: &Path) -> Result<ServerConfig, TlsError> {
    let chain = certificates(cert_file)?;
    let key = private_key(key_file)?;
    let unusable =
        |cause| TlsError::Unusable { cert_file: cert_file.into(), key_file: key_file.into(), cause };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Sessions resume from the client's ticket, so that nothing is remembered for clients that left.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    const OPTION: &str = "cert_file";
    let pem = read(OPTION, path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| content(OPTION, path, &error, "certificate"))?;
    if chain.is_empty() {
        return Err(content(OPTION, path, &pem::Error::NoItemsFound, "certificate"));
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const OPTION: &str = "key_file";
    let pem = read(OPTION, path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| content(OPTION, path, &error, "private key"))
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|cause| TlsError::Read { option, path: path.into(), cause })
}

/// Never quotes the file: it may hold a key.
fn content(option: &'static str, path: &Path, error: &pem::Error, wanted: &str) -> TlsError {
    let cause = match error {
        pem::Error::NoItemsFound => format!("holds no {wanted} in PEM form"),
        _ => format!("holds no {wanted} in valid PEM form"),
    };
    TlsError::Content { option, path: path.into(), cause }
}
