//! The rows of one message: its place in a queue (narrow, changing) and its body (never rewritten).

use bytes::Bytes;
use rusqlite::{Row, params};
use uuid::Uuid;

use super::db::Db;
use super::{Fault, Outcome};
use crate::clock::Timestamp;
use crate::model::{ClaimId, ClientId, Cursor, Message, MessageId, Position};

/// Where a message lies, from `ready` or `claimed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: i64,
    /// Its row in `messages`.
    pub(super) key: i64,
    pub(super) expires: i64,
    pub(super) ttl: i64,
    /// How often it was claimed.
    pub(super) count: i64,
    pub(super) client: Box<[u8]>,
    /// The claim of a row in `claimed`, alive or not.
    pub(super) claim: Option<[u8; 16]>,
}

impl Place {
    /// From `position, key, expires, ttl, count, client`.
    pub(super) fn ready(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: row.get(0)?,
            key: row.get(1)?,
            expires: row.get(2)?,
            ttl: row.get(3)?,
            count: row.get(4)?,
            client: row.get_ref(5)?.as_blob()?.into(),
            claim: None,
        })
    }

    /// From the same and `claim`.
    pub(super) fn claimed(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { claim: Some(row.get(6)?), ..Self::ready(row)? })
    }

    /// The message here; `claim` is the live one that holds it.
    pub(super) fn message(&self, db: &Db<'_>, claim: Option<ClaimId>) -> Outcome<Message> {
        let content = Content::read(db, self.key)?;
        Ok(Message {
            id: content.id,
            cursor: Cursor::After(Position(self.position)),
            created: content.created,
            ttl: self.ttl.cast_unsigned(),
            client: ClientId::from_bytes(&self.client),
            claim,
            claim_count: u32::try_from(self.count).unwrap_or(u32::MAX),
            checksum: content.checksum,
            body: content.body,
        })
    }
}

/// What never changes of a message.
pub(super) struct Content {
    pub(super) id: MessageId,
    pub(super) created: Timestamp,
    pub(super) checksum: Option<[u8; 16]>,
    pub(super) body: Bytes,
}

impl Content {
    /// The row of that key.
    pub(super) fn read(db: &Db<'_>, key: i64) -> Outcome<Self> {
        let content =
            db.first("SELECT id, created, checksum, body FROM messages WHERE key = ?", [key], |row| {
                Ok(Self {
                    id: MessageId(Uuid::from_bytes(row.get(0)?)),
                    created: Timestamp::from_micros(row.get(1)?),
                    checksum: row.get(2)?,
                    body: Bytes::copy_from_slice(row.get_ref(3)?.as_blob()?),
                })
            });
        content?.ok_or_else(|| missing(key))
    }
}

/// The id and creation time of the message of that key.
pub(super) fn identity(db: &Db<'_>, key: i64) -> Outcome<(MessageId, Timestamp)> {
    let found = db.first("SELECT id, created FROM messages WHERE key = ?", [key], |row| {
        Ok((MessageId(Uuid::from_bytes(row.get(0)?)), Timestamp::from_micros(row.get(1)?)))
    });
    found?.ok_or_else(|| missing(key))
}

fn missing(key: i64) -> Fault {
    Fault::Corrupt(format!("message {key} has no body"))
}

/// Ready messages behind `position`, at most `limit`.
pub(super) fn ready_after(db: &Db<'_>, queue: i64, position: i64, limit: usize) -> Outcome<Vec<Place>> {
    let sql = "SELECT position, key, expires, ttl, count, client FROM ready
               WHERE queue = ? AND position > ? ORDER BY position";
    Ok(db.some(sql, [queue, position], limit, Place::ready)?)
}

/// The ready message at that position.
pub(super) fn ready_at(db: &Db<'_>, queue: i64, position: i64) -> Outcome<Option<Place>> {
    let sql = "SELECT position, key, expires, ttl, count, client FROM ready
               WHERE queue = ? AND position = ?";
    Ok(db.first(sql, [queue, position], Place::ready)?)
}

/// The message in `claimed` at that position.
pub(super) fn claimed_at(db: &Db<'_>, queue: i64, position: i64) -> Outcome<Option<Place>> {
    let sql = "SELECT position, key, expires, ttl, count, client, claim FROM claimed
               WHERE queue = ? AND position = ?";
    Ok(db.first(sql, [queue, position], Place::claimed)?)
}

/// The last ready messages, the last first, at most `limit`.
pub(super) fn ready_last(db: &Db<'_>, queue: i64, limit: usize) -> Outcome<Vec<Place>> {
    let sql = "SELECT position, key, expires, ttl, count, client FROM ready
               WHERE queue = ? ORDER BY position DESC";
    Ok(db.some(sql, [queue], limit, Place::ready)?)
}

