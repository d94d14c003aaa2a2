//! The migrations, one file for each database and version.

use crate::storage::sql::dialect::Dialect;

/// What brings a database from one version of our tables to the next.
#[derive(Debug)]
pub(in crate::storage::sql) struct Migration {
    /// The version that it leads to.
    pub(in crate::storage::sql) version: usize,
    /// What it does, in a few words.
    pub(in crate::storage::sql) summary: &'static str,
    sqlite: &'static str,
    mysql: &'static str,
    postgres: &'static str,
}

impl Migration {
    /// Its statements, each ended by a semicolon at the end of a line.
    pub(super) fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Mysql => self.mysql,
            Dialect::Postgres => self.postgres,
        }
    }
}

macro_rules! migration {
    ($version:literal, $file:literal, $summary:literal) => {
        Migration {
            version: $version,
            summary: $summary,
            sqlite: include_str!(concat!("../migrations/sqlite/", $file)),
            mysql: include_str!(concat!("../migrations/mysql/", $file)),
            postgres: include_str!(concat!("../migrations/postgres/", $file)),
        }
    };
}

/// All migrations, from version 1 on.
pub(in crate::storage::sql) const MIGRATIONS: &[Migration] = &[
    migration!(1, "1_reference.sql", "the tables of the Python service at its revision 007"),
    migration!(
        2,
        "2_epochs.sql",
        "names compared byte for byte, projects of 256 characters, epochs and revisions"
    ),
    migration!(3, "3_places.sql", "the table of changes, and queues on their way between pools"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_counted_from_one() {
        assert!(MIGRATIONS.iter().enumerate().all(|(index, migration)| migration.version == index + 1));
    }
}
