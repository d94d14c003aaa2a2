//! What opening a database can fail with, and how the database's own errors become the store's.

use std::path::PathBuf;

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

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
    /// The server's database lacks some of our tables or columns.
    #[error(
        "the database {address} is at version {found} of our tables, and this server needs {needed}; \
         run: zaqar db upgrade"
    )]
    Outdated {
        /// Where it is, without a password.
        address: String,
        /// The newest of our migrations that it has had; 0: none.
        found: usize,
        /// The newest there is.
        needed: usize,
    },
    /// The server's database cannot be reached or refused to work.
    #[error("cannot use the database {address}")]
    Server {
        /// Where it is, without a password.
        address: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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

/// Primary result codes of `SQLite` that tell of a damaged file or of one that is no database.
const UNREADABLE: [u32; 2] = [11, 26];

/// Errors of `MariaDB` and `MySQL` after which the same transaction may well succeed: a deadlock (also a conflict
/// with another node of a Galera cluster), a lock that was waited for in vain, a node that is not ready yet.
const MYSQL_CONFLICTS: [u16; 3] = [1213, 1205, 1047];

/// The same of `PostgreSQL`: serialization failure, deadlock, a lock that was waited for in vain.
const POSTGRES_CONFLICTS: [&str; 3] = ["40001", "40P01", "55P03"];

/// Errors by which a server takes leave of a connection: it stops, or somebody ended the connection.
const MYSQL_FAREWELLS: [u16; 2] = [1053, 1927];

/// The same of `PostgreSQL`.
const POSTGRES_FAREWELLS: [&str; 3] = ["57P01", "57P02", "57P03"];

/// Errors of `MariaDB` and `MySQL` about what a migration has done before: a table, column or key that exists.
const MYSQL_THERE_ALREADY: [u16; 3] = [1050, 1060, 1061];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            sqlx::Error::Database(cause) if is_unreadable(cause.as_ref()) => Self::Corrupt(error.to_string()),
            _ => Self::unavailable(error),
        }
    }
}

/// The connection was lost while a commit was under way: nobody knows whether it was carried out.
#[derive(Debug, thiserror::Error)]
#[error("the connection was lost in a commit, which may or may not have been carried out")]
pub(super) struct CommitLost(#[source] pub(super) sqlx::Error);

/// Somebody else wrote the same row first; the transaction was rolled back, and the next attempt sees that row.
#[derive(Debug, thiserror::Error)]
#[error("somebody else wrote the same row at the same time, again and again")]
pub(super) struct Overtaken;

/// True where the database refused the call for the sake of another one, and rolled it back or never began it.
pub(super) fn is_conflict(error: &Error) -> bool {
    let overtaken = matches!(error, Error::Unavailable(cause) if cause.is::<Overtaken>());
    overtaken || cause(error).is_some_and(|cause| told(cause, &MYSQL_CONFLICTS, &POSTGRES_CONFLICTS))
}

/// True where the connection proved to be dead. What a transaction did before is undone; that of a commit is
/// [`CommitLost`] and not meant here.
pub(super) fn is_lost(error: &Error) -> bool {
    let broken = |cause: &sqlx::Error| matches!(cause, sqlx::Error::Io(_) | sqlx::Error::Protocol(_));
    cause(error).is_some_and(|cause| broken(cause) || is_farewell(cause))
}

/// True where an insert found its row there already.
pub(super) fn is_duplicate(error: &Error) -> bool {
    let Some(sqlx::Error::Database(cause)) = cause(error) else { return false };
    cause.is_unique_violation()
}

/// True where a statement of a migration was carried out before.
pub(super) fn is_there_already(error: &Error) -> bool {
    cause(error).is_some_and(|cause| told(cause, &MYSQL_THERE_ALREADY, &[]))
}

/// True where the server ends the connection with this answer.
pub(super) fn is_farewell(error: &sqlx::Error) -> bool {
    told(error, &MYSQL_FAREWELLS, &POSTGRES_FAREWELLS)
}

/// True where the database answered with one of these errors.
fn told(error: &sqlx::Error, mysql: &[u16], postgres: &[&str]) -> bool {
    let sqlx::Error::Database(cause) = error else { return false };
    if let Some(cause) = cause.try_downcast_ref::<MySqlDatabaseError>() {
        return mysql.contains(&cause.number());
    }
    let cause = cause.try_downcast_ref::<PgDatabaseError>();
    cause.is_some_and(|cause| postgres.contains(&cause.code()))
}

fn cause(error: &Error) -> Option<&sqlx::Error> {
    match error {
        Error::Unavailable(cause) => cause.downcast_ref(),
        _ => None,
    }
}

/// True for a code of `SQLite`, primary or extended, whose low byte is one of [`UNREADABLE`].
fn is_unreadable(cause: &(dyn DatabaseError + 'static)) -> bool {
    let Some(cause) = cause.try_downcast_ref::<SqliteError>() else { return false };
    let code = cause.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| UNREADABLE.contains(&(code & 0xff)))
}
