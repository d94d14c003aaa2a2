//! Which pool a queue lies in, and queues on their way to another; each function is one attempt.

use super::SqlManagement;
use super::row::Row;
use super::rows::QueueRow;
use super::session::{Session, values};
use super::statements::{places as sql, queues};
use crate::clock::Timestamp;
use crate::model::{Epoch, PoolName, ProjectId, QueueName, QueueRef};
use crate::storage::{Error, Motion, MotionRecord, Placement, Placing, Result};

impl Session {
    /// Where a queue lies.
    pub(super) async fn placement(&mut self, queue: &QueueRef) -> Result<Placement> {
        let values = values![queue.project.as_str(), queue.name.as_str()];
        let row = self.fetch_first(queues::one(self.dialect()), values).await?;
        row.map_or_else(|| Ok(Placement::default()), |row| Ok(QueueRow::read(&row)?.placement))
    }

    /// Lets a queue lie in that pool, or in none, wherever it lay.
    pub(super) async fn put_in(&mut self, queue: &QueueRef, pool: Option<&PoolName>) -> Result<()> {
        let (project, name) = (queue.project.as_str(), queue.name.as_str());
        let Some(pool) = pool.map(PoolName::as_str) else {
            return self.execute(sql::DELETE, values![project, name]).await.map(drop);
        };
        if self.execute(sql::UPDATE, values![pool, project, name]).await? == 0 {
            self.insert(sql::insert(self.dialect()), values![project, name, pool]).await?;
        }
        Ok(())
    }

    /// Gives a queue another place, unless it is on its way already.
    pub(super) async fn place(&mut self, queue: &QueueRef, placing: &Placing) -> Result<()> {
        let placement = self.placement(queue).await?;
        match placing {
            _ if placement.motion.is_some() => Ok(()),
            Placing::At(pool) => self.put_in(queue, Some(pool)).await,
            Placing::Move(target) => {
                let source = placement.pool.as_ref().map(PoolName::as_str);
                let values = values![queue.project.as_str(), queue.name.as_str(), source, target.as_str()];
                self.execute(sql::BEGIN, values).await.map(drop)
            }
        }
    }

    /// Locks a queue of that epoch until the transaction ends: whether there is one.
    async fn lock(&mut self, queue: &QueueRef) -> Result<bool> {
        let values = values![queue.project.as_str(), queue.name.as_str()];
        let row = self.fetch_first(queues::lock(self.dialect()), values).await?;
        let epoch = row.map_or(Ok(None), |row| row.maybe_int(0))?;
        Ok(epoch == Some(queue.epoch.0))
    }
}

impl SqlManagement {
    /// Gives a queue a place, if it has none.
    pub(super) async fn place(&self, queue: &QueueRef, pool: &PoolName) -> Result<Option<Placement>> {
        let mut session = self.database.begin().await?;
        if !session.lock(queue).await? {
            session.rollback().await?;
            return Ok(None);
        }
        let mut placement = session.placement(queue).await?;
        if placement.pool.is_none() {
            session.put_in(queue, Some(pool)).await?;
            session.note_queue(&queue.project, &queue.name).await?;
            placement.pool = Some(pool.clone());
        }
        session.commit().await?;
        Ok(Some(placement))
    }

    /// A page of motions.
    pub(super) async fn list_motions(
        &self,
        after: Option<&QueueRef>,
        limit: usize,
    ) -> Result<Vec<MotionRecord>> {
        // Behind the smallest texts come all: no queue has an empty name.
        let (project, name) = after.map_or(("", ""), |queue| (queue.project.as_str(), queue.name.as_str()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut session = self.database.read().await?;
        session.fetch(sql::MOTIONS, values![project, name, limit]).await?.iter().map(motion).collect()
    }

    /// Takes the work on a motion that nobody touched since `before`.
    pub(super) async fn take(&self, queue: &QueueRef, before: Timestamp, now: Timestamp) -> Result<bool> {
        let (project, name, epoch) = (queue.project.as_str(), queue.name.as_str(), queue.epoch.0);
        let now = now.micros();
        let mut session = self.database.begin().await?;
        let values = values![now, now, project, name, epoch, before.micros()];
        let taken = session.execute(sql::TAKE, values).await?;
        session.commit().await?;
        Ok(taken == 1)
    }

    /// Notes progress of a motion.
    pub(super) async fn touch(&self, queue: &QueueRef, moved: u64, now: Timestamp) -> Result<()> {
        let (project, name, epoch) = (queue.project.as_str(), queue.name.as_str(), queue.epoch.0);
        let (moved, now) = (i64::try_from(moved).unwrap_or(i64::MAX), now.micros());
        let mut session = self.database.begin().await?;
        session.execute(sql::TOUCH, values![moved, now, now, project, name, epoch]).await?;
        session.commit().await
    }

    /// Seals a motion, and lets the queue lie at its target.
    pub(super) async fn seal(&self, queue: &QueueRef) -> Result<bool> {
        let (project, name) = (queue.project.as_str(), queue.name.as_str());
        let mut session = self.database.begin().await?;
        if !session.lock(queue).await?
            || session.execute(sql::SEAL, values![project, name, queue.epoch.0]).await? == 0
        {
            session.rollback().await?;
            return Ok(false);
        }
        let row = session.fetch_first(sql::TARGET, values![project, name]).await?;
        let target = row.ok_or_else(|| Error::Corrupt("a motion vanished".to_owned()))?.text(0)?;
        session.put_in(queue, Some(&PoolName::new(&target))).await?;
        session.note_queue(&queue.project, &queue.name).await?;
        session.commit().await?;
        Ok(true)
    }

    /// Ends a sealed motion.
    pub(super) async fn end(&self, queue: &QueueRef) -> Result<bool> {
        let (project, name) = (queue.project.as_str(), queue.name.as_str());
        let mut session = self.database.begin().await?;
        if !session.lock(queue).await?
            || session.execute(sql::END, values![project, name, queue.epoch.0]).await? == 0
        {
            session.rollback().await?;
            return Ok(false);
        }
        session.note_queue(&queue.project, &queue.name).await?;
        session.commit().await?;
        Ok(true)
    }
}

/// The motion of a row.
fn motion(row: &Row) -> Result<MotionRecord> {
    let name = row.text(1)?;
    let name =
        QueueName::parse(&name).ok_or_else(|| Error::Corrupt(format!("the name of queue {name:?}")))?;
    let source = row.maybe_text(3)?.map(|source| PoolName::new(&source));
    let target = PoolName::new(&row.text(4)?);
    Ok(MotionRecord {
        queue: QueueRef { project: ProjectId::new(&row.text(0)?), name, epoch: Epoch(row.int(2)?) },
        motion: Motion { source, target, sealed: row.int(5)? != 0 },
        moved: u64::try_from(row.int(6)?).unwrap_or(0),
        started: Timestamp::from_micros(row.int(7)?),
        touched: Timestamp::from_micros(row.int(8)?),
    })
}
