//! [`Management`] on an SQL database through sqlx: SQLite.
//!
//! The tables are those of the Python service at its revision 007 with a few columns more, so that both services
//! can use one database. Names and projects compare byte for byte. Each call is one statement
//! (`statements.rs`), so that nothing is ever half done.

mod catalogue;
mod connections;
mod error;
mod rows;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod url;

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row;

use self::connections::Connections;
pub use self::error::OpenError;
use self::rows::QueueRow;
use self::url::Location;
use super::{Error, Management, Placement, Placing, QueueFilter, QueueRecord, Result};
use crate::clock::Clock;
use crate::model::{Epoch, Metadata, PoolName, ProjectId, QueueName, QueueRef};

/// How long a call may take; then the answer is [`Error::Timeout`].
const DEADLINE: Duration = Duration::from_secs(5);

/// How long a call waits for another process that writes; then the answer is [`Error::Unavailable`].
const BUSY: Duration = Duration::from_secs(2);

/// The management store on an SQL database.
pub struct SqlManagement {
    connections: Connections,
    deadline: Duration,
    /// For the epochs of queues that the Python service created.
    clock: Clock,
}

impl SqlManagement {
    /// Opens the database of that URL; an SQLite file is created (mode 0600) and upgraded if need be.
    ///
    /// Forms: `sqlite:////absolute/path`, `sqlite:///relative/path`; `sqlite://` and `sqlite:///:memory:` for one
    /// that lives in this process as long as the store.
    pub async fn open(uri: &str) -> std::result::Result<Self, OpenError> {
        Self::open_with(uri, DEADLINE, BUSY).await
    }

