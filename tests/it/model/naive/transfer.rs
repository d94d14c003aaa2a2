//! Handing messages of the naive store over.

use zaqar::clock::Timestamp;
use zaqar::model::{Claim, NewMessage, Position};
use zaqar::storage::{Landing, Ledger, Line, Outgoing, Parcel, Receipt, SentOff, Way};

use super::queue::{Item, NaiveQueue, Stands};

impl NaiveQueue {
    pub(super) fn send(&mut self, way: Way, parcel: Parcel) {
        self.numbers += 1;
        self.outgoing.push((way, Parcel { number: self.numbers, ..parcel }));
    }

    pub(super) fn outgoing(&self, way: Way, limit: usize) -> Outgoing {
        let list = self.outgoing.iter().filter(|(list, _)| *list == way).map(|(_, parcel)| parcel);
        Outgoing { line: self.line, parcels: list.take(limit).cloned().collect() }
    }

    pub(super) fn ledger(&self) -> Ledger {
        Ledger { last: Position(self.last), received: self.received.clone() }
    }

    pub(super) fn adopt(&mut self, ledger: &Ledger) {
        self.last = self.last.max(ledger.last.0);
        ledger.received.iter().for_each(|receipt| self.note(*receipt));
    }

    fn note(&mut self, receipt: Receipt) {
        match self.received.iter_mut().find(|known| known.line == receipt.line) {
            Some(known) => known.number = known.number.max(receipt.number),
            None => self.received.push(receipt),
        }
    }

    pub(super) fn import(&mut self, line: Line, parcels: &[Parcel], now: Timestamp) {
        for parcel in parcels.iter().cloned() {
            let received = self.received.iter().find(|known| known.line == line);
            if received.is_some_and(|known| known.number >= parcel.number) {
                continue;
            }
            self.note(Receipt { line, number: parcel.number, at: now });
            if parcel.expires <= now {
                continue;
            }
            if let Some(subscription) = parcel.subscription() {
                self.subscribe(subscription);
            } else if self.find(parcel.id).is_none() {
                self.land(parcel, now);
            }
        }
    }

    fn land(&mut self, parcel: Parcel, now: Timestamp) {
        let (stands, claim) = match parcel.landing {
            Landing::End(_) => (Stands::At(self.next_position(now)), None),
            Landing::Ready(position) => (self.at(position), None),
            Landing::Held { position, claim, ttl, ends } => {
                self.hold_until(Claim { id: claim, ttl, expires: ends });
                (self.at(position), Some(claim))
            }
            Landing::Delayed(due) => (Stands::Until(due), None),
            Landing::Subscriber { .. } => unreachable!("it is no message"),
        };
        let count = if matches!(parcel.landing, Landing::End(_)) { 0 } else { parcel.claim_count };
        let new = NewMessage {
            id: parcel.id,
            ttl: parcel.ttl,
            delay: 0,
            client: parcel.client,
            checksum: parcel.checksum,
            body: parcel.body,
        };
        let (created, expires) = (parcel.created, parcel.expires);
        self.items.push(Item { new, created, expires, stands, claim, count });
    }

    /// That position, or the next one where nothing stands.
    fn at(&mut self, wanted: Position) -> Stands {
        let taken = |position| self.items.iter().any(|item| item.stands == Stands::At(Position(position)));
        let position =
            (wanted.0..i64::MAX).find(|position| !taken(*position)).expect("there is room behind it");
        self.last = self.last.max(position);
        Stands::At(Position(position))
    }

    fn hold_until(&mut self, claim: Claim) {
        match self.claims.iter_mut().find(|known| known.id == claim.id) {
            Some(known) if known.expires < claim.expires => *known = claim,
            Some(_) => {}
            None => self.claims.push(claim),
        }
    }

    /// Subscriptions first, then delayed messages, then free ones, the newest of them first, then those under claims.
    pub(super) fn send_off(&mut self, limit: usize) -> SentOff {
        let first = limit.min(self.subscriptions.len());
        for one in self.subscriptions.drain(..first).collect::<Vec<_>>() {
            self.send(Way::Pool, Parcel::of(&one));
        }
        let (mut next, rest): (Vec<_>, Vec<_>) = self.items.iter().cloned().partition(Item::is_delayed);
        let (free, held): (Vec<_>, Vec<_>) = rest.into_iter().partition(|item| item.claim.is_none());
        next.extend(free.into_iter().rev().chain(held));
        next.truncate(limit - first);
        for item in &next {
            let landing = self.landing(item);
            self.send(Way::Pool, item.parcel(landing));
            self.remove(|other| other.new.id == item.new.id);
        }
        SentOff { sent: next.len() as u64, left: (self.items.len() + self.subscriptions.len()) as u64 }
    }

    fn landing(&self, item: &Item) -> Landing {
        match (item.stands, item.claim.and_then(|claim| self.alive(claim))) {
            (Stands::Until(due), _) => Landing::Delayed(due),
            (Stands::At(position), None) => Landing::Ready(position),
            (Stands::At(position), Some(claim)) => {
                Landing::Held { position, claim: claim.id, ttl: claim.ttl, ends: claim.expires }
            }
        }
    }
}
