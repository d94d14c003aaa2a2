//! A connection in use: statements with bound values, alone or in a transaction.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Database, MySql, Postgres, Sqlite};

use super::dialect::{Dialect, numbered};
use super::error::{CommitLost, is_duplicate, is_farewell};
use super::row::Row;
use crate::storage::{Error, Result};

/// A value bound to a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Bytes(&'a [u8]),
    Int(i64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::MaybeText(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// The values of a statement, in the order of its question marks.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::storage::sql::session::Value::from($value)),*] };
}
pub(super) use values;

/// A query with its values bound.
macro_rules! bound {
    ($query:expr, $values:expr) => {
        $values.iter().fold($query, |query, value| match value {
            Value::Text(text) => query.bind(*text),
            Value::MaybeText(text) => query.bind(*text),
            Value::Bytes(bytes) => query.bind(*bytes),
            Value::Int(number) => query.bind(*number),
        })
    };
}

/// A connection in use, in a transaction or not.
pub(super) struct Session(Kind);

enum Kind {
    /// The token, if there is one, tells a scan that its caller still waits.
    Sqlite(Loan<Sqlite>, #[expect(dead_code, reason = "lives as long as the session")] Option<Arc<()>>),
    Mysql(Loan<MySql>),
    Postgres(Loan<Postgres>),
}

/// Does the same with the loan of each database.
macro_rules! with_loan {
    ($session:expr, $loan:ident => $act:expr) => {
        match $session {
            Kind::Sqlite($loan, _) => $act,
            Kind::Mysql($loan) => $act,
            Kind::Postgres($loan) => $act,
        }
    };
}

impl Session {
    pub(super) fn sqlite(connection: PoolConnection<Sqlite>, waiting: Option<Arc<()>>) -> Self {
        // A statement of SQLite that nobody waits for any more ends by itself and harms no later one.
        let mut loan = Loan::new(connection);
        loan.closed_amid_statements = false;
        Self(Kind::Sqlite(loan, waiting))
    }

    pub(super) fn mysql(connection: PoolConnection<MySql>) -> Self {
        Self(Kind::Mysql(Loan::new(connection)))
    }

    pub(super) fn postgres(connection: PoolConnection<Postgres>) -> Self {
        Self(Kind::Postgres(Loan::new(connection)))
    }

    /// The language that statements must be in.
    pub(super) fn dialect(&self) -> Dialect {
        match self.0 {
            Kind::Sqlite(..) => Dialect::Sqlite,
            Kind::Mysql(_) => Dialect::Mysql,
            Kind::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Begins a transaction that writes.
    pub(super) async fn begin(mut self) -> Result<Self> {
        // It may have begun, also where nobody waited for the answer.
        with_loan!(&mut self.0, loan => loan.in_transaction = true);
        let begun =
            self.raw(if self.dialect() == Dialect::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await;
        with_loan!(&mut self.0, loan => loan.in_transaction = begun.is_ok());
        begun.map(|()| self)
    }

    /// Runs a statement: how many rows it found (also those that it left as they were).
    pub(super) async fn execute(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<u64> {
        Ok(match &mut self.0 {
            Kind::Sqlite(loan, _) => {
                let query = bound!(sqlx::query(statement), values);
                loan.run(async |connection| query.execute(connection).await).await?.rows_affected()
            }
            Kind::Mysql(loan) => {
                let query = bound!(sqlx::query(statement), values);
                loan.run(async |connection| query.execute(connection).await).await?.rows_affected()
            }
            Kind::Postgres(loan) => {
                let query = bound!(sqlx::query(AssertSqlSafe(numbered(statement))), values);
                loan.run(async |connection| query.execute(connection).await).await?.rows_affected()
            }
        })
    }

    /// All rows that a statement gives.
    pub(super) async fn fetch(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        Ok(match &mut self.0 {
            Kind::Sqlite(loan, _) => {
                let query = bound!(sqlx::query(statement), values);
                let rows = loan.run(async |connection| query.fetch_all(connection).await).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Kind::Mysql(loan) => {
                let query = bound!(sqlx::query(statement), values);
                let rows = loan.run(async |connection| query.fetch_all(connection).await).await?;
                rows.into_iter().map(Row::Mysql).collect()
            }
            Kind::Postgres(loan) => {
                let query = bound!(sqlx::query(AssertSqlSafe(numbered(statement))), values);
                let rows = loan.run(async |connection| query.fetch_all(connection).await).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row that a statement gives.
    pub(super) async fn fetch_first(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>> {
        Ok(self.fetch(statement, values).await?.into_iter().next())
    }

    /// Runs an insert that other databases ignore where the row exists (`ON CONFLICT DO NOTHING`), and of which
    /// `MySQL` complains: whether the row is new.
    pub(super) async fn insert(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<bool> {
        match self.execute(statement, values).await {
            Ok(rows) => Ok(rows == 1),
            Err(error) if self.dialect() == Dialect::Mysql && is_duplicate(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs text without parameters, as migrations are.
    pub(super) async fn raw(&mut self, text: &str) -> Result<()> {
        let text = AssertSqlSafe(text.to_owned());
        with_loan!(&mut self.0, loan => {
            loan.run(async |connection| sqlx::raw_sql(text).execute(connection).await).await?;
        });
        Ok(())
    }

    /// Makes what the transaction did last.
    pub(super) async fn commit(self) -> Result<()> {
        with_loan!(self.0, loan => {
            let mut loan = loan;
            let done = loan.run(async |connection| sqlx::raw_sql("COMMIT").execute(connection).await).await;
            loan.end(done.map(drop))
        })
    }

    /// Undoes what the transaction did.
    pub(super) async fn rollback(self) -> Result<()> {
        with_loan!(self.0, loan => {
            let mut loan = loan;
            loan.run(async |connection| sqlx::raw_sql("ROLLBACK").execute(connection).await).await?;
            loan.in_transaction = false;
        });
        Ok(())
    }
}

/// A connection on loan from its pool. Dropped within a transaction, or amid a statement on a server, it is closed,
/// not given back: the database then undoes the transaction, and nobody waits for an answer that a dead server
/// will never send.
struct Loan<DB: Database> {
    /// Taken only when it is dropped.
    connection: Option<PoolConnection<DB>>,
    closed_amid_statements: bool,
    in_statement: bool,
    in_transaction: bool,
}

impl<DB: Database> Loan<DB> {
    fn new(connection: PoolConnection<DB>) -> Self {
        let connection = Some(connection);
        Self { connection, closed_amid_statements: true, in_statement: false, in_transaction: false }
    }

    /// Runs one statement, and remembers as long as it is not over.
    async fn run<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut DB::Connection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        self.in_statement = true;
        let result = statement(&mut **connection).await;
        // Any other error than the database's own leaves the connection in an unknown state.
        self.in_statement = !matches!(result, Ok(_) | Err(sqlx::Error::Database(_)));
        result
    }

    /// The result of a commit: where no answer came, it may or may not have been carried out.
    fn end(mut self, committed: sqlx::Result<()>) -> Result<()> {
        match committed {
            Ok(()) => {
                self.in_transaction = false;
                Ok(())
            }
            Err(error @ sqlx::Error::Database(_)) if !is_farewell(&error) => Err(error.into()),
            Err(error) => Err(Error::unavailable(CommitLost(error))),
        }
    }
}

impl<DB: Database> Drop for Loan<DB> {
    fn drop(&mut self) {
        if (self.in_transaction || self.in_statement && self.closed_amid_statements)
            && let Some(connection) = self.connection.take()
        {
            drop(connection.detach());
        }
    }
}
