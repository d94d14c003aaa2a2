//! Messages on their way between queues.

use rusqlite::{Row, params};

use super::batch::Open;
use super::db::Db;
use super::messages::{self, Arrival};
use super::place::{self, Content, Place};
use super::{Fault, Outcome, due};
use crate::clock::Timestamp;
use crate::model::{ClientId, MessageId, QueueName, QueueRef};
use crate::storage::{DeadLetters, Parcel, STEP};

/// Moves a free message to the outgoing list. Its body stays where it is.
pub(super) fn send(
    open: &mut Open<'_, '_>,
    place: &Place,
    dead: &DeadLetters,
    now: Timestamp,
) -> Outcome<()> {
    let (id, _) = place::identity(open.db, place.key)?;
    messages::take(open, place)?;
    place::delete_id(open.db, open.row.key, id)?;
    place::delete_expiring(open.db, open.row.key, place.expires, place.key)?;
    open.row.total -= 1;
    // One that came back and is sent off again counts once.
    forget(open, &[id])?;
    let (ttl, expires) = match dead.ttl {
        Some(ttl) => (ttl.cast_signed(), now.plus_seconds(ttl).micros()),
        None => (place.ttl, place.expires),
    };
    open.db.execute(
        "INSERT INTO outgoing (queue, position, id, target, key, expires, ttl, count, client)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            open.row.key,
            place.position,
            id.0.as_bytes(),
            dead.target.as_str(),
            place.key,
            expires,
            ttl,
            place.count,
            place.client
        ],
    )?;
    Ok(())
}

/// The first messages of the outgoing list.
pub(super) fn outgoing(db: &Db<'_>, queue: i64, limit: usize) -> Outcome<Vec<Parcel>> {
    let sql = "SELECT target, key, expires, ttl, count, client FROM outgoing
               WHERE queue = ? ORDER BY position";
    db.with(sql, |statement| {
        let mut rows = statement.query([queue])?;
        let mut parcels = Vec::new();
        while parcels.len() < limit {
            let Some(row) = rows.next()? else { break };
            parcels.push(parcel(db, row)?);
        }
        Ok(parcels)
    })
}

/// From `target, key, expires, ttl, count, client`.
fn parcel(db: &Db<'_>, row: &Row<'_>) -> Outcome<Parcel> {
    let name = row.get_ref(0)?.as_str()?;
    let target = QueueName::parse(name)
        .ok_or_else(|| Fault::Corrupt(format!("outgoing message for a queue named {name:?}")))?;
    let content = Content::read(db, row.get(1)?)?;
    Ok(Parcel {
        id: content.id,
        number: 0,
        landing: crate::storage::Landing::End(target),
        created: content.created,
        ttl: row.get::<_, i64>(3)?.cast_unsigned(),
        expires: Timestamp::from_micros(row.get(2)?),
        client: ClientId::from_bytes(row.get_ref(5)?.as_blob()?),
        claim_count: u32::try_from(row.get::<_, i64>(4)?).unwrap_or(u32::MAX),
        checksum: content.checksum,
        body: content.body,
    })
}

/// Puts parcels at the end of the queue; those it has already, and expired ones, are skipped.
pub(super) fn import(open: &mut Open<'_, '_>, parcels: &[Parcel], now: Timestamp) -> Outcome<()> {
    due::ripen(open, now, STEP)?;
    for parcel in parcels.iter().filter(|parcel| parcel.expires > now) {
        let new = Arrival {
            id: parcel.id,
            created: parcel.created,
            expires: parcel.expires,
            ttl: parcel.ttl,
            due: None,
            client: parcel.client.as_bytes(),
            checksum: parcel.checksum,
            body: &parcel.body,
        };
        messages::store(open, &new, now)?;
    }
    Ok(())
}

/// Takes messages off the outgoing list.
pub(super) fn forget(open: &mut Open<'_, '_>, ids: &[MessageId]) -> Outcome<()> {
    for id in ids {
        let sql = "DELETE FROM outgoing WHERE queue = ? AND id = ? RETURNING key";
        for key in open.db.some(sql, params![open.row.key, id.0.as_bytes()], usize::MAX, |row| row.get(0))? {
            place::delete_body(open.db, key)?;
        }
    }
    Ok(())
}

/// Queues with something in their outgoing lists; one step of the index each.
pub(super) fn unfinished(db: &Db<'_>, limit: usize) -> Outcome<Vec<QueueRef>> {
    let mut queues = Vec::new();
    let mut last = i64::MIN;
    while queues.len() < limit {
        let sql = "SELECT min(queue) FROM outgoing WHERE queue > ?";
        let Some(key) = due::first_of(db, sql, last)? else { break };
        queues.extend(named(db, key)?);
        last = key;
    }
    Ok(queues)
}

/// The queue of that key, unless it was dropped.
fn named(db: &Db<'_>, key: i64) -> Outcome<Option<QueueRef>> {
    let row =
        db.first("SELECT project, name, epoch FROM queues WHERE key = ?", [key], super::reads::queue_ref)?;
    row.flatten().transpose()
}
