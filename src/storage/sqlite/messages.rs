//! Posting and removing messages.

use rusqlite::params;

use super::batch::Open;
use super::claim_row::ClaimRow;
use super::find::{self, Found, Lies, find};
use super::place::{self, Place};
use super::scan::Scan;
use super::{Outcome, due};
use crate::clock::Timestamp;
use crate::model::{ClaimId, MessageId, NewMessage};
use crate::storage::{Deletion, Popped, STEP};

/// Stores the messages; one whose id the queue has is skipped.
pub(super) fn post(open: &mut Open<'_, '_>, messages: &[NewMessage], now: Timestamp) -> Outcome<()> {
    // What fell due before takes the positions before these.
    due::ripen(open, now, STEP)?;
    for message in messages {
        let new = Arrival {
            id: message.id,
            created: now,
            expires: now.plus_seconds(message.ttl),
            ttl: message.ttl,
            count: 0,
            lands: match message.delay {
                0 => Lands::End,
                delay => Lands::Delayed(now.plus_seconds(delay)),
            },
            client: message.client.as_bytes(),
            checksum: message.checksum,
            body: &message.body,
        };
        store(open, &new, now)?;
    }
    open.ring(messages.iter().filter(|message| message.delay == 0).count());
    Ok(())
}

/// A message about to be stored.
pub(super) struct Arrival<'a> {
    pub(super) id: MessageId,
    pub(super) created: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) ttl: u64,
    /// How often it was claimed.
    pub(super) count: i64,
    pub(super) lands: Lands,
    pub(super) client: &'a [u8],
    pub(super) checksum: Option<[u8; 16]>,
    pub(super) body: &'a [u8],
}

/// Where a message is to lie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lands {
    /// At the end, available at once.
    End,
    /// At this position or, where that is taken, the next free one.
    At(i64),
    /// The same, held by this claim; the caller notes the position in the claim's row.
    Held(i64, ClaimId),
    /// Not available before this moment.
    Delayed(Timestamp),
}

/// Stores one message unless the queue has its id: its position, if it got one.
pub(super) fn store(open: &mut Open<'_, '_>, new: &Arrival<'_>, now: Timestamp) -> Outcome<Option<i64>> {
    let key = open.next_key()?;
    let (position, due) = match new.lands {
        Lands::End => (Some(open.row.next_position(now)), None),
        Lands::At(position) | Lands::Held(position, _) => (Some(free_from(open, position)?), None),
        Lands::Delayed(due) => (None, Some(due.micros())),
    };
    if !insert_id(open, new.id, key, position, due)? {
        match find::lookup(open.db, open.row.key, new.id)? {
            // One that has expired but was not swept makes room.
            Some(found) if found.place.expires <= now.micros() => remove(open, &found)?,
            _ => return Ok(None),
        }
        insert_id(open, new.id, key, position, due)?;
    }
    place::insert_body(open.db, key, new.id, new.created, new.checksum, new.body)?;
    let expires = new.expires.micros();
    place::insert_expiring(open.db, open.row.key, expires, key)?;
    match position {
        Some(position) => insert_place(open, new, key, position)?,
        None => insert_delayed(open, new, key, due)?,
    }
    open.row.total += 1;
    open.row.wake_by(due.map_or(expires, |due| due.min(expires)));
    Ok(position)
}

/// The first position from that one on at which nothing lies.
fn free_from(open: &Open<'_, '_>, mut position: i64) -> Outcome<i64> {
    while place::ready_at(open.db, open.row.key, position)?.is_some()
        || place::claimed_at(open.db, open.row.key, position)?.is_some()
    {
        position += 1;
    }
    Ok(position)
}

/// Takes the id for a new message: whether it was free.
fn insert_id(
    open: &Open<'_, '_>,
    id: MessageId,
    key: i64,
    position: Option<i64>,
    due: Option<i64>,
) -> Outcome<bool> {
    let sql = "INSERT OR IGNORE INTO ids (id, queue, key, position, due) VALUES (?, ?, ?, ?, ?)";
    Ok(open.db.execute(sql, params![id.0.as_bytes(), open.row.key, key, position, due])? > 0)
}

fn insert_place(open: &mut Open<'_, '_>, new: &Arrival<'_>, key: i64, position: i64) -> Outcome<()> {
    let (expires, ttl) = (new.expires.micros(), new.ttl.cast_signed());
    let place =
        Place { position, key, expires, ttl, count: new.count, client: new.client.into(), claim: None };
    if let Lands::Held(_, claim) = new.lands {
        place::insert_claimed(open.db, open.row.key, &place, claim)?;
        open.row.claimed += 1;
    } else {
        place::insert_ready(open.db, open.row.key, &place)?;
    }
    open.row.last = open.row.last.max(position);
    Ok(())
}

fn insert_delayed(open: &mut Open<'_, '_>, new: &Arrival<'_>, key: i64, due: Option<i64>) -> Outcome<()> {
    let sql = "INSERT INTO delayed (queue, due, id, key, expires, ttl, client) VALUES (?, ?, ?, ?, ?, ?, ?)";
    let (id, expires) = (new.id.0.as_bytes(), new.expires.micros());
    open.db.execute(sql, params![open.row.key, due, id, key, expires, new.ttl.cast_signed(), new.client])?;
    open.row.delayed += 1;
    Ok(())
}

/// Removes a message from its place and from the store; a claim that held it is the caller's to change.
pub(super) fn discard(open: &mut Open<'_, '_>, place: &Place) -> Outcome<()> {
    let (id, _) = place::identity(open.db, place.key)?;
    take(open, place)?;
    place::erase(open.db, open.row.key, place.key, id, place.expires)?;
    open.row.total -= 1;
    Ok(())
}

