//! Subscriptions: their table, and their way to another store.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::batch::Open;
use super::db::Db;
use super::place::{self, Place};
use super::queue::Queue;
use super::{Outcome, transfer};
use crate::clock::Timestamp;
use crate::model::{MessageId, Subscription, SubscriptionId};
use crate::storage::{Parcel, STEP, Way};

/// Stores a subscription, unless its subscriber or its id is there: whether it was stored.
pub(super) fn subscribe(open: &mut Open<'_, '_>, new: &Subscription, now: Timestamp) -> Outcome<bool> {
    // What has ended but was not swept makes room.
    let sql = "DELETE FROM subscriptions WHERE queue = ? AND subscriber = ? AND +expires <= ?";
    open.db.execute(sql, params![open.row.key, new.subscriber, now.micros()])?;
    let sql = "DELETE FROM subscriptions WHERE queue = ? AND id = ? AND +expires <= ?";
    open.db.execute(sql, params![open.row.key, new.id.0.as_bytes(), now.micros()])?;
    let sql = "INSERT OR IGNORE INTO subscriptions
               (queue, id, subscriber, ttl, created, expires, confirmed, options) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let stored = open.db.execute(
        sql,
        params![
            open.row.key,
            new.id.0.as_bytes(),
            new.subscriber,
            new.ttl.cast_signed(),
            new.created.micros(),
            new.expires.micros(),
            new.confirmed,
            &new.options_json()[..],
        ],
    )?;
    open.row.wake_by(new.expires.micros());
    Ok(stored > 0)
}

/// The live ones behind that id, at most `limit`.
pub(super) fn list(
    db: &Db<'_>,
    queue: &Queue,
    after: Option<SubscriptionId>,
    limit: usize,
    now: Timestamp,
) -> Outcome<Vec<Subscription>> {
    // The plus keeps SQLite from the index by time, which is in another order.
    let sql = "SELECT id, subscriber, ttl, created, expires, confirmed, options FROM subscriptions
               WHERE queue = ? AND id > ? AND +expires > ? ORDER BY id";
    let after = after.as_ref().map_or(&[][..], |after| after.0.as_bytes());
    Ok(db.some(sql, params![queue.key, after, now.micros()], limit, read)?)
}

/// The live one of that id.
pub(super) fn get(
    db: &Db<'_>,
    queue: &Queue,
    id: SubscriptionId,
    now: Timestamp,
) -> Outcome<Option<Subscription>> {
    let sql = "SELECT id, subscriber, ttl, created, expires, confirmed, options FROM subscriptions
               WHERE queue = ? AND id = ? AND +expires > ?";
    Ok(db.first(sql, params![queue.key, id.0.as_bytes(), now.micros()], read)?)
}

/// The live one of that subscriber.
pub(super) fn find(
    db: &Db<'_>,
    queue: &Queue,
    subscriber: &str,
    now: Timestamp,
) -> Outcome<Option<SubscriptionId>> {
    let sql = "SELECT id FROM subscriptions WHERE queue = ? AND subscriber = ? AND +expires > ?";
    Ok(db.first(sql, params![queue.key, subscriber, now.micros()], id)?)
}

/// Removes one; its keepers are rung unless its connection `left`.
pub(super) fn unsubscribe(open: &mut Open<'_, '_>, id: SubscriptionId, left: bool) -> Outcome<()> {
    remove(open, id)?;
    if !left {
        open.ring_keepers();
    }
    Ok(())
}

fn remove(open: &Open<'_, '_>, id: SubscriptionId) -> Outcome<()> {
    let sql = "DELETE FROM subscriptions WHERE queue = ? AND id = ?";
    open.db.execute(sql, params![open.row.key, id.0.as_bytes()])?;
    Ok(())
}

/// Lets those that live end at `until` or later: the others.
pub(super) fn extend(
    open: &Open<'_, '_>,
    ids: &[SubscriptionId],
    until: Timestamp,
    now: Timestamp,
) -> Outcome<Vec<SubscriptionId>> {
    let sql = "UPDATE subscriptions SET expires = max(expires, ?)
               WHERE queue = ? AND id = ? AND +expires > ?";
    let mut gone = Vec::new();
    for id in ids {
        let row = params![until.micros(), open.row.key, id.0.as_bytes(), now.micros()];
        if open.db.execute(sql, row)? == 0 {
            gone.push(*id);
        }
    }
    Ok(gone)
}

