//! Handing the messages of one queue over: sealing it, sending them off, taking in what others sent.

use super::queue::{Entry, Place, QueueData, own};
use crate::clock::Timestamp;
use crate::model::{MessageId, Position};
use crate::storage::{Landing, Ledger, Line, Parcel, Receipt, STEP, SentOff, Way};

impl QueueData {
    /// Seals the data; what it must know elsewhere.
    pub(super) fn seal(&mut self) -> Ledger {
        self.epoch = self.epoch.sealed();
        Ledger { last: self.last, received: self.received.receipts() }
    }

    /// Takes over what the data knew elsewhere.
    pub(super) fn adopt(&mut self, ledger: &Ledger) {
        self.last = self.last.max(ledger.last);
        for receipt in &ledger.received {
            self.received.note(*receipt);
        }
    }

    /// Takes in messages of that line that were not taken in before.
    pub(super) fn import(&mut self, line: Line, parcels: &[Parcel], now: Timestamp) {
        self.settle(now, STEP);
        let known = self.received.number(line);
        let new = || parcels.iter().filter(|parcel| parcel.number > known);
        for parcel in new().filter(|parcel| parcel.expires > now) {
            self.land(parcel, now);
        }
        if let Some(number) = new().map(|parcel| parcel.number).max() {
            self.received.note(Receipt { line, number, at: now });
        }
    }

    fn land(&mut self, parcel: &Parcel, now: Timestamp) {
        if let Some(subscription) = parcel.subscription() {
            self.subscribers.add(subscription, now);
            return;
        }
        if self.alive(parcel.id, now).is_some() {
            return;
        }
        self.take(parcel.id);
        let dead_letter = matches!(parcel.landing, Landing::End(_));
        let entry = Entry {
            place: Place::Delayed(now),
            created: parcel.created,
            ttl: parcel.ttl,
            expires: parcel.expires,
            client: parcel.client.clone(),
            claim_count: if dead_letter { 0 } else { parcel.claim_count },
            checksum: parcel.checksum,
            body: own(&parcel.body),
        };
        match parcel.landing {
            Landing::Subscriber { .. } => {}
            Landing::End(_) => self.insert(parcel.id, entry, None, now),
            Landing::Delayed(due) => self.insert(parcel.id, entry, Some(due), now),
            Landing::Ready(position) => {
                self.put_at(parcel.id, entry, position);
            }
            Landing::Held { position, claim, ttl, ends } => {
                let position = self.put_at(parcel.id, entry, position);
                self.prolong_claim(claim, ttl, ends);
                let (ttl, ends) = self.claims.get(&claim).map_or((ttl, ends), |held| (held.ttl, held.ends));
                self.hold(claim, (ttl, ends), (position, parcel.id));
            }
        }
    }

    /// Puts a message at that position or the next free one.
    fn put_at(&mut self, id: MessageId, mut entry: Entry, wanted: Position) -> Position {
        let mut position = wanted;
        while self.line.contains_key(&position) {
            position = Position(position.0 + 1);
        }
        self.last = self.last.max(position);
        self.line.insert(position, id);
        self.ready.insert(position, id);
        entry.place = Place::Ready(position);
        self.note_expiry(id, &entry);
        self.messages.insert(id, entry);
        position
    }

    /// Puts subscriptions, then messages on the outgoing list to another store.
    pub(super) fn send_off(&mut self, limit: usize, now: Timestamp) -> SentOff {
        self.settle(now, STEP);
        let delayed = self.delayed.iter().map(|(_, id)| *id);
        let held = self.line.iter().filter(|(position, _)| !self.ready.contains_key(position));
        let ready = self.ready.values().rev().copied();
        let next = delayed.chain(ready).chain(held.map(|(_, id)| *id));
        let mut done = SentOff::default();
        let subscriptions = self.subscribers.take(limit);
        let next: Vec<_> = next.take(limit - subscriptions.len()).collect();
        for one in subscriptions.iter().filter(|one| one.expires > now) {
            self.lists.push(Way::Pool, Parcel::of(one));
        }
        for id in next {
            let alive = self.alive(id, now).is_some();
            let landing = self.messages.get(&id).and_then(|entry| self.landing(entry));
            let Some((landing, entry)) = landing.zip(self.take(id)).filter(|_| alive) else { continue };
            let claim_count = entry.claim_count;
            self.lists.push(Way::Pool, Parcel { claim_count, ..parcel(id, landing, entry) });
            done.sent += 1;
        }
        done.left = (self.messages.len() + self.subscribers.len()) as u64;
        done
    }

    fn landing(&self, entry: &Entry) -> Option<Landing> {
        Some(match entry.place {
            Place::Ready(position) => Landing::Ready(position),
            Place::Delayed(due) => Landing::Delayed(due),
            Place::Held(position, claim) => {
                let held = self.claims.get(&claim)?;
                Landing::Held { position, claim, ttl: held.ttl, ends: held.ends }
            }
        })
    }
}

/// The message as it is sent off, not numbered yet.
pub(super) fn parcel(id: MessageId, landing: Landing, entry: Entry) -> Parcel {
    Parcel {
        number: 0,
        id,
        landing,
        created: entry.created,
        ttl: entry.ttl,
        expires: entry.expires,
        client: entry.client,
        claim_count: entry.claim_count,
        checksum: entry.checksum,
        body: entry.body,
    }
}
