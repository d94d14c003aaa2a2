//! The change table: a row for each change, written in its transaction, read by the other nodes (decision 13).

use super::SqlManagement;
use super::session::{Session, values};
use super::statements::changes as sql;
use crate::clock::Timestamp;
use crate::model::{ProjectId, QueueName};
use crate::storage::{Change, Changed, Result};

/// The kind of a change to a queue's metadata, place or existence.
const QUEUE: &str = "queue";

/// The kind of a change to pools or flavors.
const POOLS: &str = "pools";

/// Changes told at once, at most; a node that missed more asks again at once.
const PAGE: i64 = 10_000;

/// Rows removed by one statement.
const PRUNED: i64 = 1_000;

impl Session {
    /// Notes that a queue changed; the last statement of its transaction, so that the row's time is near its end.
    pub(super) async fn note_queue(&mut self, project: &ProjectId, name: &QueueName) -> Result<()> {
        let values = values![QUEUE, project.as_str(), name.as_str()];
        self.execute(sql::insert(self.dialect()), values).await.map(drop)
    }

    /// Notes that pools or flavors changed.
    pub(super) async fn note_pools(&mut self) -> Result<()> {
        self.execute(sql::insert(self.dialect()), values![POOLS, "", ""]).await.map(drop)
    }
}

impl SqlManagement {
    /// What changed since that point, and the next point.
    pub(super) async fn changed_since(&self, after: i64) -> Result<(Vec<Change>, i64)> {
        let mut session = self.database.read().await?;
        if after == 0 {
            let row = session.fetch_first(sql::NEWEST, &[]).await?;
            let newest = row.map_or(Ok(None), |row| row.maybe_int(0))?;
            // Not 0, which would mean "now" again when the first change has come.
            return Ok((Vec::new(), newest.unwrap_or(-1)));
        }
        let rows = session.fetch(sql::since(session.dialect()), values![after, after, PAGE]).await?;
        let (mut changes, mut next) = (Vec::new(), after);
        for row in rows {
            let number = row.int(0)?;
            next = next.max(number);
            let what = match row.text(1)?.as_str() {
                QUEUE => {
                    let project = ProjectId::new(&row.text(2)?);
                    QueueName::parse(&row.text(3)?).map(|name| Changed::Queue(project, name))
                }
                POOLS => Some(Changed::Pools),
                // Of a later release; nothing that this one keeps.
                _ => None,
            };
            changes.extend(what.map(|what| Change { number, what }));
        }
        Ok((changes, next))
    }

    /// Removes some of the rows from before that time: whether there are more.
    pub(super) async fn prune_changes(&self, before: Timestamp) -> Result<bool> {
        let mut session = self.database.begin().await?;
        let pruned = session.execute(sql::PRUNE, values![before.micros(), PRUNED]).await?;
        session.commit().await?;
        Ok(pruned == PRUNED.unsigned_abs())
    }
}
