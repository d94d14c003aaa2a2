//! Finding a message by its id.

use rusqlite::params;
use uuid::Uuid;

use super::Outcome;
use super::claim_row::ClaimRow;
use super::db::Db;
use super::place::{self, Place};
use crate::clock::Timestamp;
use crate::model::{ClaimId, Cursor, Message, MessageId, Position};

/// A message, and where it lies.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: MessageId,
    pub(super) lies: Lies,
    /// Its row; the position is unset where it is delayed.
    pub(super) place: Place,
}

/// In which table a message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    /// It is available.
    Ready,
    /// That claim holds it, or held it until its end.
    Claimed(ClaimId),
    /// It becomes available then.
    Delayed(Timestamp),
}

/// The message of that id in the queue, unless it has expired.
pub(super) fn find(db: &Db<'_>, queue: i64, id: MessageId, now: Timestamp) -> Outcome<Option<Found>> {
    Ok(lookup(db, queue, id)?.filter(|found| found.place.expires > now.micros()))
}

/// The message of that id in the queue, expired or not.
pub(super) fn lookup(db: &Db<'_>, queue: i64, id: MessageId) -> Outcome<Option<Found>> {
    let row = db.first(
        "SELECT position, due FROM ids WHERE id = ? AND queue = ?",
        params![id.0.as_bytes(), queue],
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    let found = match row? {
        None | Some((None, None)) => None,
        Some((Some(position), _)) => placed(db, queue, position)?,
        Some((None, Some(due))) => delayed(db, queue, due, id)?,
    };
    Ok(found.map(|(lies, place)| Found { id, lies, place }))
}

fn placed(db: &Db<'_>, queue: i64, position: i64) -> Outcome<Option<(Lies, Place)>> {
    if let Some(place) = place::ready_at(db, queue, position)? {
        return Ok(Some((Lies::Ready, place)));
    }
    let claimed = place::claimed_at(db, queue, position)?;
    Ok(claimed.and_then(|place| Some((Lies::Claimed(ClaimId(Uuid::from_bytes(place.claim?))), place))))
}

fn delayed(db: &Db<'_>, queue: i64, due: i64, id: MessageId) -> Outcome<Option<(Lies, Place)>> {
    let sql = "SELECT due, id, key, expires, ttl, client FROM delayed
               WHERE queue = ? AND due = ? AND id = ?";
    let row = db.first(sql, params![queue, due, id.0.as_bytes()], super::due::delayed)?;
    Ok(row.map(|(due, _, place)| (Lies::Delayed(due), place)))
}

impl Found {
    /// Where a listing continues behind it.
    pub(super) fn cursor(&self) -> Cursor {
        match self.lies {
            Lies::Delayed(due) => Cursor::AfterDelayed(due, self.id),
            Lies::Ready | Lies::Claimed(_) => Cursor::After(Position(self.place.position)),
        }
    }

    /// The live claim that holds it.
    pub(super) fn holder(&self, db: &Db<'_>, queue: i64, now: Timestamp) -> Outcome<Option<ClaimId>> {
        let Lies::Claimed(claim) = self.lies else { return Ok(None) };
        Ok(ClaimRow::live(db, queue, claim, now)?.map(|claim| claim.id))
    }

    /// The message itself.
    pub(super) fn message(&self, db: &Db<'_>, queue: i64, now: Timestamp) -> Outcome<Message> {
        let claim = self.holder(db, queue, now)?;
        Ok(Message { cursor: self.cursor(), ..self.place.message(db, claim)? })
    }
}
