//! Claims on one queue: making, reading, renewing and ending them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use super::queue::{Held, Place, QueueData};
use super::transfer::parcel;
use crate::clock::Timestamp;
use crate::model::{Claim, ClaimId, Message, MessageId, Position};
use crate::storage::{ClaimRequest, Claimed, DeadLetters, EXAMINED, Landing, Parcel, STEP, Way};

impl QueueData {
    /// Claims the oldest ready messages and sends off those that were claimed too often.
    pub(super) fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Claimed {
        let mut won = Claimed { more: self.settle(now, STEP).more, ..Claimed::default() };
        let (ttl, ends) = match self.claims.get(&request.id) {
            // An ended claim of this id is still being given back: the caller comes again.
            Some(held) if held.ends <= now => return won,
            Some(held) => (held.ttl, held.ends),
            None => (request.ttl, now.plus_seconds(request.ttl)),
        };
        let mut last = Bound::Unbounded;
        for _ in 0..EXAMINED {
            let next = self.ready.range((last, Bound::Unbounded)).next();
            let Some((&position, &id)) = next.filter(|_| won.messages.len() < request.limit) else {
                return self.finish(won);
            };
            last = Bound::Excluded(position);
            match self.alive(id, now).map(|entry| entry.claim_count) {
                None => {}
                Some(count) if request.dead_letters.as_ref().is_some_and(|dead| dead.over(count)) => {
                    won.outgoing += usize::from(self.bury(id, request, now));
                }
                Some(count) => {
                    self.hold(request.id, (ttl, ends), (position, id));
                    self.raise(id, ttl, request.grace, ends);
                    self.count_claim(id, count + u32::from(request.dead_letters.is_some()));
                    won.messages.extend(self.read(id, now));
                }
            }
        }
        won.more |= won.messages.len() < request.limit;
        self.finish(won)
    }

    fn finish(&self, mut won: Claimed) -> Claimed {
        if won.messages.is_empty() && !won.more {
            won.next_due = self.next_due();
        }
        won
    }

    /// Puts a ready message into the claim, which is made if need be.
    pub(super) fn hold(
        &mut self,
        claim: ClaimId,
        (ttl, ends): (u64, Timestamp),
        (position, id): (Position, MessageId),
    ) {
        self.ready.remove(&position);
        self.ending.insert((ends, claim));
        let held = self.claims.entry(claim).or_insert_with(|| Held { ttl, ends, messages: BTreeMap::new() });
        held.messages.insert(position, id);
        if let Some(entry) = self.messages.get_mut(&id) {
            entry.place = Place::Held(position, claim);
        }
    }

    /// A message that would expire before its claim ends lives `grace` seconds longer than the claim.
    fn raise(&mut self, id: MessageId, ttl: u64, grace: u64, ends: Timestamp) {
        if self.messages.get(&id).is_some_and(|entry| entry.expires < ends) {
            self.prolong(id, ttl.saturating_add(grace), ends.plus_seconds(grace));
        }
    }

    fn count_claim(&mut self, id: MessageId, count: u32) {
        if let Some(entry) = self.messages.get_mut(&id) {
            entry.claim_count = count;
        }
    }

    /// Moves a message to the outgoing list.
    fn bury(&mut self, id: MessageId, request: &ClaimRequest, now: Timestamp) -> bool {
        let Some((dead, entry)) = request.dead_letters.as_ref().zip(self.take(id)) else {
            return false;
        };
        let (ttl, expires) = dead.ttl.map_or((entry.ttl, entry.expires), |ttl| (ttl, now.plus_seconds(ttl)));
        let letter = parcel(id, Landing::End(dead.target.clone()), entry);
        self.lists.push(Way::DeadLetters, Parcel { ttl, expires, ..letter });
        true
    }

    /// The live claim and its messages.
    pub(super) fn claimed(&self, claim: ClaimId, now: Timestamp) -> Option<(Claim, Vec<Message>)> {
        let held = self.live(claim, now)?;
        let messages = held.messages.values().filter_map(|id| self.read(*id, now)).collect();
        Some((Claim { id: claim, ttl: held.ttl, expires: held.ends }, messages))
    }

    /// Starts the live claim anew: which way its end moved, if there was one.
    pub(super) fn renew(&mut self, claim: ClaimId, ttl: u64, grace: u64, now: Timestamp) -> Option<Ordering> {
        let held = self.claims.get_mut(&claim).filter(|held| held.ends > now)?;
        let ends = now.plus_seconds(ttl);
        let moved = ends.cmp(&held.ends);
        self.ending.remove(&(held.ends, claim));
        self.ending.insert((ends, claim));
        (held.ttl, held.ends) = (ttl, ends);
        let messages: Vec<MessageId> = held.messages.values().copied().collect();
        for id in messages {
            self.raise(id, ttl, grace, ends);
        }
        Some(moved)
    }

    /// Lets an existing claim live as long as that, if it would end before.
    pub(super) fn prolong_claim(&mut self, claim: ClaimId, ttl: u64, ends: Timestamp) {
        if let Some(held) = self.claims.get_mut(&claim).filter(|held| held.ends < ends) {
            self.ending.remove(&(held.ends, claim));
            self.ending.insert((ends, claim));
            (held.ttl, held.ends) = (ttl, ends);
        }
    }

    /// Ends the claim; one that has ended by itself is left to [`QueueData::settle`]. How many messages are free.
    pub(super) fn release(&mut self, claim: ClaimId, now: Timestamp) -> usize {
        let mut freed = 0;
        while self.live(claim, now).is_some() {
            self.give_back_one(claim);
            freed += 1;
        }
        freed
    }

    /// Makes the first message of the claim ready again, in its old place: whether that was the last one.
    pub(super) fn give_back_one(&mut self, claim: ClaimId) -> bool {
        let first = self.claims.get(&claim).and_then(|held| held.messages.first_key_value());
        if let Some((&position, &id)) = first {
            self.ready.insert(position, id);
            if let Some(entry) = self.messages.get_mut(&id) {
                entry.place = Place::Ready(position);
            }
            self.leave(claim, position);
        }
        !self.claims.contains_key(&claim)
    }

    /// Takes a message from the claim, which is gone with its last one.
    pub(super) fn leave(&mut self, claim: ClaimId, position: Position) {
        let Some(held) = self.claims.get_mut(&claim) else { return };
        held.messages.remove(&position);
        if held.messages.is_empty() {
            self.ending.remove(&(held.ends, claim));
            self.claims.remove(&claim);
        }
    }
}

impl DeadLetters {
    /// Whether a message that was claimed `count` times is not handed out again.
    fn over(&self, count: u32) -> bool {
        i64::from(count) >= self.max_claims
    }
}
