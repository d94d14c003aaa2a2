//! Everything in RAM: the model that every driver is compared with, and a driver for those who can lose it all.
//!
//! [`MemoryStore`] holds the data of queues, [`MemoryManagement`] the queues themselves. Nothing survives the
//! process, nothing is shared between processes, and nothing but its RAM bounds what a store takes in. One lock
//! guards a store; no call holds it for longer than one queue's bounded work.

mod catalogue;
mod claims;
mod deletion;
mod listing;
mod management;
mod outgoing;
mod queue;
mod subscriptions;
mod transfer;

pub use management::MemoryManagement;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;

use self::queue::QueueData;
use super::{
    ClaimRequest, Claimed, Claims, Deletion, Error, Ledger, Line, ListQuery, Messages, Outgoing, Page,
    Parcel, Popped, Result, STEP, SentOff, Stats, Subscriptions, Swept, Transfer, Way,
};
use crate::clock::Timestamp;
use crate::model::{
    Capability, Claim, ClaimId, Cursor, Message, MessageId, NewMessage, Position, ProjectId, QueueName,
    QueueRef, Subscription, SubscriptionId,
};
use crate::wake::{Bell, News, Wakes, Who};

/// The data of queues, in RAM.
pub struct MemoryStore {
    queues: Mutex<Option<Queues>>,
    identity: Uuid,
    wakes: Wakes,
}

/// The queues of a store that is open, by project and name.
type Queues = BTreeMap<Key, QueueData>;

