//! What is particular to SQL, on each database: files of SQLite, a MariaDB and a PostgreSQL server.

/// A module for each database, with one test for each function, which takes a `common::Fresh`.
macro_rules! every_database {
    ($($test:ident),+ $(,)?) => {
        tests_on!(sqlite, Sqlite, $($test),+);
        tests_on!(mariadb, MariaDb, $($test),+);
        tests_on!(postgres, Postgres, $($test),+);
    };
}

/// The same for databases on servers only.
macro_rules! every_server {
    ($($test:ident),+ $(,)?) => {
        tests_on!(mariadb_server, MariaDb, $($test),+);
        tests_on!(postgres_server, Postgres, $($test),+);
    };
}

macro_rules! tests_on {
    ($module:ident, $kind:ident, $($test:ident),+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(&crate::sql::common::Kind::$kind.fresh().await).await;
                }
            )+
        }
    };
}

mod changes;
pub(crate) mod common;
mod conflicts;
mod filters;
mod outages;
mod takeover;
mod verbs;