/// The first messages in `claimed`, at most `limit`.
pub(super) fn claimed_first(db: &Db<'_>, queue: i64, limit: usize) -> Outcome<Vec<Place>> {
    let sql = "SELECT position, key, expires, ttl, count, client, claim FROM claimed
               WHERE queue = ? ORDER BY position";
    Ok(db.some(sql, [queue], limit, Place::claimed)?)
}

/// Puts a message into `ready`.
pub(super) fn insert_ready(db: &Db<'_>, queue: i64, place: &Place) -> Outcome<()> {
    let sql =
        "INSERT INTO ready (queue, position, key, expires, ttl, count, client) VALUES (?, ?, ?, ?, ?, ?, ?)";
    let Place { position, key, expires, ttl, count, client, .. } = place;
    db.execute(sql, params![queue, position, key, expires, ttl, count, client])?;
    Ok(())
}

/// Puts a message into `claimed`, held by `claim`.
pub(super) fn insert_claimed(db: &Db<'_>, queue: i64, place: &Place, claim: ClaimId) -> Outcome<()> {
    let sql = "INSERT INTO claimed (queue, position, key, expires, ttl, count, client, claim)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let Place { position, key, expires, ttl, count, client, .. } = place;
    db.execute(sql, params![queue, position, key, expires, ttl, count, client, claim.0.as_bytes()])?;
    Ok(())
}

/// Changes the row in `claimed`: its life, its count and whose it is.
pub(super) fn update_claimed(db: &Db<'_>, queue: i64, place: &Place, claim: ClaimId) -> Outcome<()> {
    let sql =
        "UPDATE claimed SET expires = ?, ttl = ?, count = ?, claim = ? WHERE queue = ? AND position = ?";
    let Place { position, expires, ttl, count, .. } = place;
    db.execute(sql, params![expires, ttl, count, claim.0.as_bytes(), queue, position])?;
    Ok(())
}

/// Takes a message out of `ready`: whether it was there.
pub(super) fn delete_ready(db: &Db<'_>, queue: i64, position: i64) -> Outcome<bool> {
    Ok(db.execute("DELETE FROM ready WHERE queue = ? AND position = ?", [queue, position])? > 0)
}

/// Takes a message out of `claimed`: whether it was there.
pub(super) fn delete_claimed(db: &Db<'_>, queue: i64, position: i64) -> Outcome<bool> {
    Ok(db.execute("DELETE FROM claimed WHERE queue = ? AND position = ?", [queue, position])? > 0)
}

/// Moves the end of a message's life in `expiring`.
pub(super) fn reschedule(db: &Db<'_>, queue: i64, key: i64, from: i64, to: i64) -> Outcome<()> {
    delete_expiring(db, queue, from, key)?;
    insert_expiring(db, queue, to, key)
}

/// Notes when a message expires.
pub(super) fn insert_expiring(db: &Db<'_>, queue: i64, expires: i64, key: i64) -> Outcome<()> {
    db.execute("INSERT INTO expiring (queue, expires, key) VALUES (?, ?, ?)", [queue, expires, key])?;
    Ok(())
}

/// Forgets when a message expires.
pub(super) fn delete_expiring(db: &Db<'_>, queue: i64, expires: i64, key: i64) -> Outcome<()> {
    db.execute("DELETE FROM expiring WHERE queue = ? AND expires = ? AND key = ?", [queue, expires, key])?;
    Ok(())
}

/// Removes what the store knows of a message besides its place: identity, time and body.
pub(super) fn erase(db: &Db<'_>, queue: i64, key: i64, id: MessageId, expires: i64) -> Outcome<()> {
    delete_id(db, queue, id)?;
    delete_expiring(db, queue, expires, key)?;
    delete_body(db, key)
}

/// Removes the identity of a message from the queue.
pub(super) fn delete_id(db: &Db<'_>, queue: i64, id: MessageId) -> Outcome<()> {
    db.execute("DELETE FROM ids WHERE id = ? AND queue = ?", params![id.0.as_bytes(), queue])?;
    Ok(())
}

/// Keeps what never changes of a message.
pub(super) fn insert_body(
    db: &Db<'_>,
    key: i64,
    id: MessageId,
    created: Timestamp,
    checksum: Option<[u8; 16]>,
    body: &[u8],
) -> Outcome<()> {
    let sql = "INSERT INTO messages (key, id, created, checksum, body) VALUES (?, ?, ?, ?, ?)";
    db.execute(sql, params![key, id.0.as_bytes(), created.micros(), checksum, body])?;
    Ok(())
}

/// Removes the body of a message.
pub(super) fn delete_body(db: &Db<'_>, key: i64) -> Outcome<()> {
    db.execute("DELETE FROM messages WHERE key = ?", [key])?;
    Ok(())
}