type Key = (ProjectId, QueueName);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self { queues: Mutex::new(Some(Queues::new())), identity: Uuid::new_v4(), wakes: Wakes::new() }
    }

    /// What `act` makes of the queues, or [`Error::Unavailable`] once the store is closed.
    fn all<T>(&self, act: impl FnOnce(&mut Queues) -> T) -> Result<T> {
        // A panic in the middle of a change would be a bug, not a reason to stop serving other queues.
        let mut guard = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().map(act).ok_or_else(closed)
    }

    /// What `act` makes of the data of that queue, if it is of the caller's epoch.
    fn one<T>(&self, queue: &QueueRef, act: impl FnOnce(&mut QueueData) -> T) -> Result<T> {
        self.all(|queues| {
            let data = queues.get_mut(&key(queue)).filter(|data| data.epoch == queue.epoch);
            data.map(act).ok_or(Error::Gone)
        })?
    }

    fn ring(&self, queue: &QueueRef, news: News) {
        self.wakes.ring(&queue.project, &queue.name, news);
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

fn key(queue: &QueueRef) -> Key {
    (queue.project.clone(), queue.name.clone())
}

fn named((project, name): &Key, data: &QueueData) -> QueueRef {
    QueueRef { project: project.clone(), name: name.clone(), epoch: data.epoch }
}

fn closed() -> Error {
    Error::unavailable("the store is closed")
}

/// Where a walk over all queues goes on.
fn behind(key: Option<Key>) -> (Bound<Key>, Bound<Key>) {
    (key.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

#[async_trait]
impl Messages for MemoryStore {
    async fn open(&self, queue: &QueueRef, _now: Timestamp) -> Result<()> {
        let dropped = self.all(|queues| {
            let stored = queues.get(&key(queue)).map(|data| data.epoch);
            match stored {
                Some(epoch) if epoch == queue.epoch => Ok(None),
                Some(epoch) if !epoch.is_before(queue.epoch) => Err(Error::Gone),
                _ => Ok(queues.insert(key(queue), QueueData::new(queue.epoch))),
            }
        })?;
        // What is dropped here is freed when the lock is free again.
        dropped.map(drop)
    }

    async fn drop_queue(&self, queue: &QueueRef) -> Result<()> {
        let dropped = self.all(|queues| {
            let stored = queues.get(&key(queue)).map(|data| data.epoch);
            let ours = stored.is_some_and(|epoch| epoch == queue.epoch || epoch.is_before(queue.epoch));
            ours.then(|| queues.remove(&key(queue)))
        })?;
        drop(dropped);
        self.ring(queue, News::Anything);
        Ok(())
    }

    async fn post(&self, queue: &QueueRef, messages: Vec<NewMessage>, now: Timestamp) -> Result<()> {
        let ready = messages.iter().filter(|message| message.delay == 0).count();
        self.one(queue, |data| data.post(messages, now))?;
        self.ring(queue, News::Ready(ready));
        Ok(())
    }

    async fn list(&self, queue: &QueueRef, query: &ListQuery, now: Timestamp) -> Result<Page> {
        self.one(queue, |data| data.list(query, now))
    }

    async fn locate(&self, queue: &QueueRef, id: MessageId, now: Timestamp) -> Result<Option<Cursor>> {
        self.one(queue, |data| data.locate(id, now))
    }

    async fn end(&self, queue: &QueueRef, now: Timestamp) -> Result<(Position, bool)> {
        self.one(queue, |data| data.end(now))
    }

    async fn get(&self, queue: &QueueRef, ids: &[MessageId], now: Timestamp) -> Result<Vec<Message>> {
        self.one(queue, |data| data.get(ids, now))
    }

    async fn delete(
        &self,
        queue: &QueueRef,
        id: MessageId,
        claim: Option<ClaimId>,
        now: Timestamp,
    ) -> Result<Deletion> {
        self.one(queue, |data| data.delete(id, claim, now))
    }

    async fn delete_many(
        &self,
        queue: &QueueRef,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
        now: Timestamp,
    ) -> Result<std::result::Result<u64, (MessageId, Deletion)>> {
        self.one(queue, |data| data.delete_many(ids, claims, now))
    }

    async fn pop(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<Popped> {
        self.one(queue, |data| data.pop(limit, now))
    }

    async fn purge(&self, queue: &QueueRef, now: Timestamp) -> Result<(u64, bool)> {
        self.one(queue, |data| data.purge(now))
    }

    async fn stats(&self, queue: &QueueRef, now: Timestamp) -> Result<Stats> {
        self.one(queue, |data| data.stats(now))
    }

    async fn sweep(&self, now: Timestamp, budget: usize) -> Result<Swept> {
        let mut done = Swept::default();
        let mut left = budget;
        let mut last = None;
        // The lock is taken anew for each queue, so that no call waits for the whole walk.
        while let Some((key, step)) = self.all(|queues| {
            let (key, data) = queues.range_mut(behind(last.take())).next()?;
            Some((key.clone(), data.sweep(now, left)))
        })? {
            left -= step.moved;
            done.messages += step.expired;
            done.claims += step.ended;
            if step.more {
                done.more = true;
                break;
            }
            last = Some(key);
        }
        Ok(done)
    }

    async fn opened(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<QueueRef>> {
        self.all(|queues| {
            let rest = queues.range(behind(after.map(key)));
            rest.take(limit).map(|(key, data)| named(key, data)).collect()
        })
    }

    async fn volume(&self) -> Result<(u64, u64)> {
        self.all(|queues| {
            let sizes = queues.values().map(QueueData::sizes);
            sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1))
        })
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Fifo, Capability::Claims, Capability::Aod, Capability::HighThroughput]
    }

    async fn identity(&self) -> Result<Uuid> {
        self.all(|_| self.identity)
    }

    async fn ping(&self) -> Result<()> {
        self.all(|_| ())
    }

    async fn watch(&self, queue: &QueueRef, who: Who) -> Result<Bell> {
        Ok(self.wakes.watch(&queue.project, &queue.name, who))
    }

    async fn close(&self) {
        let dropped = self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(dropped);
    }
}

#[async_trait]
impl Claims for MemoryStore {
    async fn claim(&self, queue: &QueueRef, request: &ClaimRequest, now: Timestamp) -> Result<Claimed> {
        self.one(queue, |data| data.claim(request, now))
    }

    async fn claimed(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        now: Timestamp,
    ) -> Result<Option<(Claim, Vec<Message>)>> {
        self.one(queue, |data| data.claimed(claim, now))
    }

    async fn renew(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        ttl: u64,
        grace: u64,
        now: Timestamp,
    ) -> Result<bool> {
        let renewed = self.one(queue, |data| data.renew(claim, ttl, grace, now))?;
        if renewed == Some(Ordering::Less) {
            self.ring(queue, News::Ready(0));
        }
        Ok(renewed.is_some())
    }

    async fn release(&self, queue: &QueueRef, claim: ClaimId, now: Timestamp) -> Result<()> {
        let freed = self.one(queue, |data| data.release(claim, now))?;
        if freed > 0 {
            self.ring(queue, News::Ready(freed));
        }
        Ok(())
    }
}

#[async_trait]
impl Subscriptions for MemoryStore {
    async fn subscribe(&self, queue: &QueueRef, subscription: &Subscription, now: Timestamp) -> Result<bool> {
        self.one(queue, |data| data.subscribers.add(subscription.clone(), now))
    }

    async fn subscriptions(
        &self,
        queue: &QueueRef,
        after: Option<SubscriptionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Subscription>> {
        self.one(queue, |data| data.subscribers.page(after, limit, now))
    }

    async fn subscription(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        self.one(queue, |data| data.subscribers.get(id, now).cloned())
    }

    async fn subscribed(
        &self,
        queue: &QueueRef,
        subscriber: &str,
        now: Timestamp,
    ) -> Result<Option<SubscriptionId>> {
        self.one(queue, |data| data.subscribers.find(subscriber, now))
    }

    async fn unsubscribe(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        left: bool,
        _now: Timestamp,
    ) -> Result<()> {
        self.one(queue, |data| drop(data.subscribers.remove(id)))?;
        if !left {
            self.ring(queue, News::Ended);
        }
        Ok(())
    }

    async fn extend(
        &self,
        queue: &QueueRef,
        ids: &[SubscriptionId],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>> {
        self.one(queue, |data| data.subscribers.extend(ids, until, now))
    }

    async fn purge_subscriptions(&self, queue: &QueueRef, _now: Timestamp) -> Result<bool> {
        let more = self.one(queue, |data| {
            data.subscribers.take(STEP);
            data.subscribers.len() > 0
        })?;
        self.ring(queue, News::Ended);
        Ok(more)
    }
}

#[async_trait]
impl Transfer for MemoryStore {
    async fn outgoing(&self, queue: &QueueRef, way: Way, limit: usize) -> Result<Outgoing> {
        self.one(queue, |data| data.lists.first(way, limit))
    }

    async fn import(&self, queue: &QueueRef, line: Line, parcels: &[Parcel], now: Timestamp) -> Result<()> {
        self.one(queue, |data| data.import(line, parcels, now))?;
        self.ring(queue, News::Ready(parcels.len()));
        Ok(())
    }

    async fn forget(&self, queue: &QueueRef, way: Way, numbers: &[i64]) -> Result<()> {
        self.one(queue, |data| data.lists.forget(way, numbers))
    }

    async fn unfinished(&self, limit: usize) -> Result<Vec<QueueRef>> {
        self.all(|queues| {
            let unfinished = queues.iter().filter(|(_, data)| data.lists.unfinished());
            unfinished.take(limit).map(|(key, data)| named(key, data)).collect()
        })
    }

    async fn seal(&self, queue: &QueueRef, _now: Timestamp) -> Result<Ledger> {
        self.all(|queues| {
            let data = queues.get_mut(&key(queue)).filter(|data| data.epoch.unsealed() == queue.epoch);
            data.map(QueueData::seal).ok_or(Error::Gone)
        })?
        .inspect(|_| self.ring(queue, News::Anything))
    }

    async fn adopt(&self, queue: &QueueRef, ledger: &Ledger, now: Timestamp) -> Result<()> {
        self.open(queue, now).await?;
        self.one(queue, |data| data.adopt(ledger))
    }

    async fn send_off(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<SentOff> {
        self.one(queue, |data| data.send_off(limit, now))
    }
}