/// Takes a message out of `ready` or `claimed`.
pub(super) fn take(open: &mut Open<'_, '_>, place: &Place) -> Outcome<()> {
    if place.claim.is_some() {
        place::delete_claimed(open.db, open.row.key, place.position)?;
        open.row.claimed -= 1;
    } else {
        place::delete_ready(open.db, open.row.key, place.position)?;
    }
    Ok(())
}

/// Removes a message that was found, from its claim too.
pub(super) fn remove(open: &mut Open<'_, '_>, found: &Found) -> Outcome<()> {
    unlink(open, found)?;
    place::erase(open.db, open.row.key, found.place.key, found.id, found.place.expires)?;
    open.row.total -= 1;
    Ok(())
}

/// Takes a message that was found out of its place, and out of its claim.
pub(super) fn unlink(open: &mut Open<'_, '_>, found: &Found) -> Outcome<()> {
    match &found.lies {
        Lies::Delayed(due) => due::delete_delayed(open, *due, found.id)?,
        Lies::Ready => take(open, &found.place)?,
        Lies::Claimed(holder) => {
            take(open, &found.place)?;
            if let Some(mut claim) = ClaimRow::find(open.db, open.row.key, *holder)? {
                claim.forget(found.place.position);
                claim.save_positions(open.db, open.row.key)?;
            }
        }
    }
    Ok(())
}

/// Deletes one message, with the claim that is said to hold it.
pub(super) fn delete(
    open: &mut Open<'_, '_>,
    id: MessageId,
    claim: Option<ClaimId>,
    now: Timestamp,
) -> Outcome<Deletion> {
    let Some(found) = find(open.db, open.row.key, id, now)? else { return Ok(Deletion::Missing) };
    let verdict = match claim {
        None if found.holder(open.db, open.row.key, now)?.is_some() => Deletion::Claimed,
        None => Deletion::Deleted,
        Some(claim) => judge(open, &found, &[claim], now)?,
    };
    if verdict == Deletion::Deleted {
        remove(open, &found)?;
    }
    Ok(verdict)
}

/// Whether one of `claims` is alive and holds the message: `Deleted`, or why it may not be deleted.
fn judge(open: &Open<'_, '_>, found: &Found, claims: &[ClaimId], now: Timestamp) -> Outcome<Deletion> {
    let (db, queue) = (open.db, open.row.key);
    let Some(holder) = found.holder(db, queue, now)? else { return Ok(Deletion::NotClaimed) };
    if claims.contains(&holder) {
        return Ok(Deletion::Deleted);
    }
    for claim in claims {
        if ClaimRow::live(db, queue, *claim, now)?.is_some() {
            return Ok(Deletion::ClaimedByOther);
        }
    }
    Ok(Deletion::NoSuchClaim)
}

/// Deletes those of the messages that exist; with `claims`, all of them or none.
pub(super) fn delete_many(
    open: &mut Open<'_, '_>,
    ids: &[MessageId],
    claims: Option<&[ClaimId]>,
    now: Timestamp,
) -> Outcome<Result<u64, (MessageId, Deletion)>> {
    let mut existing: Vec<Found> = Vec::with_capacity(ids.len());
    for id in ids {
        let known = existing.iter().any(|found| found.id == *id);
        let Some(found) = find(open.db, open.row.key, *id, now)?.filter(|_| !known) else { continue };
        let verdict = claims.map_or(Ok(Deletion::Deleted), |claims| judge(open, &found, claims, now))?;
        if verdict != Deletion::Deleted {
            return Ok(Err((*id, verdict)));
        }
        existing.push(found);
    }
    for found in &existing {
        remove(open, found)?;
    }
    Ok(Ok(existing.len() as u64))
}

/// Removes and returns the oldest free messages.
pub(super) fn pop(open: &mut Open<'_, '_>, limit: usize, now: Timestamp) -> Outcome<Popped> {
    let mut popped = Popped::default();
    let mut scan = Scan::begin(open, now, limit)?;
    while popped.messages.len() < limit {
        let Some(place) = scan.next(open)? else { break };
        let message = place.message(open.db, None)?;
        take(open, &place)?;
        place::erase(open.db, open.row.key, place.key, message.id, place.expires)?;
        open.row.total -= 1;
        popped.messages.push(message);
    }
    popped.more = scan.more();
    scan.finish(open)?;
    if popped.messages.is_empty() && !popped.more {
        popped.next_due = due::next(open.db, open.row)?;
    }
    Ok(popped)
}

/// Removes messages that no live claim holds, at most [`STEP`]: how many, and whether there may be more.
pub(super) fn purge(open: &mut Open<'_, '_>, now: Timestamp) -> Outcome<(u64, bool)> {
    let mut scan = Scan::begin(open, now, STEP)?;
    let mut removed = 0;
    while removed < STEP {
        let Some(place) = scan.next(open)? else { break };
        discard(open, &place)?;
        removed += 1;
    }
    scan.finish(open)?;
    if open.row.delayed > 0 {
        let rest = due::due_delayed(open, Timestamp::MAX, STEP - removed)?;
        for (due, id, place) in &rest {
            due::delete_delayed(open, *due, *id)?;
            place::erase(open.db, open.row.key, place.key, *id, place.expires)?;
            open.row.total -= 1;
        }
        removed += rest.iter().filter(|(_, _, place)| place.expires > now.micros()).count();
    }
    let more = open.row.total > open.row.claimed || due::any(open.db, open.row, now)?;
    Ok((removed as u64, more))
}
