//! One queue's data and its indexes: what posting, the passing of time and counting do to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::outgoing::{Lists, Received};
use super::subscriptions::Subscribers;
use crate::clock::Timestamp;
use crate::model::{ClaimId, ClientId, Cursor, Epoch, Message, MessageId, NewMessage, Position};
use crate::storage::{STEP, Stats};

/// The data of one queue.
///
/// Every message stands in `messages` and `expiring`; and either in `delayed`, or in `line` and there either
/// in `ready` or in the claim that holds it. A claim stands in `claims` and `ending` and holds at least one
/// message, none of which expires before the claim ends.
pub(super) struct QueueData {
    pub(super) epoch: Epoch,
    /// The last position that was given away.
    pub(super) last: Position,
    pub(super) messages: HashMap<MessageId, Entry>,
    /// All messages that have a position.
    pub(super) line: BTreeMap<Position, MessageId>,
    /// Those of the line that no claim holds.
    pub(super) ready: BTreeMap<Position, MessageId>,
    pub(super) delayed: BTreeSet<(Timestamp, MessageId)>,
    expiring: BTreeSet<(Timestamp, MessageId)>,
    pub(super) claims: HashMap<ClaimId, Held>,
    pub(super) ending: BTreeSet<(Timestamp, ClaimId)>,
    pub(super) lists: Lists,
    pub(super) received: Received,
    pub(super) subscribers: Subscribers,
}

/// A message in its queue.
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) created: Timestamp,
    pub(super) ttl: u64,
    pub(super) expires: Timestamp,
    pub(super) client: ClientId,
    pub(super) claim_count: u32,
    pub(super) checksum: Option<[u8; 16]>,
    pub(super) body: Bytes,
}

/// Where a message stands.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Ready(Position),
    Held(Position, ClaimId),
    Delayed(Timestamp),
}

/// A claim and what it holds.
pub(super) struct Held {
    pub(super) ttl: u64,
    pub(super) ends: Timestamp,
    pub(super) messages: BTreeMap<Position, MessageId>,
}

/// What one step of time did.
#[derive(Default)]
pub(super) struct Settled {
    /// Messages moved or removed.
    pub(super) moved: usize,
    /// Expired messages that were removed.
    pub(super) expired: u64,
    /// Ended claims that were removed.
    pub(super) ended: u64,
    /// Whether something is left that is due.
    pub(super) more: bool,
}

