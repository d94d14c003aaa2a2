//! What needs no change to be answered: single messages, claims, numbers.

use rusqlite::Row;
use uuid::Uuid;

use super::claim_row::ClaimRow;
use super::db::Db;
use super::find::find;
use super::place;
use super::queue::Queue;
use super::{Fault, Outcome};
use crate::clock::Timestamp;
use crate::model::{Claim, ClaimId, Cursor, Epoch, Message, MessageId, ProjectId, QueueName, QueueRef};
use crate::storage::Stats;

/// Those of the messages that exist, each once, in the order of `ids`.
pub(super) fn get(db: &Db<'_>, queue: &Queue, ids: &[MessageId], now: Timestamp) -> Outcome<Vec<Message>> {
    let mut messages: Vec<Message> = Vec::with_capacity(ids.len());
    for id in ids {
        if messages.iter().any(|message| message.id == *id) {
            continue;
        }
        if let Some(found) = find(db, queue.key, *id, now)? {
            messages.push(found.message(db, queue.key, now)?);
        }
    }
    Ok(messages)
}

/// Where the message of that id stands.
pub(super) fn locate(db: &Db<'_>, queue: &Queue, id: MessageId, now: Timestamp) -> Outcome<Option<Cursor>> {
    Ok(find(db, queue.key, id, now)?.map(|found| found.cursor()))
}

/// The live claim and its messages, oldest first.
pub(super) fn claimed(
    db: &Db<'_>,
    queue: &Queue,
    id: ClaimId,
    now: Timestamp,
) -> Outcome<Option<(Claim, Vec<Message>)>> {
    let Some(claim) = ClaimRow::live(db, queue.key, id, now)? else { return Ok(None) };
    let mut messages = Vec::with_capacity(claim.positions.len());
    for position in &claim.positions {
        let place = place::claimed_at(db, queue.key, *position)?;
        if let Some(place) = place.filter(|place| place.expires > now.micros()) {
            messages.push(place.message(db, Some(id))?);
        }
    }
    let claim = Claim { id, ttl: claim.ttl, expires: claim.expires };
    Ok(Some((claim, messages)).filter(|(_, messages)| !messages.is_empty()))
}

/// The numbers of the queue: its counters, less what has expired or ended and was not moved yet.
pub(super) fn stats(db: &Db<'_>, queue: &Queue, now: Timestamp) -> Outcome<Stats> {
    let number = |sql: &'static str| -> Outcome<i64> {
        let found = db.first(sql, [queue.key, now.micros()], |row| row.get::<_, Option<i64>>(0))?;
        Ok(found.flatten().unwrap_or(0))
    };
    let expired = number("SELECT count(*) FROM expiring WHERE queue = ? AND expires <= ?")?;
    let mut claimed = queue.claimed;
    if claimed > 0 {
        // No message expires under a live claim.
        claimed -= number("SELECT sum(length(positions)) / 8 FROM claims WHERE queue = ? AND expires <= ?")?;
    }
    let [oldest, newest] = ends(db, queue, now)?;
    Ok(Stats {
        free: u64::try_from(queue.total - expired - claimed).unwrap_or(0),
        claimed: u64::try_from(claimed).unwrap_or(0),
        oldest,
        newest,
    })
}

/// The key and the place in order of a message at one end of a table.
type End = Option<(i64, i64)>;

/// The first and the last message, expired ones passed over; delayed ones come last.
fn ends(db: &Db<'_>, queue: &Queue, now: Timestamp) -> Outcome<[Option<(MessageId, Timestamp)>; 2]> {
    let end = |sql: &'static str| -> Outcome<End> {
        Ok(db.first(sql, [queue.key, now.micros()], |row| Ok((row.get(0)?, row.get(1)?)))?)
    };
    let ready = [
        end("SELECT position, key FROM ready WHERE queue = ? AND expires > ? ORDER BY position LIMIT 1")?,
        end(
            "SELECT position, key FROM ready WHERE queue = ? AND expires > ? ORDER BY position DESC LIMIT 1",
        )?,
    ];
    let claimed = [
        end("SELECT position, key FROM claimed WHERE queue = ? AND expires > ? ORDER BY position LIMIT 1")?,
        end(
            "SELECT position, key FROM claimed WHERE queue = ? AND expires > ? ORDER BY position DESC LIMIT 1",
        )?,
    ];
    let delayed = [
        end("SELECT due, key FROM delayed WHERE queue = ? AND expires > ? ORDER BY due, id LIMIT 1")?,
        end(
            "SELECT due, key FROM delayed WHERE queue = ? AND expires > ? ORDER BY due DESC, id DESC LIMIT 1",
        )?,
    ];
    let oldest = ready[0].into_iter().chain(claimed[0]).min().or(delayed[0]);
    let newest = delayed[1].or(ready[1].max(claimed[1]));
    let describe = |end: End| end.map(|(_, key)| place::identity(db, key)).transpose();
    Ok([describe(oldest)?, describe(newest)?])
}

/// The queues after one, by project and name.
pub(super) fn opened(db: &Db<'_>, after: Option<&QueueRef>, limit: usize) -> Outcome<Vec<QueueRef>> {
    let sql = "SELECT project, name, epoch FROM queues
               WHERE (project, name) > (?, ?) ORDER BY project, name";
    let (project, name) = after.map_or(("", ""), |queue| (queue.project.as_str(), queue.name.as_str()));
    let rows = db.some(sql, [project, name], limit, queue_ref)?;
    rows.into_iter().flatten().collect()
}

/// Which store this is.
pub(super) fn identity(db: &Db<'_>) -> Outcome<Uuid> {
    let found = db.first("SELECT identity FROM store", [], |row| row.get(0))?;
    found.map(Uuid::from_bytes).ok_or_else(|| Fault::Corrupt("the store has no identity".into()))
}

/// Free and claimed messages of the whole store.
pub(super) fn volume(db: &Db<'_>) -> Outcome<(u64, u64)> {
    let sql =
        "SELECT coalesce(sum(total), 0), coalesce(sum(claimed), 0) FROM queues WHERE project IS NOT NULL";
    let sums = db.first(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (total, claimed): (i64, i64) = sums.unwrap_or_default();
    Ok((u64::try_from(total - claimed).unwrap_or(0), u64::try_from(claimed).unwrap_or(0)))
}

/// From `project, name, epoch`; nothing where the queue was dropped.
pub(super) fn queue_ref(row: &Row<'_>) -> rusqlite::Result<Option<Outcome<QueueRef>>> {
    let (project, name): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
    let Some((project, name)) = project.zip(name) else { return Ok(None) };
    let epoch = Epoch(row.get(2)?);
    Ok(Some(match QueueName::parse(&name) {
        Some(name) => Ok(QueueRef { project: ProjectId::new(&project), name, epoch }),
        None => Err(Fault::Corrupt(format!("a queue named {name:?}"))),
    }))
}
