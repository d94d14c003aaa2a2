//! The version of the tables, and what brings them up to date. Migrations only add, so that the Python service
//! and older releases of this one can use the same database meanwhile and afterwards.

use sqlx::{Row, SqliteConnection};

use super::OpenError;

/// Migration n brings a database from version n - 1 to n.
const MIGRATIONS: [&str; 2] =
    [include_str!("migrations/1_reference.sql"), include_str!("migrations/2_epochs.sql")];

/// The revision of the Python service's schema that the first migration makes or finds.
const REFERENCE: &str = "007";

/// Creates or completes the tables, in one transaction; quick where nothing is to do.
///
/// After an error the transaction is still open: the caller closes the connection, which undoes it.
pub(super) async fn upgrade(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    if version(connection).await? >= MIGRATIONS.len() {
        return Ok(());
    }
    // Whoever waits here for another process finds its work done.
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let from = version(connection).await?;
    if from == 0 {
        check_reference(connection).await?;
    }
    for migration in MIGRATIONS.iter().skip(from) {
        sqlx::raw_sql(*migration).execute(&mut *connection).await?;
    }
    let newest = i64::try_from(MIGRATIONS.len().max(from)).unwrap_or(i64::MAX);
    sqlx::query("UPDATE zaqar_schema SET version = ?").bind(newest).execute(&mut *connection).await?;
    sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
    Ok(())
}

/// The newest migration that the database has had; 0 where it has had none of ours.
async fn version(connection: &mut SqliteConnection) -> Result<usize, OpenError> {
    if !has_table(connection, "zaqar_schema").await? {
        return Ok(0);
    }
    let row = sqlx::query("SELECT version FROM zaqar_schema").fetch_one(connection).await?;
    let version: i64 = row.try_get(0)?;
    Ok(usize::try_from(version).unwrap_or(0))
}

/// Refuses tables of another revision than ours to complete; a database without `alembic_version` was made
/// straight from the Python service's table definitions, or is empty.
async fn check_reference(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    if !has_table(connection, "alembic_version").await? {
        return Ok(());
    }
    let rows = sqlx::query("SELECT version_num FROM alembic_version").fetch_all(connection).await?;
    let found = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    if found.is_empty() || found == [REFERENCE] {
        return Ok(());
    }
    Err(OpenError::Revision { found: found.join(", ") })
}

async fn has_table(connection: &mut SqliteConnection, name: &str) -> Result<bool, OpenError> {
    let query = sqlx::query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
    Ok(query.bind(name).fetch_optional(connection).await?.is_some())
}
