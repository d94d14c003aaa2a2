//! One queue of the naive store. Every method but `tidy` takes the queue as tidied up for this moment.

use std::cmp::Ordering;

use uuid::Uuid;
use zaqar::clock::Timestamp;
use zaqar::model::{
    Claim, ClaimId, Cursor, Message, MessageId, NewMessage, Position, Subscription, SubscriptionId,
};
use zaqar::storage::{
    ClaimRequest, Claimed, DeadLetters, Deletion, Landing, Line, ListQuery, Page, Parcel, Popped, Receipt,
    Stats, Way,
};

/// A queue: what is in it, who holds it, and what has left it.
pub(crate) struct NaiveQueue {
    pub(super) items: Vec<Item>,
    pub(super) claims: Vec<Claim>,
    pub(super) last: i64,
    pub(super) line: Line,
    pub(super) numbers: i64,
    pub(super) outgoing: Vec<(Way, Parcel)>,
    pub(super) received: Vec<Receipt>,
    /// By id.
    pub(super) subscriptions: Vec<Subscription>,
}

/// A message as it was posted, and what became of it.
#[derive(Clone)]
pub(crate) struct Item {
    pub(super) new: NewMessage,
    pub(super) created: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) stands: Stands,
    pub(super) claim: Option<ClaimId>,
    pub(super) count: u32,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stands {
    At(Position),
    Until(Timestamp),
}

impl NaiveQueue {
    pub(super) fn new() -> Self {
        Self {
            items: Vec::new(),
            claims: Vec::new(),
            last: 0,
            line: Line(Uuid::new_v4()),
            numbers: 0,
            outgoing: Vec::new(),
            received: Vec::new(),
            subscriptions: Vec::new(),
        }
    }

    /// Does at once all that time asks for. In sealed data nothing that was delayed becomes ready.
    pub(super) fn tidy(&mut self, now: Timestamp, sealed: bool) {
        self.items.retain(|item| item.expires > now);
        self.claims.retain(|claim| claim.expires > now);
        self.subscriptions.retain(|one| one.expires > now);
        for item in &mut self.items {
            item.claim = item.claim.filter(|id| self.claims.iter().any(|claim| claim.id == *id));
        }
        self.tidy_claims();
        self.items.sort_by(Item::in_order);
        for n in 0..self.items.len() {
            if let Stands::Until(due) = self.items[n].stands
                && due <= now
                && !sealed
            {
                self.items[n].stands = Stands::At(self.next_position(now));
            }
        }
        self.items.sort_by(Item::in_order);
    }

    pub(super) fn subscribe(&mut self, new: Subscription) -> bool {
        let rival = |one: &Subscription| one.subscriber == new.subscriber || one.id == new.id;
        if self.subscriptions.iter().any(rival) {
            return false;
        }
        self.subscriptions.push(new);
        self.subscriptions.sort_by_key(|one| one.id);
        true
    }

    pub(super) fn extend(&mut self, ids: &[SubscriptionId], until: Timestamp) -> Vec<SubscriptionId> {
        for one in self.subscriptions.iter_mut().filter(|one| ids.contains(&one.id)) {
            one.expires = one.expires.max(until);
        }
        let gone = |id: &&SubscriptionId| !self.subscriptions.iter().any(|one| one.id == **id);
        ids.iter().filter(gone).copied().collect()
    }

    fn tidy_claims(&mut self) {
        let items = &self.items;
        self.claims.retain(|claim| items.iter().any(|item| item.claim == Some(claim.id)));
    }

    pub(super) fn next_position(&mut self, now: Timestamp) -> Position {
        self.last = (self.last + 1).max(now.micros());
        Position(self.last)
    }

    pub(super) fn find(&self, id: MessageId) -> Option<&Item> {
        self.items.iter().find(|item| item.new.id == id)
    }

    pub(super) fn alive(&self, claim: ClaimId) -> Option<Claim> {
        self.claims.iter().find(|other| other.id == claim).copied()
    }

    /// Removes the messages that `unwanted` names: the removed ones.
    pub(super) fn remove(&mut self, unwanted: impl Fn(&Item) -> bool) -> Vec<Item> {
        let (removed, kept) = self.items.drain(..).partition(|item| unwanted(item));
        self.items = kept;
        self.tidy_claims();
        removed
    }