impl QueueData {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            last: Position(0),
            messages: HashMap::new(),
            line: BTreeMap::new(),
            ready: BTreeMap::new(),
            delayed: BTreeSet::new(),
            expiring: BTreeSet::new(),
            claims: HashMap::new(),
            ending: BTreeSet::new(),
            lists: Lists::new(),
            received: Received::default(),
            subscribers: Subscribers::default(),
        }
    }

    /// Stores the messages in order, except those that are there.
    pub(super) fn post(&mut self, messages: Vec<NewMessage>, now: Timestamp) {
        self.settle(now, STEP);
        for new in messages {
            let due = (new.delay > 0).then(|| now.plus_seconds(new.delay));
            let entry = Entry {
                place: Place::Delayed(now),
                created: now,
                ttl: new.ttl,
                expires: now.plus_seconds(new.ttl),
                client: new.client,
                claim_count: 0,
                checksum: new.checksum,
                body: own(&new.body),
            };
            self.insert(new.id, entry, due, now);
        }
    }

    pub(super) fn insert(&mut self, id: MessageId, mut entry: Entry, due: Option<Timestamp>, now: Timestamp) {
        if self.alive(id, now).is_some() {
            return;
        }
        // One of this id that has expired but was not swept makes room.
        self.take(id);
        self.note_expiry(id, &entry);
        if let Some(due) = due {
            entry.place = Place::Delayed(due);
            self.delayed.insert((due, id));
        } else {
            entry.place = Place::Ready(self.append(id, now));
        }
        self.messages.insert(id, entry);
    }

    pub(super) fn note_expiry(&mut self, id: MessageId, entry: &Entry) {
        self.expiring.insert((entry.expires, id));
    }

    /// Gives the message the next position.
    fn append(&mut self, id: MessageId, now: Timestamp) -> Position {
        self.last = Position(now.micros().max(self.last.0.saturating_add(1)));
        self.line.insert(self.last, id);
        self.ready.insert(self.last, id);
        self.last
    }

    /// The message of that id, unless it has expired.
    pub(super) fn alive(&self, id: MessageId, now: Timestamp) -> Option<&Entry> {
        self.messages.get(&id).filter(|entry| entry.expires > now)
    }

    /// The live claim that holds the message.
    pub(super) fn holder(&self, entry: &Entry, now: Timestamp) -> Option<ClaimId> {
        match entry.place {
            Place::Held(_, claim) => self.live(claim, now).map(|_| claim),
            Place::Ready(_) | Place::Delayed(_) => None,
        }
    }

    /// The claim, unless it has ended.
    pub(super) fn live(&self, claim: ClaimId, now: Timestamp) -> Option<&Held> {
        self.claims.get(&claim).filter(|held| held.ends > now)
    }

    /// The message as a reader gets it, unless it has expired.
    pub(super) fn read(&self, id: MessageId, now: Timestamp) -> Option<Message> {
        let entry = self.alive(id, now)?;
        Some(Message {
            id,
            cursor: entry.cursor(id),
            created: entry.created,
            ttl: entry.ttl,
            client: entry.client.clone(),
            claim: self.holder(entry, now),
            claim_count: entry.claim_count,
            checksum: entry.checksum,
            body: entry.body.clone(),
        })
    }

    /// Takes the message out of every index.
    pub(super) fn take(&mut self, id: MessageId) -> Option<Entry> {
        let entry = self.messages.remove(&id)?;
        self.expiring.remove(&(entry.expires, id));
        match entry.place {
            Place::Delayed(due) => {
                self.delayed.remove(&(due, id));
            }
            Place::Ready(position) => {
                self.line.remove(&position);
                self.ready.remove(&position);
            }
            Place::Held(position, claim) => {
                self.line.remove(&position);
                self.leave(claim, position);
            }
        }
        Some(entry)
    }

    /// Lets the message live for `ttl` seconds, until `expires`.
    pub(super) fn prolong(&mut self, id: MessageId, ttl: u64, expires: Timestamp) {
        if let Some(entry) = self.messages.get_mut(&id) {
            self.expiring.remove(&(entry.expires, id));
            self.expiring.insert((expires, id));
            entry.ttl = ttl;
            entry.expires = expires;
        }
    }

    /// Does what time asks for, expired messages first, with at most `budget` messages.
    pub(super) fn settle(&mut self, now: Timestamp, budget: usize) -> Settled {
        let mut done = Settled::default();
        while done.moved < budget {
            if let Some(id) = first_due(&self.expiring, now) {
                self.take(id);
                done.expired += 1;
            } else if let Some(claim) = first_due(&self.ending, now) {
                done.ended += u64::from(self.give_back_one(claim));
            } else if let Some(id) = self.first_ripe(now) {
                self.make_ready(id, now);
            } else {
                return done;
            }
            done.moved += 1;
        }
        done.more = first_due(&self.expiring, now).is_some()
            || first_due(&self.ending, now).is_some()
            || self.first_ripe(now).is_some();
        done
    }

    /// The same, and removes subscriptions that have ended.
    pub(super) fn sweep(&mut self, now: Timestamp, budget: usize) -> Settled {
        let mut done = self.settle(now, budget);
        done.moved += self.subscribers.settle(now, budget - done.moved);
        done.more |= self.subscribers.is_due(now);
        done
    }

    /// The delayed message that is due first; none in data that is on its way elsewhere.
    fn first_ripe(&self, now: Timestamp) -> Option<MessageId> {
        first_due(&self.delayed, now).filter(|_| !self.epoch.is_sealed())
    }

    fn make_ready(&mut self, id: MessageId, now: Timestamp) {
        let position = self.append(id, now);
        if let Some(entry) = self.messages.get_mut(&id)
            && let Place::Delayed(due) = entry.place
        {
            self.delayed.remove(&(due, id));
            entry.place = Place::Ready(position);
        }
    }

    /// When the next message may become available; exact once nothing is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let delay = self.delayed.first().map(|first| first.0);
        let claim = self.ending.first().map(|first| first.0);
        delay.into_iter().chain(claim).min()
    }

    /// The numbers of the queue at `now`. Only what is due and was not moved yet is counted one by one.
    pub(super) fn stats(&self, now: Timestamp) -> Stats {
        let expired = self.expiring.iter().take_while(|(at, _)| *at <= now).count();
        let ended = self.ending.iter().take_while(|(at, _)| *at <= now);
        let given_back: usize = ended.filter_map(|(_, id)| Some(self.claims.get(id)?.messages.len())).sum();
        // No live claim holds an expired message, so that the two never overlap.
        let claimed = self.line.len() - self.ready.len() - given_back;
        let free = self.messages.len() - expired - claimed;
        let in_order = || self.line.values().chain(self.delayed.iter().map(|(_, id)| id));
        let show = |id: &MessageId| self.alive(*id, now).map(|entry| (*id, entry.created));
        Stats {
            free: free as u64,
            claimed: claimed as u64,
            oldest: in_order().find_map(show),
            newest: in_order().rev().find_map(show),
        }
    }

    /// Messages that are free and that are claimed, with what is due and was not moved yet.
    pub(super) fn sizes(&self) -> (u64, u64) {
        let claimed = self.line.len() - self.ready.len();
        ((self.messages.len() - claimed) as u64, claimed as u64)
    }
}

impl Entry {
    /// Where a listing continues behind this message.
    pub(super) fn cursor(&self, id: MessageId) -> Cursor {
        match self.place {
            Place::Ready(position) | Place::Held(position, _) => Cursor::After(position),
            Place::Delayed(due) => Cursor::AfterDelayed(due, id),
        }
    }
}

/// The body in memory of its own: as a part of a request it would keep the whole request in RAM.
pub(super) fn own(body: &Bytes) -> Bytes {
    Bytes::copy_from_slice(body)
}

pub(super) fn first_due<T: Copy + Ord>(index: &BTreeSet<(Timestamp, T)>, now: Timestamp) -> Option<T> {
    index.first().filter(|(at, _)| *at <= now).map(|(_, item)| *item)
}
