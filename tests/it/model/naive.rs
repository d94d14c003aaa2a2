//! A store that is right because it is dumb: vectors, and a scan for every question.
//!
//! It shares no idea with the stores under test: before each call it tidies the queue up completely, then looks
//! at every message. It knows no bounds, so that nothing is ever left for another call.

mod queue;
mod transfer;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;
use zaqar::clock::Timestamp;
use zaqar::model::{
    Capability, Claim, ClaimId, Cursor, Message, MessageId, NewMessage, Position, QueueRef, Subscription,
    SubscriptionId,
};
use zaqar::storage::{
    ClaimRequest, Claimed, Claims, Deletion, Error, Ledger, Line, ListQuery, Messages, Outgoing, Page,
    Parcel, Popped, Result, SentOff, Stats, Subscriptions, Swept, Transfer, Way,
};
use zaqar::wake::{Bell, Wakes, Who};

use self::queue::NaiveQueue;

/// All queues, in no order.
#[derive(Default)]
pub(super) struct Naive(Mutex<Vec<(QueueRef, NaiveQueue)>>);

impl Naive {
    fn all<T>(&self, act: impl FnOnce(&mut Vec<(QueueRef, NaiveQueue)>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What `act` makes of the queue of exactly that name and epoch.
    fn one<T>(&self, name: &QueueRef, act: impl FnOnce(&mut NaiveQueue) -> T) -> Result<T> {
        self.all(|queues| {
            let found = queues.iter_mut().find(|(queue, _)| queue == name);
            found.map(|(_, queue)| act(queue)).ok_or(Error::Gone)
        })
    }

    /// The same, with the queue tidied up.
    fn tidy<T>(&self, name: &QueueRef, now: Timestamp, act: impl FnOnce(&mut NaiveQueue) -> T) -> Result<T> {
        self.one(name, |queue| {
            queue.tidy(now, name.epoch.is_sealed());
            act(queue)
        })
    }
}

fn same_name(a: &QueueRef, b: &QueueRef) -> bool {
    a.project == b.project && a.name == b.name
}

#[async_trait]
impl Messages for Naive {
    async fn open(&self, name: &QueueRef, _now: Timestamp) -> Result<()> {
        self.all(|queues| {
            let found = queues.iter().position(|(queue, _)| same_name(queue, name));
            match found.map(|n| (n, queues[n].0.epoch)) {
                Some((_, epoch)) if epoch == name.epoch => return Ok(()),
                Some((_, epoch)) if epoch.unsealed() >= name.epoch => return Err(Error::Gone),
                Some((n, _)) => drop(queues.remove(n)),
                None => {}
            }
            queues.push((name.clone(), NaiveQueue::new()));
            Ok(())
        })
    }

    async fn drop_queue(&self, name: &QueueRef) -> Result<()> {
        let goes = |queue: &QueueRef| {
            queue == name || same_name(queue, name) && queue.epoch.unsealed() < name.epoch.unsealed()
        };
        self.all(|queues| queues.retain(|(queue, _)| !goes(queue)));
        Ok(())
    }

    async fn post(&self, name: &QueueRef, messages: Vec<NewMessage>, now: Timestamp) -> Result<()> {
        self.tidy(name, now, |queue| queue.post(messages, now))
    }

    async fn list(&self, name: &QueueRef, query: &ListQuery, now: Timestamp) -> Result<Page> {
        self.tidy(name, now, |queue| queue.list(query))
    }

    async fn locate(&self, name: &QueueRef, id: MessageId, now: Timestamp) -> Result<Option<Cursor>> {
        self.tidy(name, now, |queue| queue.find(id).map(queue::Item::cursor))
    }

    async fn end(&self, name: &QueueRef, now: Timestamp) -> Result<(Position, bool)> {
        self.tidy(name, now, |queue| (Position(queue.last), false))
    }

    async fn get(&self, name: &QueueRef, ids: &[MessageId], now: Timestamp) -> Result<Vec<Message>> {
        self.tidy(name, now, |queue| queue.get(ids))
    }

    async fn delete(
        &self,
        name: &QueueRef,
        id: MessageId,
        claim: Option<ClaimId>,
        now: Timestamp,
    ) -> Result<Deletion> {
        self.tidy(name, now, |queue| queue.delete(id, claim))
    }

    async fn delete_many(
        &self,
        name: &QueueRef,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
        now: Timestamp,
    ) -> Result<std::result::Result<u64, (MessageId, Deletion)>> {
        self.tidy(name, now, |queue| queue.delete_many(ids, claims))
    }

    async fn pop(&self, name: &QueueRef, limit: usize, now: Timestamp) -> Result<Popped> {
        self.tidy(name, now, |queue| queue.pop(limit))
    }

    async fn purge(&self, name: &QueueRef, now: Timestamp) -> Result<(u64, bool)> {
        self.tidy(name, now, |queue| (queue.purge(), false))
    }

    async fn stats(&self, name: &QueueRef, now: Timestamp) -> Result<Stats> {
        self.tidy(name, now, |queue| queue.stats())
    }

    async fn sweep(&self, now: Timestamp, _budget: usize) -> Result<Swept> {
        self.all(|queues| {
            for (name, queue) in queues.iter_mut() {
                queue.tidy(now, name.epoch.is_sealed());
            }
        });
        Ok(Swept::default())
    }

    async fn opened(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<QueueRef>> {
        self.all(|queues| {
            let start = after.map_or(0, |after| {
                queues.iter().position(|(queue, _)| queue == after).map_or(queues.len(), |n| n + 1)
            });
            Ok(queues[start..].iter().take(limit).map(|(queue, _)| queue.clone()).collect())
        })
    }

    async fn volume(&self) -> Result<(u64, u64)> {
        self.all(|queues| {
            let stats: Vec<Stats> = queues.iter().map(|(_, queue)| queue.stats()).collect();
            Ok((stats.iter().map(|stats| stats.free).sum(), stats.iter().map(|stats| stats.claimed).sum()))
        })
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[]
    }

    async fn identity(&self) -> Result<Uuid> {
        Ok(Uuid::nil())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn watch(&self, name: &QueueRef, who: Who) -> Result<Bell> {
        // The model tells answers, not wake-ups.
        Ok(Wakes::new().watch(&name.project, &name.name, who))
    }

    async fn close(&self) {}
}

#[async_trait]
impl Claims for Naive {
    async fn claim(&self, name: &QueueRef, request: &ClaimRequest, now: Timestamp) -> Result<Claimed> {
        self.tidy(name, now, |queue| queue.claim(request, now))
    }

    async fn claimed(
        &self,
        name: &QueueRef,
        claim: ClaimId,
        now: Timestamp,
    ) -> Result<Option<(Claim, Vec<Message>)>> {
        self.tidy(name, now, |queue| queue.claimed(claim))
    }

    async fn renew(
        &self,
        name: &QueueRef,
        claim: ClaimId,
        ttl: u64,
        grace: u64,
        now: Timestamp,
    ) -> Result<bool> {
        self.tidy(name, now, |queue| queue.renew(claim, ttl, grace, now))
    }

    async fn release(&self, name: &QueueRef, claim: ClaimId, now: Timestamp) -> Result<()> {
        self.tidy(name, now, |queue| queue.release(claim))
    }
}

#[async_trait]
impl Subscriptions for Naive {
    async fn subscribe(&self, queue: &QueueRef, subscription: &Subscription, now: Timestamp) -> Result<bool> {
        self.tidy(queue, now, |data| data.subscribe(subscription.clone()))
    }

    async fn subscriptions(
        &self,
        queue: &QueueRef,
        after: Option<SubscriptionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Subscription>> {
        self.tidy(queue, now, |data| {
            let behind = |one: &&Subscription| after.is_none_or(|after| one.id > after);
            data.subscriptions.iter().filter(behind).take(limit).cloned().collect()
        })
    }

    async fn subscription(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        self.tidy(queue, now, |data| data.subscriptions.iter().find(|one| one.id == id).cloned())
    }

    async fn subscribed(
        &self,
        queue: &QueueRef,
        subscriber: &str,
        now: Timestamp,
    ) -> Result<Option<SubscriptionId>> {
        self.tidy(queue, now, |data| {
            data.subscriptions.iter().find(|one| one.subscriber == subscriber).map(|one| one.id)
        })
    }

    async fn unsubscribe(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        _left: bool,
        now: Timestamp,
    ) -> Result<()> {
        self.tidy(queue, now, |data| data.subscriptions.retain(|one| one.id != id))
    }

    async fn extend(
        &self,
        queue: &QueueRef,
        ids: &[SubscriptionId],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>> {
        self.tidy(queue, now, |data| data.extend(ids, until))
    }

    async fn purge_subscriptions(&self, queue: &QueueRef, now: Timestamp) -> Result<bool> {
        self.tidy(queue, now, |data| {
            data.subscriptions.clear();
            false
        })
    }
}

#[async_trait]
impl Transfer for Naive {
    async fn outgoing(&self, name: &QueueRef, way: Way, limit: usize) -> Result<Outgoing> {
        self.one(name, |queue| queue.outgoing(way, limit))
    }

    async fn import(&self, name: &QueueRef, line: Line, parcels: &[Parcel], now: Timestamp) -> Result<()> {
        self.tidy(name, now, |queue| queue.import(line, parcels, now))
    }

    async fn forget(&self, name: &QueueRef, way: Way, numbers: &[i64]) -> Result<()> {
        self.one(name, |queue| {
            queue.outgoing.retain(|(list, parcel)| *list != way || !numbers.contains(&parcel.number));
        })
    }

    async fn unfinished(&self, limit: usize) -> Result<Vec<QueueRef>> {
        self.all(|queues| {
            let unfinished =
                queues.iter().filter(|(_, queue)| !queue.outgoing(Way::DeadLetters, 1).parcels.is_empty());
            Ok(unfinished.take(limit).map(|(name, _)| name.clone()).collect())
        })
    }

    async fn seal(&self, name: &QueueRef, _now: Timestamp) -> Result<Ledger> {
        self.all(|queues| {
            let found = queues.iter_mut().find(|(queue, _)| queue == name || *queue == name.sealed());
            let (queue, data) = found.ok_or(Error::Gone)?;
            queue.epoch = queue.epoch.sealed();
            Ok(data.ledger())
        })
    }

    async fn adopt(&self, name: &QueueRef, ledger: &Ledger, now: Timestamp) -> Result<()> {
        self.open(name, now).await?;
        self.one(name, |queue| queue.adopt(ledger))
    }

    async fn send_off(&self, name: &QueueRef, limit: usize, now: Timestamp) -> Result<SentOff> {
        self.tidy(name, now, |queue| queue.send_off(limit))
    }
}
