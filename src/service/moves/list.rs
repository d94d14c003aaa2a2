//! Which queues are on their way, for administrators.

use crate::error::{Error, Result};
use crate::model::{Epoch, ProjectId, QueueName, QueueRef};
use crate::policy::Rule;
use crate::service::queues::page_size;
use crate::service::{Context, Service};
use crate::storage::{self, MotionRecord};

/// A queue on its way, as an administrator sees it.
#[derive(Clone, Debug)]
pub struct Migration {
    /// What the management store knows of it.
    pub record: MotionRecord,
    /// Messages that have not arrived; `None` where the source cannot be asked.
    pub left: Option<u64>,
}

/// A page of queues on their way.
#[derive(Clone, Debug, Default)]
pub struct MigrationPage {
    /// By project and name.
    pub migrations: Vec<Migration>,
    /// Where the next page begins, unless this one is empty.
    pub marker: Option<String>,
}

impl Service {
    /// A page of the queues that are on their way from pool to pool, of all projects.
    pub async fn migrations(
        &self,
        context: &Context,
        marker: Option<&str>,
        limit: Option<i64>,
    ) -> Result<MigrationPage> {
        context.granted(Rule::PoolsGetAll)?;
        let most = self.limits().max_pools_per_page;
        let words = || format!("Limit must be at least 1 and no greater than {most}.");
        let limit = page_size(limit, most).ok_or_else(|| Error::invalid(words()))?;
        let after = match marker {
            Some(marker) => match queue_of(marker) {
                Some(queue) => Some(queue),
                None => return Ok(MigrationPage::default()),
            },
            None => None,
        };
        let motions = self.inner.stores.management.motions(after.as_ref(), limit).await;
        let motions = motions.map_err(Error::unavailable("Migrations could not be read."))?;
        let marker = motions.last().map(|last| marker_of(&last.queue));
        let mut migrations = Vec::with_capacity(motions.len());
        for record in motions {
            let left = self.left_of(&record).await;
            if let Err(error) = &left {
                tracing::debug!(error.cause = ?error, "what is left to be moved could not be counted");
            }
            migrations.push(Migration { record, left: left.ok() });
        }
        Ok(MigrationPage { migrations, marker })
    }

    /// Messages that are still in the source, expired ones aside.
    async fn left_of(&self, record: &MotionRecord) -> storage::Result<u64> {
        let source = self.inner.pools.store(record.motion.source.as_ref()).await?;
        let now = self.inner.clock.now();
        let mut stats = source.stats(&record.queue.sealed(), now).await;
        if matches!(stats, Err(storage::Error::Gone)) {
            stats = source.stats(&record.queue, now).await;
        }
        match stats {
            Err(storage::Error::Gone) => Ok(0),
            stats => stats.map(|stats| stats.free + stats.claimed),
        }
    }
}

/// A queue's project and name as one text; names have no stroke.
fn marker_of(queue: &QueueRef) -> String {
    format!("{}/{}", queue.project, queue.name)
}

fn queue_of(marker: &str) -> Option<QueueRef> {
    let (project, name) = marker.rsplit_once('/')?;
    Some(QueueRef { project: ProjectId::new(project), name: QueueName::parse(name)?, epoch: Epoch(0) })
}