    pub(super) fn post(&mut self, messages: Vec<NewMessage>, now: Timestamp) {
        for new in messages {
            if self.find(new.id).is_none() {
                let stands = if new.delay == 0 {
                    Stands::At(self.next_position(now))
                } else {
                    Stands::Until(now.plus_seconds(new.delay))
                };
                let expires = now.plus_seconds(new.ttl);
                self.items.push(Item { new, created: now, expires, stands, claim: None, count: 0 });
            }
        }
    }

    pub(super) fn list(&self, query: &ListQuery) -> Page {
        let wanted = |item: &&Item| {
            item.cursor() > query.after
                && query.without.as_ref() != Some(&item.new.client)
                && (query.include_claimed || item.claim.is_none())
                && (query.include_delayed || !item.is_delayed())
        };
        let found = self.items.iter().filter(wanted).take(query.limit);
        let messages: Vec<Message> = found.map(Item::read).collect();
        let next_due = if messages.is_empty() { self.next_due() } else { None };
        Page { messages, resume: None, next_due }
    }

    pub(super) fn get(&self, ids: &[MessageId]) -> Vec<Message> {
        let mut once = Vec::new();
        for id in ids {
            if !once.contains(id) {
                once.push(*id);
            }
        }
        once.into_iter().filter_map(|id| self.find(id)).map(Item::read).collect()
    }

    fn next_due(&self) -> Option<Timestamp> {
        let delays = self.items.iter().filter_map(|item| match item.stands {
            Stands::Until(due) => Some(due),
            Stands::At(_) => None,
        });
        delays.chain(self.claims.iter().map(|claim| claim.expires)).min()
    }

    fn judge(&self, item: &Item, claims: Option<&[ClaimId]>) -> Deletion {
        match (item.claim, claims) {
            (None, None) => Deletion::Deleted,
            (None, Some(_)) => Deletion::NotClaimed,
            (Some(_), None) => Deletion::Claimed,
            (Some(holder), Some(claims)) if claims.contains(&holder) => Deletion::Deleted,
            (Some(_), Some(claims)) => {
                let any = claims.iter().any(|claim| self.alive(*claim).is_some());
                if any { Deletion::ClaimedByOther } else { Deletion::NoSuchClaim }
            }
        }
    }

    pub(super) fn delete(&mut self, id: MessageId, claim: Option<ClaimId>) -> Deletion {
        let claims = claim.map(|claim| vec![claim]);
        let verdict = self.find(id).map(|item| self.judge(item, claims.as_deref()));
        if verdict == Some(Deletion::Deleted) {
            self.remove(|item| item.new.id == id);
        }
        verdict.unwrap_or(Deletion::Missing)
    }

    pub(super) fn delete_many(
        &mut self,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
    ) -> Result<u64, (MessageId, Deletion)> {
        for item in ids.iter().filter_map(|id| self.find(*id)).filter(|_| claims.is_some()) {
            let verdict = self.judge(item, claims);
            if verdict != Deletion::Deleted {
                return Err((item.new.id, verdict));
            }
        }
        Ok(self.remove(|item| ids.contains(&item.new.id)).len() as u64)
    }

    fn free(&self, limit: usize) -> Vec<MessageId> {
        let free = self.items.iter().filter(|item| item.claim.is_none() && !item.is_delayed());
        free.take(limit).map(|item| item.new.id).collect()
    }

    pub(super) fn pop(&mut self, limit: usize) -> Popped {
        let ids = self.free(limit);
        let messages: Vec<Message> =
            self.remove(|item| ids.contains(&item.new.id)).iter().map(Item::read).collect();
        let next_due = if messages.is_empty() { self.next_due() } else { None };
        Popped { messages, more: false, next_due }
    }

    pub(super) fn purge(&mut self) -> u64 {
        self.remove(|item| item.claim.is_none()).len() as u64
    }

    pub(super) fn stats(&self) -> Stats {
        let claimed = self.items.iter().filter(|item| item.claim.is_some()).count();
        let end = |item: &Item| (item.new.id, item.created);
        Stats {
            free: (self.items.len() - claimed) as u64,
            claimed: claimed as u64,
            oldest: self.items.first().map(end),
            newest: self.items.last().map(end),
        }
    }

