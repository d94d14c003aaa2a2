//! The beginning and the end of a queue's data.

use rusqlite::params;
use uuid::Uuid;

use super::batch::Batch;
use super::queue::Queue;
use super::{Fault, Outcome};
use crate::model::{Epoch, QueueRef};

/// Makes the data of the queue exist at its epoch; older data is dropped.
pub(super) fn open(batch: &mut Batch<'_, '_>, queue: &QueueRef) -> Outcome<()> {
    batch.save()?;
    match Queue::find(batch.db, queue)? {
        Some(row) if row.epoch == queue.epoch.0 => return Ok(()),
        Some(row) if !Epoch(row.epoch).is_before(queue.epoch) => return Err(Fault::Gone),
        Some(row) => abandon(batch, &row)?,
        None => {}
    }
    batch.db.execute(
        "INSERT INTO queues (project, name, epoch, line) VALUES (?, ?, ?, ?)",
        params![queue.project.as_str(), queue.name.as_str(), queue.epoch.0, Uuid::new_v4().as_bytes()],
    )?;
    Ok(())
}

/// Drops the data of the queue of this epoch or an older one.
pub(super) fn drop_queue(batch: &mut Batch<'_, '_>, queue: &QueueRef) -> Outcome<()> {
    batch.save()?;
    match Queue::find(batch.db, queue)? {
        Some(row) if row.epoch == queue.epoch.0 || Epoch(row.epoch).is_before(queue.epoch) => {
            batch.ring_out(queue);
            abandon(batch, &row)
        }
        _ => Ok(()),
    }
}

/// Takes the queue's name from its row, which makes its data unreachable at once, however much there is; the
/// sweep removes it in steps. The next life of the queue has a row and a key of its own.
fn abandon(batch: &mut Batch<'_, '_>, row: &Queue) -> Outcome<()> {
    batch.db.execute("UPDATE queues SET project = NULL, name = NULL, wake = 0 WHERE key = ?", [row.key])?;
    Ok(())
}

/// Writes something, to find out whether the store can.
pub(super) fn touch(batch: &Batch<'_, '_>) -> rusqlite::Result<()> {
    let version = super::schema::VERSION;
    batch.db.connection.execute_batch(&format!("PRAGMA user_version = {version}"))
}
