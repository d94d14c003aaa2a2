//! The SQL of the store: the one place where databases differ. All values are bound parameters, written `?`
//! for every database. Names are quoted as standard SQL does it.
//!
//! A statement that differs is a function of the dialect; the others are constants.

pub(super) mod changes;
pub(super) mod places;
pub(super) mod pools;
pub(super) mod queues;
pub(super) mod schema;

/// A function of the dialect that gives its text of a statement.
macro_rules! by_dialect {
    ($(#[$doc:meta])* $name:ident: $sqlite:expr, $mysql:expr, $postgres:expr $(,)?) => {
        $(#[$doc])*
        pub(in crate::storage::sql) fn $name(
            dialect: $crate::storage::sql::dialect::Dialect,
        ) -> &'static str {
            use $crate::storage::sql::dialect::Dialect;
            match dialect {
                Dialect::Sqlite => $sqlite,
                Dialect::Mysql => $mysql,
                Dialect::Postgres => $postgres,
            }
        }
    };
}
use by_dialect;

/// A write that reaches the disk: one bit turned over.
pub(super) const PULSE: &str = "UPDATE zaqar_schema SET pulse = 1 - pulse";
