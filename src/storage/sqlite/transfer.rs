//! Messages that have left a queue and wait to be handed to another, and what a queue has received so.

use rusqlite::{Row, params};
use uuid::Uuid;

use super::batch::Open;
use super::db::Db;
use super::messages;
use super::place::{self, Content, Place};
use super::queue::Queue;
use super::{Fault, Outcome, due};
use crate::clock::Timestamp;
use crate::model::{ClaimId, ClientId, MessageId, Position, QueueName, QueueRef};
use crate::storage::{DeadLetters, Landing, Line, Outgoing, Parcel, Receipt, SILENT, Way};

/// The number of a way in the table.
fn number(way: Way) -> i64 {
    match way {
        Way::DeadLetters => 0,
        Way::Pool => 1,
    }
}

/// Moves a free message to the list of dead letters.
pub(super) fn bury(
    open: &mut Open<'_, '_>,
    mut place: Place,
    dead: &DeadLetters,
    now: Timestamp,
) -> Outcome<()> {
    let (id, _) = place::identity(open.db, place.key)?;
    messages::take(open, &place)?;
    leave(open, &place, id)?;
    if let Some(ttl) = dead.ttl {
        (place.ttl, place.expires) = (ttl.cast_signed(), now.plus_seconds(ttl).micros());
    }
    push(open, Way::DeadLetters, &place, &Landing::End(dead.target.clone()))
}

/// Takes from the queue a message that is in none of its places any more; its body stays where it is.
pub(super) fn leave(open: &mut Open<'_, '_>, place: &Place, id: MessageId) -> Outcome<()> {
    place::delete_id(open.db, open.row.key, id)?;
    place::delete_expiring(open.db, open.row.key, place.expires, place.key)?;
    open.row.total -= 1;
    Ok(())
}

/// Puts a message that has left the queue at the end of an outgoing list, and numbers it.
pub(super) fn push(open: &mut Open<'_, '_>, way: Way, place: &Place, landing: &Landing) -> Outcome<()> {
    open.row.sent += 1;
    let (mut target, mut position, mut due, mut claim) = (None, None, None, None);
    match landing {
        Landing::End(queue) => target = Some(queue.as_str()),
        Landing::Ready(at) => position = Some(at.0),
        Landing::Delayed(at) => due = Some(at.micros()),
        // What the landing says stands in the place.
        Landing::Subscriber { .. } => {}
        Landing::Held { position: at, claim: id, ttl, ends } => {
            position = Some(at.0);
            claim = Some((id.0.into_bytes(), ttl.cast_signed(), ends.micros()));
        }
    }
    let Place { key, expires, ttl, count, client, .. } = place;
    open.db.execute(
        "INSERT INTO outgoing (queue, way, number, target, position, due, claim, claim_ttl, claim_ends,
             key, expires, ttl, count, client)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            open.row.key,
            number(way),
            open.row.sent,
            target,
            position,
            due,
            claim.map(|claim| claim.0),
            claim.map(|claim| claim.1),
            claim.map(|claim| claim.2),
            key,
            expires,
            ttl,
            count,
            client
        ],
    )?;
    Ok(())
}

/// The first messages of an outgoing list.
pub(super) fn outgoing(db: &Db<'_>, queue: &Queue, way: Way, limit: usize) -> Outcome<Outgoing> {
    let sql =
        "SELECT number, target, position, due, claim, claim_ttl, claim_ends, key, expires, ttl, count, client
               FROM outgoing WHERE way = ? AND queue = ? ORDER BY number";
    let parcels = db.with(sql, |statement| {
        let mut rows = statement.query([number(way), queue.key])?;
        let mut parcels = Vec::new();
        while parcels.len() < limit {
            let Some(row) = rows.next()? else { break };
            parcels.push(parcel(db, row)?);
        }
        Ok::<_, Fault>(parcels)
    })?;
    Ok(Outgoing { line: Line(Uuid::from_bytes(queue.line)), parcels })
}

