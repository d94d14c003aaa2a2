//! An upgrade, step by step.

use super::migrations::{MIGRATIONS, Migration};
use super::{check_reference, is_piecemeal, look};
use crate::storage::Result;
use crate::storage::sql::OpenError;
use crate::storage::sql::database::Database;
use crate::storage::sql::dialect::Dialect;
use crate::storage::sql::error::is_there_already;
use crate::storage::sql::session::{Session, values};
use crate::storage::sql::statements::schema as sql;

/// The collation in which texts compare byte for byte, trailing spaces too.
const MARIADB_BINARY: &str = "utf8mb4_nopad_bin";

/// The same of `MySQL` 8, which does not have `MariaDB`'s.
const MYSQL_BINARY: &str = "utf8mb4_0900_bin";

/// The statements that bring a database of version `from` to version `target`, for an administrator to run.
/// `MariaDB`'s collations stand in those for `MariaDB` and `MySQL`.
pub(in crate::storage::sql) fn script(dialect: Dialect, from: usize, target: usize) -> String {
    let mut text = sql::prelude(dialect).to_owned();
    for migration in missing(from, target) {
        let statements = migration.text(dialect).replace("{binary}", MARIADB_BINARY);
        let (version, summary) = (migration.version, migration.summary);
        text.extend(["-- Version ", &version.to_string(), ": ", summary, ".\n", &statements]);
        if version > 1 {
            text.extend(["UPDATE zaqar_schema SET version = ", &version.to_string(), ";\n"]);
        }
    }
    text.push_str(sql::epilogue(dialect));
    text
}

/// Applies what is missing.
pub(super) async fn run(
    database: &Database,
    target: usize,
) -> std::result::Result<Vec<&'static Migration>, OpenError> {
    let piecemeal = is_piecemeal(database.dialect());
    let mut session = if piecemeal { database.session().await? } else { database.begin().await? };
    for statement in sql::before_upgrade(session.dialect()) {
        session.fetch(statement, &[]).await?;
    }
    let known = look(&mut session).await?;
    check_reference(&known)?;
    let binary = binary_collation(&mut session).await?;
    let applied = missing(known.version, target);
    for migration in &applied {
        apply(&mut session, migration, binary).await?;
    }
    for statement in sql::after_upgrade(session.dialect()) {
        session.fetch(statement, &[]).await?;
    }
    if !piecemeal {
        session.commit().await?;
    }
    Ok(applied)
}

fn missing(from: usize, target: usize) -> Vec<&'static Migration> {
    MIGRATIONS.iter().filter(|migration| (from + 1..=target).contains(&migration.version)).collect()
}

async fn apply(session: &mut Session, migration: &Migration, binary: &str) -> Result<()> {
    let text = migration.text(session.dialect());
    if is_piecemeal(session.dialect()) {
        for statement in text.replace("{binary}", binary).split_inclusive(";\n") {
            match session.raw(statement).await {
                Err(error) if is_there_already(&error) => {}
                done => done?,
            }
        }
    } else {
        session.raw(text).await?;
    }
    // The first migration makes the tables of the Python service alone.
    if migration.version > 1 {
        let number = i64::try_from(migration.version).unwrap_or(i64::MAX);
        session.execute(sql::SET_VERSION, values![number]).await?;
    }
    Ok(())
}

async fn binary_collation(session: &mut Session) -> Result<&'static str> {
    if session.dialect() != Dialect::Mysql {
        return Ok("");
    }
    let row = session.fetch_first("SELECT VERSION()", &[]).await?;
    let version = row.map_or(Ok(String::new()), |row| row.text(0))?;
    Ok(if version.contains("MariaDB") { MARIADB_BINARY } else { MYSQL_BINARY })
}
