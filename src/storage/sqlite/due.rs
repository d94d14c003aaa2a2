//! What time does to a queue: claims end, delayed messages become ready.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::Outcome;
use super::batch::Open;
use super::claim_row::ClaimRow;
use super::db::Db;
use super::place::{self, Place};
use super::queue::Queue;
use crate::clock::Timestamp;
use crate::model::MessageId;
use crate::storage::STEP;

/// True where a claim has ended or a delayed message fallen due that was not moved yet.
pub(super) fn any(db: &Db<'_>, queue: &Queue, now: Timestamp) -> Outcome<bool> {
    Ok(next_work(db, queue)?.is_some_and(|first| first <= now))
}

/// When there is the next message to be moved here: as [`next`], but delayed messages of sealed data stay as they are.
pub(super) fn next_work(db: &Db<'_>, queue: &Queue) -> Outcome<Option<Timestamp>> {
    if queue.is_sealed() { Ok(first_end(db, queue)?.map(Timestamp::from_micros)) } else { next(db, queue) }
}

/// When the next message of the queue becomes available: the first claim's end or delayed message's time,
/// whether it has passed or not.
pub(super) fn next(db: &Db<'_>, queue: &Queue) -> Outcome<Option<Timestamp>> {
    let due = first_delayed(db, queue)?;
    Ok(first_end(db, queue)?.into_iter().chain(due).min().map(Timestamp::from_micros))
}

/// When the first claim ends, in microseconds.
fn first_end(db: &Db<'_>, queue: &Queue) -> Outcome<Option<i64>> {
    if queue.claimed == 0 {
        return Ok(None);
    }
    first_of(db, "SELECT min(expires) FROM claims WHERE queue = ?", queue.key)
}

/// When the first delayed message falls due, in microseconds.
pub(super) fn first_delayed(db: &Db<'_>, queue: &Queue) -> Outcome<Option<i64>> {
    if queue.delayed == 0 {
        return Ok(None);
    }
    first_of(db, "SELECT min(due) FROM delayed WHERE queue = ?", queue.key)
}

/// The one number that `sql` finds in the index of a queue.
pub(super) fn first_of(db: &Db<'_>, sql: &'static str, queue: i64) -> Outcome<Option<i64>> {
    Ok(db.first(sql, [queue], |row| row.get(0))?.flatten())
}

/// Makes ready what is due, at most [`STEP`] messages: whether there is more.
pub(super) fn settle(open: &mut Open<'_, '_>, now: Timestamp) -> Outcome<bool> {
    let (freed, _) = end_claims(open, now, STEP)?;
    ripen(open, now, STEP.saturating_sub(freed))?;
    any(open.db, open.row, now)
}

/// Frees the messages of ended claims, at most `budget`: how many, and how many claims that finished.
pub(super) fn end_claims(open: &mut Open<'_, '_>, now: Timestamp, budget: usize) -> Outcome<(usize, usize)> {
    if open.row.claimed == 0 || budget == 0 {
        return Ok((0, 0));
    }
    let (mut freed, mut ended) = (0, 0);
    let (due, _) = ClaimRow::due(open.db, open.row.key, now, budget)?;
    for mut claim in due {
        let count = claim.positions.len().min(budget - freed);
        for position in claim.positions.drain(..count) {
            free(open, position)?;
        }
        freed += count;
        ended += usize::from(claim.positions.is_empty());
        claim.save_positions(open.db, open.row.key)?;
    }
    Ok((freed, ended))
}

/// Moves a claimed message back to `ready`, to its old place.
pub(super) fn free(open: &mut Open<'_, '_>, position: i64) -> Outcome<()> {
    let sql = "INSERT INTO ready (queue, position, key, expires, ttl, count, client)
               SELECT queue, position, key, expires, ttl, count, client FROM claimed
               WHERE queue = ? AND position = ?";
    open.db.execute(sql, [open.row.key, position])?;
    if place::delete_claimed(open.db, open.row.key, position)? {
        open.row.claimed -= 1;
    }
    Ok(())
}

/// Gives delayed messages that fell due their positions, at most `budget`: how many rows that took.
pub(super) fn ripen(open: &mut Open<'_, '_>, now: Timestamp, budget: usize) -> Outcome<usize> {
    if open.row.delayed == 0 || open.row.is_sealed() || budget == 0 {
        return Ok(0);
    }
    let due = due_delayed(open, now, budget)?;
    for (time, id, mut place) in due.iter().cloned() {
        delete_delayed(open, time, id)?;
        if place.expires <= now.micros() {
            place::erase(open.db, open.row.key, place.key, id, place.expires)?;
            open.row.total -= 1;
            continue;
        }
        place.position = open.row.next_position(now);
        open.row.last = place.position;
        place::insert_ready(open.db, open.row.key, &place)?;
        open.db.execute(
            "UPDATE ids SET position = ?, due = NULL WHERE id = ? AND queue = ?",
            params![place.position, id.0.as_bytes(), open.row.key],
        )?;
    }
    Ok(due.len())
}

/// Takes a message out of `delayed`.
pub(super) fn delete_delayed(open: &mut Open<'_, '_>, due: Timestamp, id: MessageId) -> Outcome<()> {
    open.db.execute(
        "DELETE FROM delayed WHERE queue = ? AND due = ? AND id = ?",
        params![open.row.key, due.micros(), id.0.as_bytes()],
    )?;
    open.row.delayed -= 1;
    Ok(())
}

/// The first delayed messages due by `now`, at most `limit`, their positions unset.
pub(super) fn due_delayed(
    open: &Open<'_, '_>,
    now: Timestamp,
    limit: usize,
) -> Outcome<Vec<(Timestamp, MessageId, Place)>> {
    let sql = "SELECT due, id, key, expires, ttl, client FROM delayed
               WHERE queue = ? AND due <= ? ORDER BY due, id";
    Ok(open.db.some(sql, [open.row.key, now.micros()], limit, delayed)?)
}

/// From `due, id, key, expires, ttl, client`.
pub(super) fn delayed(row: &Row<'_>) -> rusqlite::Result<(Timestamp, MessageId, Place)> {
    let place = Place {
        position: 0,
        key: row.get(2)?,
        expires: row.get(3)?,
        ttl: row.get(4)?,
        count: 0,
        client: row.get_ref(5)?.as_blob()?.into(),
        claim: None,
    };
    Ok((Timestamp::from_micros(row.get(0)?), MessageId(Uuid::from_bytes(row.get(1)?)), place))
}
