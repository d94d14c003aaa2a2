//! What the store does with queues; each function is one attempt.

use std::time::{Duration, Instant};

use super::SqlManagement;
use super::filters::{self, Wanted};
use super::rows::{self, QueueRow};
use super::session::{Session, values};
use super::statements::{places, queues as sql};
use crate::model::{Epoch, Metadata, PoolName, ProjectId, QueueName, QueueRef};
use crate::storage::{Placing, QueueFilter, QueueRecord, Result};

/// The time in which nobody creates a queue, deletes it, and has both on disk.
const AT_ONCE: Duration = Duration::from_millis(1);

/// The queue with the epoch that it would be given now. While its creation waits for others, one of the same name may
/// come and go, with a later epoch than this one's was: then the data of this one would seem to be older (decision 3).
fn renewed(queue: &QueueRef, since: Instant) -> QueueRef {
    let waited = Some(since.elapsed()).filter(|waited| *waited >= AT_ONCE).unwrap_or_default();
    let waited = i64::try_from(waited.as_micros()).unwrap_or(i64::MAX);
    QueueRef { epoch: Epoch(queue.epoch.0.saturating_add(waited)), ..queue.clone() }
}

impl SqlManagement {
    /// Inserts the queue, in that pool or none, as it is then; `None` where there is one. The call began at `begun`,
    /// when the queue's epoch was made.
    pub(super) async fn insert(
        &self,
        queue: &QueueRef,
        begun: Instant,
        metadata: &Metadata,
        pool: Option<&PoolName>,
    ) -> Result<Option<QueueRef>> {
        let text = rows::encode(metadata)?;
        let digest = rows::digest(&text);
        let mut session = self.database.begin().await?;
        let queue = &renewed(queue, begun);
        let values =
            values![queue.project.as_str(), queue.name.as_str(), &text[..], queue.epoch.0, &digest[..],];
        let inserting = Instant::now();
        if !session.insert(sql::insert(session.dialect()), values).await? {
            session.rollback().await?;
            return Ok(None);
        }
        // The row is ours now: whatever others did to a queue of this name they did before.
        let inserted = queue.epoch;
        let queue = &renewed(queue, inserting);
        if queue.epoch != inserted {
            let values = values![queue.epoch.0, queue.project.as_str(), queue.name.as_str()];
            session.execute(sql::RENEW, values).await?;
        }
        // The Python service may have left the place of an earlier queue of that name.
        let left = session.placement(queue).await?;
        if left.motion.is_some() {
            session.execute(places::FORGET, values![queue.project.as_str(), queue.name.as_str()]).await?;
        }
        if left.pool.as_ref() != pool {
            session.put_in(queue, pool).await?;
        }
        session.note_queue(&queue.project, &queue.name).await?;
        session.commit().await?;
        Ok(Some(queue.clone()))
    }

    /// The queue's record.
    pub(super) async fn find(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        loop {
            let mut session = self.database.read().await?;
            let values = values![project.as_str(), name.as_str()];
            let Some(row) = session.fetch_first(sql::one(session.dialect()), values).await? else {
                return Ok(None);
            };
            drop(session);
            let row = QueueRow::read(&row)?;
            if let Some(epoch) = row.epoch {
                return row.into_record(project, Epoch(epoch)).map(Some);
            }
            self.adopt(project).await?;
        }
    }

    /// Takes in what the Python service did to the project's queues since the last time.
    pub(super) async fn adopt(&self, project: &ProjectId) -> Result<()> {
        let mut session = self.database.begin().await?;
        let values = values![self.clock.now().micros(), project.as_str()];
        session.execute(sql::adopt(session.dialect()), values).await?;
        session.commit().await
    }

    /// Replaces the metadata, and perhaps the place, if the queue is as it was seen.
    pub(super) async fn replace(
        &self,
        seen: &QueueRecord,
        metadata: &Metadata,
        placing: Option<&Placing>,
    ) -> Result<Option<QueueRecord>> {
        let text = rows::encode(metadata)?;
        let digest = rows::digest(&text);
        let values = values![
            &text[..],
            &digest[..],
            seen.queue.project.as_str(),
            seen.queue.name.as_str(),
            seen.queue.epoch.0,
            seen.revision,
        ];
        let mut session = self.database.begin().await?;
        if session.execute(sql::replace(session.dialect()), values).await? == 0 {
            session.rollback().await?;
            return Ok(None);
        }
        let queue = &seen.queue;
        if let Some(placing) = placing {
            session.place(queue, placing).await?;
        }
        let placement = session.placement(queue).await?;
        session.note_queue(&queue.project, &queue.name).await?;
        session.commit().await?;
        let (queue, metadata) = (queue.clone(), metadata.clone());
        Ok(Some(QueueRecord { queue, metadata, revision: seen.revision + 1, placement }))
    }