/// Removes the first ones, at most [`STEP`], and rings their keepers: whether there are more.
pub(super) fn purge(open: &mut Open<'_, '_>) -> Outcome<bool> {
    wipe(open, STEP)?;
    open.ring_keepers();
    let sql = "SELECT 1 FROM subscriptions WHERE queue = ?";
    Ok(open.db.first(sql, [open.row.key], |_| Ok(()))?.is_some())
}

/// Removes the first ones, at most `budget`: how many.
pub(super) fn wipe(open: &Open<'_, '_>, budget: usize) -> Outcome<usize> {
    let sql = "SELECT id FROM subscriptions WHERE queue = ? ORDER BY id";
    let ids = open.db.some(sql, [open.row.key], budget, id)?;
    if let Some(last) = ids.last() {
        let sql = "DELETE FROM subscriptions WHERE queue = ? AND id <= ?";
        open.db.execute(sql, params![open.row.key, last.0.as_bytes()])?;
    }
    Ok(ids.len())
}

/// Removes those that have ended, at most `budget`: how many.
pub(super) fn expire(open: &Open<'_, '_>, now: Timestamp, budget: usize) -> Outcome<usize> {
    let sql = "SELECT id FROM subscriptions WHERE queue = ? AND expires <= ? ORDER BY expires";
    let ended = open.db.some(sql, [open.row.key, now.micros()], budget, id)?;
    for id in &ended {
        remove(open, *id)?;
    }
    Ok(ended.len())
}

/// Puts the first ones on the outgoing list to another store, at most `limit`: how many rows that took. Those that have
/// ended are removed.
pub(super) fn send_off(open: &mut Open<'_, '_>, limit: usize, now: Timestamp) -> Outcome<usize> {
    let sql = "SELECT id, subscriber, ttl, created, expires, confirmed, options FROM subscriptions
               WHERE queue = ? ORDER BY id";
    let first = open.db.some(sql, [open.row.key], limit, read)?;
    for one in &first {
        remove(open, one.id)?;
        if one.expires > now {
            depart(open, one)?;
        }
    }
    Ok(first.len())
}

fn depart(open: &mut Open<'_, '_>, one: &Subscription) -> Outcome<()> {
    let parcel = Parcel::of(one);
    let key = open.next_key()?;
    place::insert_body(open.db, key, MessageId(one.id.0), one.created, None, &parcel.body)?;
    let place = Place {
        position: 0,
        key,
        expires: one.expires.micros(),
        ttl: one.ttl.cast_signed(),
        count: i64::from(one.confirmed),
        client: one.subscriber.as_bytes().into(),
        claim: None,
    };
    transfer::push(open, Way::Pool, &place, &parcel.landing)
}

/// How many the queue has, ended or not.
pub(super) fn count(open: &Open<'_, '_>) -> Outcome<u64> {
    let sql = "SELECT count(*) FROM subscriptions WHERE queue = ?";
    let count = open.db.first(sql, [open.row.key], |row| row.get::<_, i64>(0))?;
    Ok(count.map_or(0, i64::cast_unsigned))
}

fn id(row: &Row<'_>) -> rusqlite::Result<SubscriptionId> {
    row.get(0).map(Uuid::from_bytes).map(SubscriptionId)
}

/// From `id, subscriber, ttl, created, expires, confirmed, options`.
fn read(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    Ok(Subscription {
        id: id(row)?,
        subscriber: row.get(1)?,
        ttl: row.get::<_, i64>(2)?.cast_unsigned(),
        created: Timestamp::from_micros(row.get(3)?),
        expires: Timestamp::from_micros(row.get(4)?),
        confirmed: row.get(5)?,
        options: Subscription::options_of(row.get_ref(6)?.as_blob()?).unwrap_or_default(),
    })
}