    pub(super) fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Claimed {
        let new = Claim { id: request.id, ttl: request.ttl, expires: now.plus_seconds(request.ttl) };
        let claim = self.alive(request.id).unwrap_or_else(|| {
            self.claims.push(new);
            new
        });
        let mut won = Claimed::default();
        for id in self.free(usize::MAX) {
            if won.messages.len() == request.limit {
                break;
            }
            match request.dead_letters.as_ref().filter(|dead| self.is_over(id, dead)) {
                Some(dead) => {
                    let parcel = self.remove_one(id).dead_letter(dead, now);
                    self.send(Way::DeadLetters, parcel);
                    won.outgoing += 1;
                }
                None => won.messages.push(self.hold(id, claim, request)),
            }
        }
        self.tidy_claims();
        if won.messages.is_empty() {
            won.next_due = self.next_due();
        }
        won
    }

    fn is_over(&self, id: MessageId, dead: &DeadLetters) -> bool {
        self.find(id).is_some_and(|item| i64::from(item.count) >= dead.max_claims)
    }

    fn remove_one(&mut self, id: MessageId) -> Item {
        let n = self.items.iter().position(|item| item.new.id == id).expect("the message is there");
        self.items.remove(n)
    }

    fn hold(&mut self, id: MessageId, claim: Claim, request: &ClaimRequest) -> Message {
        let item = self.items.iter_mut().find(|item| item.new.id == id).expect("the message is there");
        item.claim = Some(claim.id);
        item.count += u32::from(request.dead_letters.is_some());
        item.raise(claim, request.grace);
        item.read()
    }

    pub(super) fn claimed(&self, claim: ClaimId) -> Option<(Claim, Vec<Message>)> {
        let held = self.items.iter().filter(|item| item.claim == Some(claim));
        Some((self.alive(claim)?, held.map(Item::read).collect()))
    }

    pub(super) fn renew(&mut self, id: ClaimId, ttl: u64, grace: u64, now: Timestamp) -> bool {
        let alive = self.alive(id).is_some();
        let anew = Claim { id, ttl, expires: now.plus_seconds(ttl) };
        self.claims.iter_mut().filter(|claim| claim.id == id).for_each(|claim| *claim = anew);
        for item in self.items.iter_mut().filter(|item| item.claim == Some(id)) {
            item.raise(anew, grace);
        }
        alive
    }

    pub(super) fn release(&mut self, id: ClaimId) {
        for item in self.items.iter_mut().filter(|item| item.claim == Some(id)) {
            item.claim = None;
        }
        self.tidy_claims();
    }
}

impl Item {
    pub(super) fn is_delayed(&self) -> bool {
        matches!(self.stands, Stands::Until(_))
    }

    pub(super) fn cursor(&self) -> Cursor {
        match self.stands {
            Stands::At(position) => Cursor::After(position),
            Stands::Until(due) => Cursor::AfterDelayed(due, self.new.id),
        }
    }

    fn in_order(&self, other: &Self) -> Ordering {
        self.cursor().cmp(&other.cursor())
    }

    fn raise(&mut self, claim: Claim, grace: u64) {
        if self.expires < claim.expires {
            self.expires = claim.expires.plus_seconds(grace);
            self.new.ttl = claim.ttl + grace;
        }
    }

    fn read(&self) -> Message {
        Message {
            id: self.new.id,
            cursor: self.cursor(),
            created: self.created,
            ttl: self.new.ttl,
            client: self.new.client.clone(),
            claim: self.claim,
            claim_count: self.count,
            checksum: self.new.checksum,
            body: self.new.body.clone(),
        }
    }

    fn dead_letter(&self, dead: &DeadLetters, now: Timestamp) -> Parcel {
        let (ttl, expires) =
            dead.ttl.map_or((self.new.ttl, self.expires), |ttl| (ttl, now.plus_seconds(ttl)));
        Parcel { ttl, expires, ..self.parcel(Landing::End(dead.target.clone())) }
    }

    pub(super) fn parcel(&self, landing: Landing) -> Parcel {
        Parcel {
            number: 0,
            id: self.new.id,
            landing,
            created: self.created,
            ttl: self.new.ttl,
            expires: self.expires,
            client: self.new.client.clone(),
            claim_count: self.count,
            checksum: self.new.checksum,
            body: self.new.body.clone(),
        }
    }
}
