//! Removing what a dropped queue left behind.

use rusqlite::params;

use super::batch::Open;
use super::{Outcome, due, place, subscriptions};
use crate::clock::Timestamp;

/// Removes rows of a dropped queue, at most `budget`: how many; fewer means that none is left.
pub(super) fn wipe(open: &mut Open<'_, '_>, budget: usize) -> Outcome<usize> {
    let mut removed = 0;
    for (first, forget) in [READY, CLAIMED, DEAD_LETTERS, MOVING] {
        removed += wipe_messages(open, first, forget, budget - removed)?;
    }
    removed += wipe_received(open, budget - removed)?;
    removed += wipe_delayed(open, budget - removed)?;
    removed += wipe_claims(open, budget - removed)?;
    removed += wipe_expiring(open, budget - removed)?;
    removed += subscriptions::wipe(open, budget - removed)?;
    Ok(removed)
}

/// The first messages of a table, and how all up to one are forgotten at once.
type Table = (&'static str, &'static str);

const READY: Table = (
    "SELECT position, key FROM ready WHERE queue = ? ORDER BY position",
    "DELETE FROM ready WHERE queue = ? AND position <= ?",
);

const CLAIMED: Table = (
    "SELECT position, key FROM claimed WHERE queue = ? ORDER BY position",
    "DELETE FROM claimed WHERE queue = ? AND position <= ?",
);

const DEAD_LETTERS: Table = (
    "SELECT number, key FROM outgoing WHERE way = 0 AND queue = ? ORDER BY number",
    "DELETE FROM outgoing WHERE way = 0 AND queue = ? AND number <= ?",
);

const MOVING: Table = (
    "SELECT number, key FROM outgoing WHERE way = 1 AND queue = ? ORDER BY number",
    "DELETE FROM outgoing WHERE way = 1 AND queue = ? AND number <= ?",
);

fn wipe_messages(
    open: &Open<'_, '_>,
    first: &'static str,
    forget: &'static str,
    budget: usize,
) -> Outcome<usize> {
    let rows = open
        .db
        .some(first, [open.row.key], budget, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    for (_, key) in &rows {
        erase(open, *key)?;
    }
    if let Some((last, _)) = rows.last() {
        open.db.execute(forget, [open.row.key, *last])?;
    }
    Ok(rows.len())
}

fn wipe_delayed(open: &mut Open<'_, '_>, budget: usize) -> Outcome<usize> {
    let rows = due::due_delayed(open, Timestamp::MAX, budget)?;
    for (due, id, place) in &rows {
        due::delete_delayed(open, *due, *id)?;
        erase(open, place.key)?;
    }
    Ok(rows.len())
}

/// Removes the identity and the body of a message.
fn erase(open: &Open<'_, '_>, key: i64) -> Outcome<()> {
    let (id, _) = place::identity(open.db, key)?;
    place::delete_id(open.db, open.row.key, id)?;
    place::delete_body(open.db, key)
}

fn wipe_claims(open: &Open<'_, '_>, budget: usize) -> Outcome<usize> {
    let sql = "SELECT id FROM claims WHERE queue = ? ORDER BY id";
    let ids: Vec<[u8; 16]> = open.db.some(sql, [open.row.key], budget, |row| row.get(0))?;
    if let Some(last) = ids.last() {
        let sql = "DELETE FROM claims WHERE queue = ? AND id <= ?";
        open.db.execute(sql, params![open.row.key, last])?;
    }
    Ok(ids.len())
}

fn wipe_received(open: &Open<'_, '_>, budget: usize) -> Outcome<usize> {
    let sql = "SELECT line FROM received WHERE queue = ? ORDER BY line";
    let lines: Vec<[u8; 16]> = open.db.some(sql, [open.row.key], budget, |row| row.get(0))?;
    if let Some(last) = lines.last() {
        let sql = "DELETE FROM received WHERE queue = ? AND line <= ?";
        open.db.execute(sql, params![open.row.key, last])?;
    }
    Ok(lines.len())
}

fn wipe_expiring(open: &Open<'_, '_>, budget: usize) -> Outcome<usize> {
    let sql = "SELECT expires, key FROM expiring WHERE queue = ? ORDER BY expires, key";
    let rows: Vec<(i64, i64)> =
        open.db.some(sql, [open.row.key], budget, |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let Some((expires, key)) = rows.last() {
        let sql = "DELETE FROM expiring WHERE queue = ? AND (expires, key) <= (?, ?)";
        open.db.execute(sql, [open.row.key, *expires, *key])?;
    }
    Ok(rows.len())
}
