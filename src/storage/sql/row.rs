//! A row of an answer, whichever database gave it.

use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::storage::{Error, Result};

/// A row; columns are counted from 0.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Mysql(MySqlRow),
    Postgres(PgRow),
}

impl Row {
    /// The bytes of a column, text too: the Python service writes JSON as bytes even into columns of text, and
    /// `SQLite` then keeps bytes.
    pub(super) fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>> {
        let bytes = match self {
            Self::Sqlite(row) => row.try_get_unchecked(column),
            Self::Mysql(row) => row.try_get_unchecked(column),
            Self::Postgres(row) => row.try_get_unchecked(column),
        };
        Ok(bytes?)
    }

    /// The text of a column.
    pub(super) fn maybe_text(&self, column: usize) -> Result<Option<String>> {
        let text = self.maybe_bytes(column)?.map(String::from_utf8).transpose();
        text.map_err(|_| Error::Corrupt(format!("column {column} is no text")))
    }

    /// The text of a column that is never null.
    pub(super) fn text(&self, column: usize) -> Result<String> {
        self.maybe_text(column)?.ok_or_else(|| Error::Corrupt(format!("column {column} is null")))
    }

    /// The number in a column of any whole type.
    pub(super) fn maybe_int(&self, column: usize) -> Result<Option<i64>> {
        let number = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Mysql(row) => row.try_get(column),
            // PostgreSQL sends an INTEGER as four bytes, and the client does not widen them.
            Self::Postgres(row) => row
                .try_get(column)
                .or_else(|_| row.try_get::<Option<i32>, _>(column).map(|number| number.map(i64::from))),
        };
        Ok(number?)
    }

    /// The number in a column that is never null.
    pub(super) fn int(&self, column: usize) -> Result<i64> {
        self.maybe_int(column)?.ok_or_else(|| Error::Corrupt(format!("column {column} is null")))
    }
}