    /// A transaction that keeps the queue of that epoch from being changed, if it is there.
    pub(super) async fn keep(&self, queue: &QueueRef) -> Result<Option<Session>> {
        let values = values![queue.project.as_str(), queue.name.as_str()];
        let mut session = self.database.begin().await?;
        let row = session.fetch_first(sql::lock(session.dialect()), values).await?;
        if row.map(|row| row.maybe_int(0)).transpose()?.flatten() == Some(queue.epoch.0) {
            return Ok(Some(session));
        }
        session.rollback().await?;
        Ok(None)
    }

    /// Deletes the queue: its last record.
    pub(super) async fn delete(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        let values = values![project.as_str(), name.as_str()];
        let mut session = self.database.begin().await?;
        let Some(locked) = session.fetch_first(sql::lock(session.dialect()), values).await? else {
            session.rollback().await?;
            return Ok(None);
        };
        // Where the Python service changed it, its epoch is still that of its data.
        let epoch = locked.maybe_int(0)?.map_or_else(|| Epoch(self.clock.now().micros()), Epoch);
        let row = session.fetch_first(sql::one(session.dialect()), values).await?;
        session.execute(sql::DELETE, values).await?;
        session.execute(places::DELETE, values).await?;
        session.execute(places::FORGET, values).await?;
        session.note_queue(project, name).await?;
        session.commit().await?;
        row.map(|row| QueueRow::read(&row)?.into_last_record(project, epoch)).transpose()
    }

    /// The project's queues that fit, by name ascending.
    pub(super) async fn list(&self, project: &ProjectId, filter: &QueueFilter) -> Result<Vec<QueueRecord>> {
        let mut found = Vec::new();
        if filters::is_hopeless(filter) {
            return Ok(found);
        }
        let exact = filter.metadata.is_empty();
        let chunk = if exact { filter.limit } else { filter.limit.max(filters::CHUNK) };
        let mut after = filters::marker(filter).to_owned();
        loop {
            let rows = self.page(project, filter, &after, chunk).await?;
            if rows.iter().any(|row| row.epoch.is_none()) {
                self.adopt(project).await?;
                continue;
            }
            let ended = rows.len() < chunk;
            if let Some(last) = rows.last() {
                after.clone_from(&last.name);
            }
            for row in rows {
                if exact || row.metadata().is_ok_and(|metadata| filters::fits(&metadata, filter)) {
                    let epoch = Epoch(row.epoch.unwrap_or_default());
                    found.push(row.into_record(project, epoch)?);
                }
                if found.len() == filter.limit {
                    return Ok(found);
                }
            }
            if ended {
                return Ok(found);
            }
        }
    }

    /// Queues behind a name that may fit, at most `limit`.
    async fn page(
        &self,
        project: &ProjectId,
        filter: &QueueFilter,
        after: &str,
        limit: usize,
    ) -> Result<Vec<QueueRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (project, part) = (project.as_str(), filter.name.as_deref().unwrap_or_default());
        let dialect = self.database.dialect();
        let plain = filter.name.is_none() && filter.metadata.is_empty();
        let mut session = if plain { self.database.read().await? } else { self.database.scan().await? };
        if plain {
            let rows = session.fetch(sql::page(dialect), values![project, after, limit]).await?;
            return rows.iter().map(QueueRow::read).collect();
        }
        let rows = match filters::wanted(dialect, filter)? {
            Wanted::Exactly(filters) => {
                let values = values![filters.as_str(), project, after, part, limit];
                session.fetch(sql::FILTERED, values).await?
            }
            Wanted::Holding([compact, spaced]) => {
                let values = values![project, after, part, &compact[..], &spaced[..], limit];
                session.fetch(sql::holding(dialect), values).await?
            }
            Wanted::Anything => {
                session.fetch(sql::named(dialect), values![project, after, part, limit]).await?
            }
        };
        rows.iter().map(QueueRow::read).collect()
    }

    /// The one number that a statement gives.
    pub(super) async fn count(&self, statement: &'static str, project: Option<&ProjectId>) -> Result<u64> {
        let mut session = self.database.scan().await?;
        let values = project.map(|project| project.as_str().into());
        let row = session.fetch_first(statement, values.as_slice()).await?;
        let count = row.map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
