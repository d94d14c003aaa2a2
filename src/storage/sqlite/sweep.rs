//! Freeing the space of what is gone, in steps so short and so spaced that no caller notices.

use std::time::{Duration, Instant};

use super::batch::{Batch, Open};
use super::db::Db;
use super::queue::NEVER;
use super::wipe::wipe;
use super::{Outcome, SqliteStore, due, find, messages, place, subscriptions};
use crate::clock::Timestamp;
use crate::storage::{Result, Swept};

/// How long a step works before it lets others have the writer.
const STEP_TIME: Duration = Duration::from_micros(500);

/// The most messages of a queue that are touched before it is another queue's turn.
const CHUNK: usize = 32;

/// While others use the writer, a step is followed by a rest this many times as long.
const REST: u32 = 3;

/// Free pages from which on space is given back to the file system, if they are half of the file (64 MiB).
const MUCH: i64 = 16384;

impl SqliteStore {
    /// Frees what time has ended anywhere in the store, at most `budget` messages; then, where much of the file
    /// is free, as many pages as are left of the budget.
    pub(super) async fn sweep_steps(&self, now: Timestamp, budget: usize) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut left = budget;
        while left > 0 {
            let served = self.writer.served();
            let step = self.background(move |batch| step(batch, now, left)).await?;
            swept.messages += step.expired as u64;
            swept.claims += step.claims as u64;
            left = left.saturating_sub(step.work);
            if step.finished {
                swept.more = self.background(move |batch| shrink(batch.db, left)).await?;
                return Ok(swept);
            }
            if self.writer.served() != served {
                tokio::time::sleep(step.took * REST).await;
            }
        }
        swept.more = true;
        Ok(swept)
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Step {
    /// Expired messages removed.
    expired: usize,
    /// Ended claims removed.
    claims: usize,
    /// Rows moved or removed, and queues visited for nothing.
    work: usize,
    /// True where no queue has anything left to do.
    finished: bool,
    /// How long it held the writer.
    took: Duration,
}

/// Does up to `budget` of what is due, first in the queue that has waited longest.
fn step(batch: &mut Batch<'_, '_>, now: Timestamp, budget: usize) -> Outcome<Step> {
    let start = Instant::now();
    let mut step = Step::default();
    while !step.finished && step.work < budget && start.elapsed() < STEP_TIME {
        batch.save()?;
        let sql = "SELECT key, project IS NULL FROM queues WHERE wake <= ? ORDER BY wake LIMIT 1";
        match batch.db.first(sql, [now.micros()], |row| Ok((row.get(0)?, row.get(1)?)))? {
            Some((key, dropped)) => visit(batch, key, dropped, now, budget, &mut step)?,
            None => step.finished = true,
        }
    }
    step.took = start.elapsed();
    Ok(step)
}

/// Does some of what is due in a queue.
fn visit(
    batch: &mut Batch<'_, '_>,
    key: i64,
    dropped: bool,
    now: Timestamp,
    budget: usize,
    step: &mut Step,
) -> Outcome<()> {
    let mut open = batch.queue_of_key(key)?;
    let chunk = CHUNK.min(budget - step.work);
    let work = if dropped { wipe(&mut open, chunk)? } else { advance(&mut open, now, chunk, step)? };
    step.work += work.max(1);
    let done = work < chunk;
    // What is not done goes behind the other queues that wait.
    open.row.wake = if done { next_wake(&open)? } else { now.micros() };
    if done && dropped {
        batch.save()?;
        batch.db.execute("DELETE FROM queues WHERE key = ?", [key])?;
    }
    Ok(())
}

/// The first moment at which there is something to do in the queue.
fn next_wake(open: &Open<'_, '_>) -> Outcome<i64> {
    let mut wake = due::next_work(open.db, open.row)?.map_or(NEVER, Timestamp::micros);
    for sql in [
        "SELECT min(expires) FROM expiring WHERE queue = ?",
        "SELECT min(expires) FROM subscriptions WHERE queue = ?",
    ] {
        wake = wake.min(due::first_of(open.db, sql, open.row.key)?.unwrap_or(NEVER));
    }
    Ok(wake)
}

/// Does what time asks for in a queue, with at most `budget` messages and subscriptions: how many.
fn advance(open: &mut Open<'_, '_>, now: Timestamp, budget: usize, step: &mut Step) -> Outcome<usize> {
    let expired = expire(open, now, budget)?;
    let (freed, ended) = due::end_claims(open, now, budget - expired)?;
    let ripened = due::ripen(open, now, budget - expired - freed)?;
    let moved = expired + freed + ripened;
    let lapsed = subscriptions::expire(open, now, budget - moved)?;
    step.expired += expired;
    step.claims += ended;
    Ok(moved + lapsed)
}

/// Removes expired messages, at most `budget`: how many.
fn expire(open: &mut Open<'_, '_>, now: Timestamp, budget: usize) -> Outcome<usize> {
    let sql = "SELECT expires, key FROM expiring
               WHERE queue = ? AND expires <= ? ORDER BY expires, key";
    let expired = open.db.some(sql, [open.row.key, now.micros()], budget, |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    for (_, key) in &expired {
        let (id, _) = place::identity(open.db, *key)?;
        if let Some(found) = find::lookup(open.db, open.row.key, id)? {
            messages::unlink(open, &found)?;
        }
        place::delete_id(open.db, open.row.key, id)?;
        place::delete_body(open.db, *key)?;
        open.row.total -= 1;
    }
    if let Some((expires, key)) = expired.last() {
        let sql = "DELETE FROM expiring WHERE queue = ? AND (expires, key) <= (?, ?)";
        open.db.execute(sql, [open.row.key, *expires, *key])?;
    }
    Ok(expired.len())
}

/// Gives free pages back to the file system where many are free, at most `pages`: whether there are more.
fn shrink(db: &Db<'_>, pages: usize) -> Outcome<bool> {
    let start = Instant::now();
    let number = |pragma: &str| db.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let free = number("freelist_count")?;
    if free < MUCH || free < number("page_count")? / 2 {
        return Ok(false);
    }
    let mut statement = db.connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    // Each row is a page given back.
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() && start.elapsed() < STEP_TIME {}
    drop(rows);
    Ok(number("freelist_count")? < free)
}
