//! How connections to memcached are encrypted, and whose word is taken for who is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Why connections cannot be encrypted, by the file that is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The file of the authorities.
    #[error("no certificates in PEM form can be read from it")]
    Authorities,
    /// The file of the service's own certificate.
    #[error("no certificate in PEM form can be read from it, or it does not belong to the key")]
    Certificate,
    /// The file of its key.
    #[error("no private key in PEM form can be read from it")]
    Key,
}

/// Trusts these authorities, checks the server's name, and shows a certificate (its file, and that of its key) where
/// there is one. Reads small files, blocking.
pub fn client_config(
    authorities: &Path,
    certificate: Option<(PathBuf, PathBuf)>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = certificates(authorities).ok_or(TlsError::Authorities)?;
    let (usable, _) = roots.add_parsable_certificates(found);
    if usable == 0 {
        return Err(TlsError::Authorities);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| TlsError::Authorities)?
        .with_root_certificates(roots);
    let config = match certificate {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(&chain).ok_or(TlsError::Certificate)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|_| TlsError::Key)?;
            builder.with_client_auth_cert(chain, key).map_err(|_| TlsError::Certificate)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_file_iter(file).ok()?.collect::<Result<_, _>>().ok()?;
    (!found.is_empty()).then_some(found)
}
