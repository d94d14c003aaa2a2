//! What opening a database can fail with, and how the database's own errors become the store's.

use std::path::PathBuf;

use crate::storage::Error;

/// Why a management database could not be opened. No text repeats a URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The text is not a database URL of a known form.
    #[error("not a database URL such as sqlite:////var/lib/zaqar/management.db: {why}")]
    Url {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The database of that scheme is not part of this build.
    #[error("no database driver `{scheme}` is built in, only: {built_in}")]
    Scheme {
        /// The scheme, without what follows it.
        scheme: String,
        /// Schemes that would do.
        built_in: &'static str,
    },
    /// The file cannot be created, opened or upgraded.
    #[error("cannot open the database {}", path.display())]
    File {
        /// Its absolute path.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tables are those of another release of the Python service.
    #[error("the database is at revision {found} of the Python service's schema, and 007 is needed")]
    Revision {
        /// The revision, or revisions, in `alembic_version`.
        found: String,
    },
    /// The database cannot be used.
    #[error("cannot open the database")]
    Store(#[from] Error),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Primary result codes of SQLite that tell of a damaged file or of one that is no database.
const UNREADABLE: [u32; 2] = [11, 26];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            sqlx::Error::Database(cause) if is_unreadable(cause.code().as_deref()) => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::unavailable(error),
        }
    }
}

/// True for a code, primary or extended, whose low byte is one of [`UNREADABLE`].
fn is_unreadable(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| UNREADABLE.contains(&(code & 0xff)))
}