/// From the columns that [`outgoing`] reads.
fn parcel(db: &Db<'_>, row: &Row<'_>) -> Outcome<Parcel> {
    let content = Content::read(db, row.get(7)?)?;
    let landing = landing(row)?;
    let is_message = !matches!(landing, Landing::Subscriber { .. });
    Ok(Parcel {
        number: row.get(0)?,
        id: content.id,
        landing,
        created: content.created,
        ttl: row.get::<_, i64>(9)?.cast_unsigned(),
        expires: Timestamp::from_micros(row.get(8)?),
        client: ClientId::from_bytes(if is_message { row.get_ref(11)?.as_blob()? } else { b"" }),
        claim_count: if is_message { u32::try_from(row.get::<_, i64>(10)?).unwrap_or(u32::MAX) } else { 0 },
        checksum: content.checksum,
        body: content.body,
    })
}

fn landing(row: &Row<'_>) -> Outcome<Landing> {
    if let Some(name) = row.get_ref(1)?.as_str_or_null()? {
        let target = QueueName::parse(name);
        return target
            .map(Landing::End)
            .ok_or_else(|| Fault::Corrupt(format!("outgoing message for a queue named {name:?}")));
    }
    if let Some(due) = row.get(3)? {
        return Ok(Landing::Delayed(Timestamp::from_micros(due)));
    }
    let Some(position) = row.get::<_, Option<i64>>(2)?.map(Position) else {
        let subscriber = String::from_utf8_lossy(row.get_ref(11)?.as_blob()?).into_owned();
        return Ok(Landing::Subscriber { subscriber, confirmed: row.get(10)? });
    };
    let Some(claim) = row.get(4)? else { return Ok(Landing::Ready(position)) };
    Ok(Landing::Held {
        position,
        claim: ClaimId(Uuid::from_bytes(claim)),
        ttl: row.get::<_, i64>(5)?.cast_unsigned(),
        ends: Timestamp::from_micros(row.get(6)?),
    })
}

/// Takes messages off an outgoing list.
pub(super) fn forget(open: &Open<'_, '_>, way: Way, numbers: &[i64]) -> Outcome<()> {
    for parcel in numbers {
        let sql = "DELETE FROM outgoing WHERE way = ? AND queue = ? AND number = ? RETURNING key";
        let row = [number(way), open.row.key, *parcel];
        for key in open.db.some(sql, row, usize::MAX, |row| row.get(0))? {
            place::delete_body(open.db, key)?;
        }
    }
    Ok(())
}

/// Queues with dead letters to send; one step of the index each.
pub(super) fn unfinished(db: &Db<'_>, limit: usize) -> Outcome<Vec<QueueRef>> {
    let mut queues = Vec::new();
    let mut last = i64::MIN;
    while queues.len() < limit {
        let sql = "SELECT min(queue) FROM outgoing WHERE way = 0 AND queue > ?";
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

/// How far the queue has received each line.
pub(super) fn receipts(db: &Db<'_>, queue: i64) -> Outcome<Vec<Receipt>> {
    let sql = "SELECT line, number, at FROM received WHERE queue = ? ORDER BY line";
    Ok(db.some(sql, [queue], usize::MAX, |row| {
        Ok(Receipt {
            line: Line(Uuid::from_bytes(row.get(0)?)),
            number: row.get(1)?,
            at: Timestamp::from_micros(row.get(2)?),
        })
    })?)
}

/// The greatest number that the queue has received of that line.
pub(super) fn received(db: &Db<'_>, queue: i64, line: Line) -> Outcome<i64> {
    let sql = "SELECT number FROM received WHERE queue = ? AND line = ?";
    Ok(db.first(sql, params![queue, line.0.as_bytes()], |row| row.get(0))?.unwrap_or(0))
}

/// Notes what the queue has received; the greater number counts. A new line drives out those that were silent long.
pub(super) fn note(db: &Db<'_>, queue: i64, receipt: &Receipt) -> Outcome<()> {
    let Receipt { line, number, at } = receipt;
    let line = line.0.as_bytes();
    let sql = "UPDATE received SET number = max(number, ?), at = max(at, ?) WHERE queue = ? AND line = ?";
    if db.execute(sql, params![number, at.micros(), queue, line])? > 0 {
        return Ok(());
    }
    let silent = at.minus_seconds(SILENT).micros();
    db.execute("DELETE FROM received WHERE queue = ? AND at <= ?", [queue, silent])?;
    let sql = "INSERT INTO received (queue, line, number, at) VALUES (?, ?, ?, ?)";
    db.execute(sql, params![queue, line, number, at.micros()])?;
    Ok(())
}
