//! The version of the tables, and what surrounds an upgrade.

use super::by_dialect;
use crate::storage::sql::dialect::Dialect;

/// The newest migration that was applied.
pub(in crate::storage::sql) const VERSION: &str = "SELECT version FROM zaqar_schema";

/// Notes the newest migration. Binds its number.
pub(in crate::storage::sql) const SET_VERSION: &str = "UPDATE zaqar_schema SET version = ?";

/// The revisions of the Python service's schema.
pub(in crate::storage::sql) const REVISIONS: &str = "SELECT version_num FROM alembic_version";

by_dialect!(
    /// A row, if there is a table of that name. Binds the name.
    has_table: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
    "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
    "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?",
);

/// What an upgrade begins with: it waits for another one to end, and for those who use the tables.
pub(in crate::storage::sql) fn before_upgrade(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Sqlite => &[],
        Dialect::Mysql => &[
            "SET SESSION lock_wait_timeout = 60",
            "SELECT GET_LOCK(CONCAT('zaqar ', LEFT(DATABASE(), 50)), 600)",
        ],
        Dialect::Postgres => &[
            "SET LOCAL statement_timeout = 0",
            "SET LOCAL lock_timeout = 0",
            "SET LOCAL idle_in_transaction_session_timeout = 0",
            // Any number will do that nobody else uses: "zaqar" in ASCII.
            "SELECT pg_advisory_xact_lock(525898375538)",
        ],
    }
}

/// What an upgrade ends with.
pub(in crate::storage::sql) fn after_upgrade(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Sqlite | Dialect::Postgres => &[],
        Dialect::Mysql => &[
            "SELECT RELEASE_LOCK(CONCAT('zaqar ', LEFT(DATABASE(), 50)))",
            "SET SESSION lock_wait_timeout = 2",
        ],
    }
}

/// The Python service's table of versions, with its newest revision alone.
macro_rules! reference_version {
    () => {
        "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
DELETE FROM alembic_version;
INSERT INTO alembic_version (version_num) VALUES ('007');
"
    };
}

by_dialect!(
    /// What a printed upgrade begins with.
    prelude: "BEGIN IMMEDIATE;\n",
    "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES';\n",
    "BEGIN;\n",
);

by_dialect!(
    /// What a printed upgrade ends with.
    epilogue: "COMMIT;\n",
    "",
    "COMMIT;\n",
);

by_dialect!(
    /// The tables of both versions, the Python service's at its newest revision.
    make_versions: concat!(
        "CREATE TABLE IF NOT EXISTS zaqar_schema (version INTEGER NOT NULL, pulse INTEGER NOT NULL);\n",
        reference_version!()
    ),
    concat!(
        "CREATE TABLE IF NOT EXISTS zaqar_schema (version INTEGER NOT NULL, pulse INTEGER NOT NULL,\n",
        "    id INTEGER NOT NULL PRIMARY KEY DEFAULT 1) ENGINE = InnoDB;\n",
        reference_version!()
    ),
    concat!(
        "CREATE TABLE IF NOT EXISTS zaqar_schema (version INTEGER NOT NULL, pulse INTEGER NOT NULL);\n",
        reference_version!()
    ),
);
