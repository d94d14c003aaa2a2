//! [`Management`] and [`Catalogue`](super::Catalogue) on an SQL database through sqlx: `SQLite`, `MariaDB` or `MySQL`, `PostgreSQL`.
//!
//! The tables are those of the Python service at its revision 007 with a few columns and tables more, so that
//! both services can use one database. Names and projects compare byte for byte. Each change is one transaction,
//! made again where the database rolled it back for the sake of another one (`retry.rs`). The databases differ in
//! `statements.rs` and in the files of `migrations/`; a `Session` hides their connections.

mod catalogue;
mod changes;
mod connections;
mod database;
mod dialect;
mod error;
mod filters;
mod flavors;
mod places;
mod pools;
mod queues;
mod retry;
mod row;
mod rows;
mod schema;
mod session;
mod statements;
mod tables;
#[cfg(test)]
mod tests;
mod url;

use std::future::Future;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use self::database::Database;
pub use self::error::OpenError;
pub use self::tables::{Current, SqlTables};
use self::url::Location;
use super::{Error, Management, Placement, Placing, QueueFilter, QueueRecord, Result, Work};
use crate::clock::Clock;
use crate::model::{Metadata, PoolName, ProjectId, QueueName, QueueRef};

/// How long calls may take.
#[derive(Clone, Copy, Debug)]
struct Deadlines {
    /// One that changes or finds something by an index; then the answer is [`Error::Timeout`].
    call: Duration,
    /// One that filters or counts.
    scan: Duration,
    /// How long `SQLite` waits for another process that writes; then the answer is
    /// [`Error::Unavailable`].
    busy: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { call: seconds(3), scan: seconds(5), busy: seconds(2) }
    }
}

/// The management store on an SQL database.
pub struct SqlManagement {
    database: Database,
    deadlines: Deadlines,
    /// For the epochs of queues that the Python service created.
    clock: Clock,
}

impl SqlManagement {
    /// Opens the database of that URL. An `SQLite` file is created (mode 0600) and upgraded if need be; a server's
    /// database must have been upgraded before ([`OpenError::Outdated`]).
    ///
    /// Forms: `sqlite:////absolute/path`, `sqlite:///relative/path`; `sqlite://` and `sqlite:///:memory:` for one
    /// that lives in this process as long as the store; `mysql+pymysql://user:password@host:port/database`,
    /// `postgresql+psycopg2://user:password@host:port/database` with the parameters of those drivers.
    pub async fn open(uri: &str) -> std::result::Result<Self, OpenError> {
        Self::open_with(uri, Deadlines::default()).await
    }

    async fn open_with(uri: &str, deadlines: Deadlines) -> std::result::Result<Self, OpenError> {
        let database = Database::open(Location::parse(uri)?, deadlines.busy, deadlines.call).await?;
        if let Err(error) = schema::prepare(&database).await {
            // The connection that writes may stand in an open transaction; closing it undoes that.
            database.close().await;
            return Err(error);
        }
        Ok(Self { database, deadlines, clock: Clock::system() })
    }

    /// Makes a call that finds or changes something, again where that is harmless.
    async fn call<T, F: Future<Output = Result<T>>>(&self, call: impl Fn() -> F) -> Result<T> {
        retry::persist(self.deadlines.call, call).await
    }

    /// Makes a call that filters or counts, again where that is harmless.
    async fn scan<T, F: Future<Output = Result<T>>>(&self, call: impl Fn() -> F) -> Result<T> {
        retry::persist(self.deadlines.scan, call).await
    }
}

#[async_trait]
impl Management for SqlManagement {
    async fn create_queue(
        &self,
        queue: &QueueRef,
        metadata: &Metadata,
        pool: Option<&PoolName>,
    ) -> Result<(QueueRecord, bool)> {
        let begun = Instant::now();
        let call = async || {
            loop {
                if let Some(queue) = self.insert(queue, begun, metadata, pool).await? {
                    let placement = Placement { pool: pool.cloned(), motion: None };
                    let metadata = metadata.clone();
                    return Ok((QueueRecord { queue, metadata, revision: 1, placement }, true));
                }
                // None where it was deleted in between: then there is room for a new one.
                if let Some(record) = self.find(&queue.project, &queue.name).await? {
                    return Ok((record, false));
                }
            }
        };
        self.call(call).await
    }

    async fn queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        self.call(|| self.find(project, name)).await
    }

    async fn replace_metadata(
        &self,
        seen: &QueueRecord,
        metadata: &Metadata,
        placing: Option<&Placing>,
    ) -> Result<Option<QueueRecord>> {
        self.call(|| self.replace(seen, metadata, placing)).await
    }

    async fn while_current(&self, queue: &QueueRef, work: Work<'_>) -> Result<bool> {
        let Some(session) = self.call(|| self.keep(queue)).await? else { return Ok(false) };
        let done = work.await;
        session.rollback().await?;
        done.map(|()| true)
    }

    async fn delete_queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        self.call(|| self.delete(project, name)).await
    }

    async fn queues(&self, project: &ProjectId, filter: &QueueFilter) -> Result<Vec<QueueRecord>> {
        self.scan(|| self.list(project, filter)).await
    }

    async fn count_queues(&self, project: &ProjectId) -> Result<u64> {
        self.scan(|| self.count(statements::queues::COUNT, Some(project))).await
    }

    async fn count_all_queues(&self) -> Result<u64> {
        self.scan(|| self.count(statements::queues::COUNT_ALL, None)).await
    }

    async fn ping(&self) -> Result<()> {
        let call = async || {
            let mut session = self.database.begin().await?;
            session.execute(statements::PULSE, &[]).await?;
            session.commit().await
        };
        self.call(call).await
    }

    async fn close(&self) {
        let closed = tokio::time::timeout(self.deadlines.scan, self.database.close()).await;
        if closed.is_err() {
            tracing::warn!("the management database did not close in time");
        }
    }
}
