//! The row of a queue, as one call or one batch sees it.

use rusqlite::{Row, params};

use super::db::Db;
use super::{Fault, Outcome};
use crate::clock::Timestamp;
use crate::model::{Epoch, QueueRef};

/// Later than any work: nothing to do.
pub(super) const NEVER: i64 = i64::MAX;

/// A queue's numbers. The writer changes them here and stores them once a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    /// Names the queue's rows in every other table.
    pub(super) key: i64,
    /// The life of the queue that the rows belong to.
    pub(super) epoch: i64,
    /// The greatest position handed out.
    pub(super) last: i64,
    /// Messages in the queue: ready, claimed and delayed, expired ones among them.
    pub(super) total: i64,
    /// Messages in the table `claimed`.
    pub(super) claimed: i64,
    /// Messages in the table `delayed`.
    pub(super) delayed: i64,
    /// No later than the first moment at which the sweep finds something to do.
    pub(super) wake: i64,
    /// The line that it sends off along.
    pub(super) line: [u8; 16],
    /// The last number given on the line.
    pub(super) sent: i64,
}

impl Queue {
    /// The row of that queue, whatever its epoch.
    pub(super) fn find(db: &Db<'_>, queue: &QueueRef) -> Outcome<Option<Self>> {
        let sql = "SELECT key, epoch, last, total, claimed, delayed, wake, line, sent FROM queues
                   WHERE project = ? AND name = ?";
        Ok(db.first(sql, [queue.project.as_str(), queue.name.as_str()], Self::read)?)
    }

    /// The row of that queue, or [`Fault::Gone`] where it is not there under this epoch.
    pub(super) fn current(db: &Db<'_>, queue: &QueueRef) -> Outcome<Self> {
        let found = Self::find(db, queue)?;
        found.filter(|row| row.epoch == queue.epoch.0).ok_or(Fault::Gone)
    }

    /// The row of that key.
    pub(super) fn by_key(db: &Db<'_>, key: i64) -> Outcome<Option<Self>> {
        let sql =
            "SELECT key, epoch, last, total, claimed, delayed, wake, line, sent FROM queues WHERE key = ?";
        Ok(db.first(sql, [key], Self::read)?)
    }

    /// Stores what changed since the row was `seen`.
    pub(super) fn save(&self, db: &Db<'_>, seen: &Self) -> rusqlite::Result<()> {
        if self == seen {
            return Ok(());
        }
        let sql = "UPDATE queues SET last = ?, total = ?, claimed = ?, delayed = ?, sent = ? WHERE key = ?";
        db.execute(sql, [self.last, self.total, self.claimed, self.delayed, self.sent, self.key])?;
        if self.wake != seen.wake {
            // On its own, for it costs a change of the index too.
            let wake = (self.wake != NEVER).then_some(self.wake);
            db.execute("UPDATE queues SET wake = ? WHERE key = ?", params![wake, self.key])?;
        }
        Ok(())
    }

    /// The position of a message that becomes available now: rising, even where the clock stands or falls back.
    pub(super) fn next_position(&self, now: Timestamp) -> i64 {
        self.last.saturating_add(1).max(now.micros())
    }

    /// Whether the data is on its way elsewhere, so that no delayed message becomes ready here.
    pub(super) fn is_sealed(&self) -> bool {
        Epoch(self.epoch).is_sealed()
    }

    /// Has the sweep look here at `time` at the latest.
    pub(super) fn wake_by(&mut self, time: i64) {
        self.wake = self.wake.min(time);
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            epoch: row.get(1)?,
            last: row.get(2)?,
            total: row.get(3)?,
            claimed: row.get(4)?,
            delayed: row.get(5)?,
            wake: row.get::<_, Option<i64>>(6)?.unwrap_or(NEVER),
            line: row.get(7)?,
            sent: row.get(8)?,
        })
    }
}
