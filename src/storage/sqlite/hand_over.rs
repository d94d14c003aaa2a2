//! Handing a whole queue over: sealing it, sending its messages off, taking in what another store sent.

use super::batch::{Batch, Open};
use super::claim_row::ClaimRow;
use super::find::{Found, Lies};
use super::messages::{self, Arrival, Lands};
use super::place::{self, Place};
use super::queue::Queue;
use super::transfer::{leave, note, push, receipts, received};
use super::{Fault, Outcome, due, lifecycle, subscriptions};
use crate::clock::Timestamp;
use crate::model::{ClaimId, MessageId, Position, QueueRef};
use crate::storage::{Landing, Ledger, Line, Parcel, Receipt, STEP, SentOff, Way};

/// Gives the data its sealed epoch; what it must know elsewhere.
pub(super) fn seal(batch: &mut Batch<'_, '_>, queue: &QueueRef) -> Outcome<Ledger> {
    batch.save()?;
    let sealed = queue.epoch.sealed().0;
    let found = Queue::find(batch.db, queue)?;
    let row = found.filter(|row| row.epoch == queue.epoch.0 || row.epoch == sealed).ok_or(Fault::Gone)?;
    batch.db.execute("UPDATE queues SET epoch = ? WHERE key = ?", [sealed, row.key])?;
    batch.ring_out(queue);
    Ok(Ledger { last: Position(row.last), received: receipts(batch.db, row.key)? })
}

/// Makes the data of the queue exist, and lets it know this.
pub(super) fn adopt(batch: &mut Batch<'_, '_>, queue: &QueueRef, ledger: &Ledger) -> Outcome<()> {
    lifecycle::open(batch, queue)?;
    let open = batch.queue(queue)?;
    open.row.last = open.row.last.max(ledger.last.0);
    ledger.received.iter().try_for_each(|receipt| note(open.db, open.row.key, receipt))
}

/// Takes in those messages of a line that were not taken in before.
pub(super) fn import(open: &mut Open<'_, '_>, line: Line, parcels: &[Parcel], now: Timestamp) -> Outcome<()> {
    // What fell due before takes the positions before these.
    due::end_claims(open, now, STEP)?;
    due::ripen(open, now, STEP)?;
    let known = received(open.db, open.row.key, line)?;
    let new = || parcels.iter().filter(|parcel| parcel.number > known);
    for parcel in new().filter(|parcel| parcel.expires > now) {
        land(open, parcel, now)?;
    }
    if let Some(number) = new().map(|parcel| parcel.number).max() {
        note(open.db, open.row.key, &Receipt { line, number, at: now })?;
    }
    open.ring(parcels.len());
    Ok(())
}

fn land(open: &mut Open<'_, '_>, parcel: &Parcel, now: Timestamp) -> Outcome<()> {
    if let Some(subscription) = parcel.subscription() {
        return subscriptions::subscribe(open, &subscription, now).map(drop);
    }
    let (lands, count) = match &parcel.landing {
        Landing::Subscriber { .. } => return Ok(()),
        Landing::End(_) => (Lands::End, 0),
        Landing::Ready(position) => (Lands::At(position.0), parcel.claim_count),
        Landing::Held { position, claim, .. } => (Lands::Held(position.0, *claim), parcel.claim_count),
        Landing::Delayed(due) => (Lands::Delayed(*due), parcel.claim_count),
    };
    let new = Arrival {
        id: parcel.id,
        created: parcel.created,
        expires: parcel.expires,
        ttl: parcel.ttl,
        count: i64::from(count),
        lands,
        client: parcel.client.as_bytes(),
        checksum: parcel.checksum,
        body: &parcel.body,
    };
    let position = messages::store(open, &new, now)?;
    match (&parcel.landing, position) {
        (Landing::Held { claim, ttl, ends, .. }, Some(at)) => join(open, *claim, (*ttl, *ends), at),
        _ => Ok(()),
    }
}

/// Notes the position in the claim, which is made if need be; the later end counts.
fn join(open: &mut Open<'_, '_>, id: ClaimId, (ttl, ends): (u64, Timestamp), at: i64) -> Outcome<()> {
    let found = ClaimRow::find(open.db, open.row.key, id)?;
    let mut claim = found.unwrap_or(ClaimRow { id, ttl, expires: ends, positions: Vec::new() });
    if claim.expires < ends {
        (claim.ttl, claim.expires) = (ttl, ends);
    }
    claim.positions.push(at);
    claim.positions.sort_unstable();
    claim.save(open.db, open.row.key)?;
    open.row.wake_by(claim.expires.micros());
    Ok(())
}

/// Puts what sealed data holds on the outgoing list: subscriptions, then delayed messages, then ready ones, then claimed ones.
pub(super) fn send_off(open: &mut Open<'_, '_>, limit: usize, now: Timestamp) -> Outcome<SentOff> {
    due::end_claims(open, now, STEP)?;
    let mut done = SentOff::default();
    let limit = limit.min(STEP);
    let taken = subscriptions::send_off(open, limit, now)?;
    for found in next(open, limit - taken)? {
        if found.place.expires <= now.micros() {
            messages::remove(open, &found)?;
            continue;
        }
        let landing = landing(open, &found)?;
        messages::unlink(open, &found)?;
        leave(open, &found.place, found.id)?;
        push(open, Way::Pool, &found.place, &landing)?;
        done.sent += 1;
    }
    done.left = u64::try_from(open.row.total).unwrap_or(0) + subscriptions::count(open)?;
    Ok(done)
}

/// The messages that go first, at most `limit`.
fn next(open: &Open<'_, '_>, limit: usize) -> Outcome<Vec<Found>> {
    let mut found = Vec::new();
    if open.row.delayed > 0 {
        for (due, id, place) in due::due_delayed(open, Timestamp::MAX, limit)? {
            found.push(Found { id, lies: Lies::Delayed(due), place });
        }
    }
    for place in place::ready_last(open.db, open.row.key, limit - found.len())? {
        found.push(Found { id: id_of(open, &place)?, lies: Lies::Ready, place });
    }
    for place in place::claimed_first(open.db, open.row.key, limit - found.len())? {
        let Some(claim) = place.claim else { continue };
        let lies = Lies::Claimed(ClaimId(uuid::Uuid::from_bytes(claim)));
        found.push(Found { id: id_of(open, &place)?, lies, place });
    }
    Ok(found)
}

fn id_of(open: &Open<'_, '_>, place: &Place) -> Outcome<MessageId> {
    Ok(place::identity(open.db, place.key)?.0)
}

fn landing(open: &Open<'_, '_>, found: &Found) -> Outcome<Landing> {
    let position = Position(found.place.position);
    Ok(match found.lies {
        Lies::Delayed(due) => Landing::Delayed(due),
        Lies::Ready => Landing::Ready(position),
        Lies::Claimed(claim) => match ClaimRow::find(open.db, open.row.key, claim)? {
            Some(row) => Landing::Held { position, claim, ttl: row.ttl, ends: row.expires },
            None => Landing::Ready(position),
        },
    })
}