    async fn open_with(
        uri: &str,
        deadline: Duration,
        busy: Duration,
    ) -> std::result::Result<Self, OpenError> {
        let connections = Connections::open(Location::parse(uri)?, busy).await?;
        Ok(Self { connections, deadline, clock: Clock::system() })
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.deadline, call).await.unwrap_or(Err(Error::Timeout(self.deadline)))
    }

    /// Inserts the queue: whether there was none.
    async fn insert(&self, queue: &QueueRef, metadata: &Metadata) -> Result<bool> {
        let done = sqlx::query(statements::INSERT)
            .bind(queue.project.as_str())
            .bind(queue.name.as_str())
            .bind(rows::encode(metadata)?)
            .bind(queue.epoch.0)
            .execute(&mut *self.connections.for_write().await?)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn find(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        loop {
            let query = sqlx::query(statements::SELECT).bind(project.as_str()).bind(name.as_str());
            let Some(row) = query.fetch_optional(&self.connections.readers).await? else {
                return Ok(None);
            };
            let row = QueueRow::read(&row)?;
            if let Some(epoch) = row.epoch {
                return row.into_record(project, Epoch(epoch)).map(Some);
            }
            self.adopt(project).await?;
        }
    }

    /// Gives an epoch to those of the project's queues that the Python service created since the last time.
    async fn adopt(&self, project: &ProjectId) -> Result<()> {
        sqlx::query(statements::ADOPT)
            .bind(self.clock.now().micros())
            .bind(project.as_str())
            .execute(&mut *self.connections.for_write().await?)
            .await?;
        Ok(())
    }

    async fn page(&self, project: &ProjectId, filter: &QueueFilter) -> Result<Vec<QueueRow>> {
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
        // Every name comes after the empty one.
        let marker = filter.marker.as_deref().unwrap_or_default();
        let rows = if filter.name.is_none() && filter.metadata.is_empty() {
            let query = sqlx::query(statements::PAGE).bind(project.as_str()).bind(marker).bind(limit);
            query.fetch_all(&self.connections.readers).await?
        } else {
            let filters =
                serde_json::to_string(&filter.metadata).map_err(|error| Error::Corrupt(error.to_string()))?;
            let query = sqlx::query(statements::FILTERED_PAGE)
                .bind(filters)
                .bind(project.as_str())
                .bind(marker)
                .bind(filter.name.as_deref().unwrap_or_default())
                .bind(limit);
            self.connections.scan(async |mut connection| query.fetch_all(&mut *connection).await).await?
        };
        rows.iter().map(QueueRow::read).collect()
    }

    async fn count(&self, query: SqliteQuery<'_>) -> Result<u64> {
        let row =
            self.connections.scan(async |mut connection| query.fetch_one(&mut *connection).await).await?;
        let count: i64 = row.try_get(0)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

/// A statement with what is bound to it.
type SqliteQuery<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

#[async_trait]
impl Management for SqlManagement {
    async fn create_queue(
        &self,
        queue: &QueueRef,
        metadata: &Metadata,
        _pool: Option<&PoolName>,
    ) -> Result<(QueueRecord, bool)> {
        let call = async {
            loop {
                if self.insert(queue, metadata).await? {
                    let record = QueueRecord {
                        queue: queue.clone(),
                        metadata: metadata.clone(),
                        revision: 1,
                        placement: Placement::default(),
                    };
                    return Ok((record, true));
                }
                // None where it was deleted in between: then there is room for a new one.
                if let Some(record) = self.find(&queue.project, &queue.name).await? {
                    return Ok((record, false));
                }
            }
        };
        self.within(call).await
    }

    async fn queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        self.within(self.find(project, name)).await
    }

    async fn replace_metadata(
        &self,
        seen: &QueueRecord,
        metadata: &Metadata,
        _placing: Option<&Placing>,
    ) -> Result<Option<QueueRecord>> {
        let call = async {
            let done = sqlx::query(statements::REPLACE)
                .bind(rows::encode(metadata)?)
                .bind(seen.queue.project.as_str())
                .bind(seen.queue.name.as_str())
                .bind(seen.queue.epoch.0)
                .bind(seen.revision)
                .execute(&mut *self.connections.for_write().await?)
                .await?;
            let record = || QueueRecord {
                queue: seen.queue.clone(),
                metadata: metadata.clone(),
                revision: seen.revision + 1,
                placement: seen.placement.clone(),
            };
            Ok((done.rows_affected() == 1).then(record))
        };
        self.within(call).await
    }

    async fn delete_queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        let call = async {
            // All rows are fetched, though there is one at most: SQLite commits behind the last, and only then
            // is an error of the commit seen.
            let rows = sqlx::query(statements::DELETE)
                .bind(project.as_str())
                .bind(name.as_str())
                .fetch_all(&mut *self.connections.for_write().await?)
                .await?;
            let Some(row) = rows.first() else {
                return Ok(None);
            };
            let row = QueueRow::read(row)?;
            let epoch = row.epoch.map_or_else(|| Epoch(self.clock.now().micros()), Epoch);
            row.into_last_record(project, epoch).map(Some)
        };
        self.within(call).await
    }

    async fn queues(&self, project: &ProjectId, filter: &QueueFilter) -> Result<Vec<QueueRecord>> {
        let call = async {
            loop {
                let rows = self.page(project, filter).await?;
                if rows.iter().all(|row| row.epoch.is_some()) {
                    let record = |row: QueueRow| {
                        let epoch = Epoch(row.epoch.unwrap_or_default());
                        row.into_record(project, epoch)
                    };
                    return rows.into_iter().map(record).collect();
                }
                self.adopt(project).await?;
            }
        };
        self.within(call).await
    }

    async fn count_queues(&self, project: &ProjectId) -> Result<u64> {
        self.within(self.count(sqlx::query(statements::COUNT).bind(project.as_str()))).await
    }

    async fn count_all_queues(&self) -> Result<u64> {
        self.within(self.count(sqlx::query(statements::COUNT_ALL))).await
    }

    async fn ping(&self) -> Result<()> {
        let call = async {
            sqlx::query(statements::PULSE).execute(&mut *self.connections.for_write().await?).await?;
            Ok(())
        };
        self.within(call).await
    }

    async fn close(&self) {
        let closed = tokio::time::timeout(self.deadline, self.connections.close()).await;
        if closed.is_err() {
            tracing::warn!("the management database did not close in time");
        }
    }
}
