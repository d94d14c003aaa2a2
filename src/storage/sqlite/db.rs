//! A connection with the statements prepared on it.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::{Connection, Params, Row, Statement};

/// A connection whose statements are prepared once and found again by the address of their text, which costs a
/// tenth of looking up the text itself.
pub(super) struct Db<'c> {
    pub(super) connection: &'c Connection,
    statements: RefCell<HashMap<(usize, usize), Statement<'c>>>,
}

impl<'c> Db<'c> {
    /// The connection with no statement prepared yet.
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, statements: RefCell::default() }
    }

    /// Carries out a statement: how many rows it changed.
    pub(super) fn execute(&self, sql: &'static str, params: impl Params) -> rusqlite::Result<usize> {
        self.with(sql, |statement| statement.execute(params))
    }

    /// The first row that a query finds.
    pub(super) fn first<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.with(sql, |statement| statement.query(params)?.next()?.map(read).transpose())
    }

    /// The first rows that a query finds, at most `limit`. The query itself has no bound limit, for SQLite would
    /// prepare it anew at each call.
    pub(super) fn some<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        limit: usize,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.with(sql, |statement| statement.query_map(params, read)?.take(limit).collect())
    }

    /// Lends the prepared statement. Within `work` the same text is another statement.
    pub(super) fn with<T, E: From<rusqlite::Error>>(
        &self,
        sql: &'static str,
        work: impl FnOnce(&mut Statement<'c>) -> Result<T, E>,
    ) -> Result<T, E> {
        let place = (sql.as_ptr().addr(), sql.len());
        let prepared = self.statements.borrow_mut().remove(&place);
        let mut statement = prepared.map_or_else(|| self.connection.prepare(sql), Ok)?;
        let outcome = work(&mut statement);
        self.statements.borrow_mut().insert(place, statement);
        outcome
    }

    /// Statements that SQLite prepared anew since they were prepared, which costs more than most of them do.
    #[cfg(test)]
    pub(super) fn prepared_again(&self) -> Vec<String> {
        let again =
            |statement: &&Statement<'_>| statement.get_status(rusqlite::StatementStatus::RePrepare) > 0;
        self.statements.borrow().values().filter(again).filter_map(Statement::expanded_sql).collect()
    }
}
