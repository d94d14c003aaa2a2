//! The version of the tables, and what brings them up to date. Migrations only add, so that the Python service
//! and older releases of this one can use the same database meanwhile and afterwards.

mod migrations;
mod steps;

pub(super) use self::migrations::{MIGRATIONS, Migration};
pub(super) use self::steps::script;
use super::database::Database;
use super::dialect::Dialect;
use super::session::{Session, values};
use super::statements::schema as sql;
use super::{Error, OpenError};
use crate::storage::Result;

/// The revision of the Python service's schema that the first migration makes or finds.
pub(super) const REFERENCE: &str = "007";

/// What is known of a database's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The newest of our migrations that it has had; 1 is the Python service's own work; 0: none.
    pub(super) version: usize,
    /// What stands in the Python service's table of revisions; empty where there is none, or nothing in it.
    pub(super) reference: Vec<String>,
}

/// Makes the tables fit for use: a database in this process is upgraded, a server's is only looked at.
pub(super) async fn prepare(database: &Database) -> std::result::Result<(), OpenError> {
    let known = state(database).await.map_err(|error| refused(database, error))?;
    let newest = MIGRATIONS.len();
    if known.version >= newest {
        return Ok(());
    }
    check_reference(&known)?;
    match database.address() {
        None => upgrade(database, newest).await.map(drop),
        Some(address) => {
            Err(OpenError::Outdated { address: address.to_owned(), found: known.version, needed: newest })
        }
    }
}

/// What the tables say of themselves.
pub(super) async fn state(database: &Database) -> Result<State> {
    let mut session = database.session().await?;
    look(&mut session).await
}

/// Applies the migrations that are missing up to that version, alone: whoever else upgrades meanwhile waits. Returns
/// the numbers of those that were applied.
///
/// What is interrupted can be run again: a whole upgrade is one transaction, and each statement harmless to repeat
/// where a database (`MySQL`) knows no transactions for tables.
pub(super) async fn upgrade(
    database: &Database,
    target: usize,
) -> std::result::Result<Vec<&'static Migration>, OpenError> {
    let applied = steps::run(database, target).await;
    applied.map_err(|error| match error {
        OpenError::Store(error) => refused(database, error),
        other => other,
    })
}

/// Notes that the database has had the migrations up to that version, and applies none.
pub(super) async fn stamp(database: &Database, version: usize) -> Result<()> {
    let mut session = database.begin().await?;
    session.raw(&stamp_script(database.dialect(), version)).await?;
    session.commit().await
}

/// The statements of [`stamp`].
pub(super) fn stamp_script(dialect: Dialect, version: usize) -> String {
    let make = sql::make_versions(dialect);
    format!(
        "{make}DELETE FROM zaqar_schema;\nINSERT INTO zaqar_schema (version, pulse) VALUES ({version}, 0);\n"
    )
}

/// Refuses tables of another revision than ours to complete; a database without `alembic_version` was made
/// straight from the Python service's table definitions, or is empty.
fn check_reference(known: &State) -> std::result::Result<(), OpenError> {
    let fits = known.version > 0 || known.reference.is_empty() || known.reference == [REFERENCE];
    if fits { Ok(()) } else { Err(OpenError::Revision { found: known.reference.join(", ") }) }
}

async fn look(session: &mut Session) -> Result<State> {
    let mut reference = Vec::new();
    if has_table(session, "alembic_version").await? {
        let rows = session.fetch(sql::REVISIONS, &[]).await?;
        reference = rows.iter().map(|row| row.text(0)).collect::<Result<_>>()?;
    }
    let version = if has_table(session, "zaqar_schema").await? {
        let row = session.fetch_first(sql::VERSION, &[]).await?;
        usize::try_from(row.map_or(Ok(0), |row| row.int(0))?).unwrap_or(0)
    } else {
        usize::from(reference == [REFERENCE])
    };
    Ok(State { version, reference })
}

async fn has_table(session: &mut Session, name: &str) -> Result<bool> {
    let statement = sql::has_table(session.dialect());
    Ok(session.fetch_first(statement, values![name]).await?.is_some())
}

/// The error of a database that cannot be used, with its name.
pub(super) fn refused(database: &Database, error: Error) -> OpenError {
    let named = |source| match (database, database.address()) {
        (Database::Sqlite(connections), _) => match connections.path() {
            Some(path) => OpenError::File { path: path.to_owned(), source },
            None => OpenError::Store(Error::Unavailable(source)),
        },
        (_, address) => OpenError::Server { address: address.unwrap_or_default().to_owned(), source },
    };
    match error {
        Error::Unavailable(cause) => named(cause),
        other => named(other.into()),
    }
}

/// True for the dialect whose tables change outside of transactions.
fn is_piecemeal(dialect: Dialect) -> bool {
    dialect == Dialect::Mysql
}
