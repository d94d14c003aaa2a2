//! Claiming, renewing and releasing.

use super::batch::Open;
use super::claim_row::ClaimRow;
use super::place::{self, Place};
use super::scan::Scan;
use super::{Outcome, due, transfer};
use crate::clock::Timestamp;
use crate::model::{ClaimId, Message};
use crate::storage::{ClaimRequest, Claimed, STEP};

/// How long the messages of a claim live at least.
#[derive(Clone, Copy)]
struct Life {
    /// Seconds that they live once they are raised: the claim's and its grace.
    ttl: u64,
    /// When the claim ends; a message that expires earlier is raised.
    ends: Timestamp,
    /// When a raised message expires.
    expires: Timestamp,
}

impl Life {
    fn of(claim: &ClaimRow, grace: u64) -> Self {
        let ttl = claim.ttl.saturating_add(grace);
        Self { ttl, ends: claim.expires, expires: claim.expires.plus_seconds(grace) }
    }

    /// Lets the message of `place` outlive the claim: whether its row is to be stored.
    fn raise(&self, open: &Open<'_, '_>, place: &mut Place) -> Outcome<bool> {
        if place.expires >= self.ends.micros() {
            return Ok(false);
        }
        let expires = self.expires.micros();
        place::reschedule(open.db, open.row.key, place.key, place.expires, expires)?;
        place.expires = expires;
        place.ttl = self.ttl.cast_signed();
        Ok(true)
    }
}

/// Claims the oldest free messages.
pub(super) fn claim(open: &mut Open<'_, '_>, request: &ClaimRequest, now: Timestamp) -> Outcome<Claimed> {
    let mut answer = Claimed::default();
    let Some(mut claim) = begin(open, request, now)? else {
        answer.more = true;
        return Ok(answer);
    };
    let life = Life::of(&claim, request.grace);
    let mut scan = Scan::begin(open, now, request.limit)?;
    while answer.messages.len() < request.limit {
        let Some(place) = scan.next(open)? else { break };
        match &request.dead_letters {
            Some(dead) if place.count >= dead.max_claims => {
                transfer::bury(open, place, dead, now)?;
                answer.outgoing += 1;
            }
            counted => {
                claim.positions.push(place.position);
                answer.messages.push(hold(open, place, life, request.id, counted.is_some())?);
            }
        }
    }
    answer.more = scan.more();
    scan.finish(open)?;
    if !answer.messages.is_empty() {
        claim.positions.sort_unstable();
        claim.save(open.db, open.row.key)?;
        open.row.wake_by(claim.expires.micros());
    } else if !answer.more {
        answer.next_due = due::next(open.db, open.row)?;
    }
    Ok(answer)
}

/// The live claim that the request adds to, or a new one. `None` while an ended one of that id still holds
/// messages after this call gave back what a call may: the caller comes again.
fn begin(open: &mut Open<'_, '_>, request: &ClaimRequest, now: Timestamp) -> Outcome<Option<ClaimRow>> {
    let find = |open: &Open<'_, '_>| ClaimRow::find(open.db, open.row.key, request.id);
    match find(open)? {
        Some(claim) if claim.expires > now => return Ok(Some(claim)),
        Some(_) => {
            due::end_claims(open, now, STEP)?;
            if find(open)?.is_some() {
                return Ok(None);
            }
        }
        None => {}
    }
    let expires = now.plus_seconds(request.ttl);
    Ok(Some(ClaimRow { id: request.id, ttl: request.ttl, expires, positions: Vec::new() }))
}

/// Puts a free message under the claim.
fn hold(
    open: &mut Open<'_, '_>,
    mut place: Place,
    life: Life,
    claim: ClaimId,
    counted: bool,
) -> Outcome<Message> {
    life.raise(open, &mut place)?;
    place.count += i64::from(counted);
    if place.claim.is_some() {
        place::update_claimed(open.db, open.row.key, &place, claim)?;
    } else {
        place::delete_ready(open.db, open.row.key, place.position)?;
        place::insert_claimed(open.db, open.row.key, &place, claim)?;
        open.row.claimed += 1;
    }
    place.message(open.db, Some(claim))
}

/// Starts the live claim anew: whether there was one.
pub(super) fn renew(
    open: &mut Open<'_, '_>,
    id: ClaimId,
    ttl: u64,
    grace: u64,
    now: Timestamp,
) -> Outcome<bool> {
    let Some(mut claim) = ClaimRow::live(open.db, open.row.key, id, now)? else { return Ok(false) };
    let ended = std::mem::replace(&mut claim.expires, now.plus_seconds(ttl));
    if claim.expires < ended {
        open.ring(0);
    }
    claim.ttl = ttl;
    let life = Life::of(&claim, grace);
    for position in &claim.positions {
        let Some(mut place) = place::claimed_at(open.db, open.row.key, *position)? else { continue };
        if life.raise(open, &mut place)? {
            place::update_claimed(open.db, open.row.key, &place, id)?;
        }
    }
    claim.save(open.db, open.row.key)?;
    open.row.wake_by(claim.expires.micros());
    Ok(true)
}

/// Ends the claim, alive or not; its messages are ready at once.
pub(super) fn release(open: &mut Open<'_, '_>, id: ClaimId) -> Outcome<()> {
    match ClaimRow::find(open.db, open.row.key, id)? {
        Some(claim) => {
            open.ring(claim.positions.len());
            end(open, &claim)
        }
        None => Ok(()),
    }
}

fn end(open: &mut Open<'_, '_>, claim: &ClaimRow) -> Outcome<()> {
    for position in &claim.positions {
        due::free(open, *position)?;
    }
    claim.delete(open.db, open.row.key)
}
