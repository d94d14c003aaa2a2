//! What a call to Redis can fail with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::storage;
use crate::storage::redis::uri::UriError;

/// Why a deployment cannot be used, whatever becomes of its servers: what only an operator can mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URI is not one.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// A file of the TLS connection cannot be used.
    #[error("cannot use the {what} in {}: {cause}", path.display())]
    Tls {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
}

/// A reason, shared by all the calls that fail for it. Holds no credentials.
#[derive(Clone, Debug)]
pub(in crate::storage::redis) struct Cause(Arc<str>);

impl Cause {
    pub(super) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string().into())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

/// An error that the server answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {text}")]
pub(in crate::storage::redis) struct ServerError {
    /// The first word, such as `NOSCRIPT`, `ERR` or `GONE`.
    pub(in crate::storage::redis) code: String,
    /// What follows it.
    pub(in crate::storage::redis) text: String,
}

impl ServerError {
    pub(super) fn parse(line: &str) -> Self {
        let (code, text) = line.split_once(' ').unwrap_or((line, ""));
        Self { code: code.to_owned(), text: text.to_owned() }
    }
}

/// Why a call has no answer that counts.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::storage::redis) enum CallError {
    /// The server answered with an error.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The server cannot be reached, or the connection broke before it answered. In the latter case the command
    /// may have been carried out.
    #[error("Redis is unavailable: {0}")]
    Unavailable(Cause),
    /// No answer came within the deadline; the command may have been carried out.
    #[error("Redis did not answer within {0:?}")]
    Timeout(Duration),
    /// The write is stored, but too few replicas have it: it may be lost if this server is.
    #[error("stored but not confirmed: {confirmed} of {wanted} replicas have the write")]
    Unconfirmed {
        /// Replicas that have it.
        confirmed: i64,
        /// Replicas that should.
        wanted: u32,
    },
}

impl From<CallError> for storage::Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Timeout(deadline) => Self::Timeout(deadline),
            error => Self::unavailable(error),
        }
    }
}
