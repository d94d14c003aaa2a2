//! The traits of a data store, each method one call of the writer or of a reader.

use async_trait::async_trait;
use uuid::Uuid;

use super::db::Db;
use super::queue::Queue;
use super::{
    Outcome, SqliteStore, claims, due, hand_over, lifecycle, listing, messages, reads, subscriptions,
    transfer,
};
use crate::clock::Timestamp;
use crate::model::{
    Capability, Claim, ClaimId, Cursor, Message, MessageId, NewMessage, Position, QueueRef, Subscription,
    SubscriptionId,
};
use crate::storage::{
    ClaimRequest, Claimed, Claims, Deletion, Ledger, Line, ListQuery, Messages, Outgoing, Page, Parcel,
    Popped, Result, SentOff, Stats, Subscriptions, Swept, Transfer, Way,
};
use crate::wake::{Bell, Who};

#[async_trait]
impl Messages for SqliteStore {
    async fn open(&self, queue: &QueueRef, _now: Timestamp) -> Result<()> {
        let queue = queue.clone();
        self.transact(move |batch| lifecycle::open(batch, &queue)).await
    }

    async fn drop_queue(&self, queue: &QueueRef) -> Result<()> {
        let queue = queue.clone();
        self.transact(move |batch| lifecycle::drop_queue(batch, &queue)).await
    }

    async fn post(&self, queue: &QueueRef, messages: Vec<NewMessage>, now: Timestamp) -> Result<()> {
        let bytes = messages.iter().map(|message| message.body.len()).sum();
        self.write(queue, bytes, move |open| messages::post(open, &messages, now)).await
    }

    async fn list(&self, queue: &QueueRef, query: &ListQuery, now: Timestamp) -> Result<Page> {
        let query = query.clone();
        self.read_settled(queue, now, move |db, row, more| listing::page(db, row, &query, now, more)).await
    }

    async fn locate(&self, queue: &QueueRef, id: MessageId, now: Timestamp) -> Result<Option<Cursor>> {
        self.read_settled(queue, now, move |db, row, _| reads::locate(db, row, id, now)).await
    }

    async fn end(&self, queue: &QueueRef, now: Timestamp) -> Result<(Position, bool)> {
        self.read_settled(queue, now, |_, row, more| Ok((Position(row.last), more))).await
    }

    async fn get(&self, queue: &QueueRef, ids: &[MessageId], now: Timestamp) -> Result<Vec<Message>> {
        let ids = ids.to_vec();
        self.read(queue, move |db, row| reads::get(db, row, &ids, now)).await
    }

    async fn delete(
        &self,
        queue: &QueueRef,
        id: MessageId,
        claim: Option<ClaimId>,
        now: Timestamp,
    ) -> Result<Deletion> {
        self.write(queue, 0, move |open| messages::delete(open, id, claim, now)).await
    }

    async fn delete_many(
        &self,
        queue: &QueueRef,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
        now: Timestamp,
    ) -> Result<std::result::Result<u64, (MessageId, Deletion)>> {
        let (ids, claims) = (ids.to_vec(), claims.map(<[_]>::to_vec));
        self.write(queue, 0, move |open| messages::delete_many(open, &ids, claims.as_deref(), now)).await
    }

    async fn pop(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<Popped> {
        self.write(queue, 0, move |open| messages::pop(open, limit, now)).await
    }

    async fn purge(&self, queue: &QueueRef, now: Timestamp) -> Result<(u64, bool)> {
        self.write(queue, 0, move |open| messages::purge(open, now)).await
    }

    async fn stats(&self, queue: &QueueRef, now: Timestamp) -> Result<Stats> {
        self.read(queue, move |db, row| reads::stats(db, row, now)).await
    }

    async fn sweep(&self, now: Timestamp, budget: usize) -> Result<Swept> {
        self.sweep_steps(now, budget).await
    }

    async fn opened(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<QueueRef>> {
        let after = after.cloned();
        self.look(move |db| reads::opened(db, after.as_ref(), limit)).await
    }

    async fn volume(&self) -> Result<(u64, u64)> {
        self.look(reads::volume).await
    }

    fn capabilities(&self) -> &'static [Capability] {
        use Capability::{Aod, Claims, Durability, Fifo, HighThroughput};
        &[Fifo, Claims, Durability, Aod, HighThroughput]
    }

    async fn identity(&self) -> Result<Uuid> {
        self.look(reads::identity).await
    }

    async fn ping(&self) -> Result<()> {
        self.look(|db| Ok(db.first("SELECT 1 FROM queues", [], |_| Ok(()))?)).await?;
        self.transact(|batch| Ok(lifecycle::touch(batch)?)).await
    }

    async fn watch(&self, queue: &QueueRef, who: Who) -> Result<Bell> {
        Ok(self.wakes.watch(&queue.project, &queue.name, who))
    }

    async fn close(&self) {
        self.stop().await;
    }
}

#[async_trait]
impl Claims for SqliteStore {
    async fn claim(&self, queue: &QueueRef, request: &ClaimRequest, now: Timestamp) -> Result<Claimed> {
        let request = request.clone();
        self.write(queue, 0, move |open| claims::claim(open, &request, now)).await
    }

    async fn claimed(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        now: Timestamp,
    ) -> Result<Option<(Claim, Vec<Message>)>> {
        self.read(queue, move |db, row| reads::claimed(db, row, claim, now)).await
    }

    async fn renew(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        ttl: u64,
        grace: u64,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(queue, 0, move |open| claims::renew(open, claim, ttl, grace, now)).await
    }

    async fn release(&self, queue: &QueueRef, claim: ClaimId, _now: Timestamp) -> Result<()> {
        self.write(queue, 0, move |open| claims::release(open, claim)).await
    }
}

#[async_trait]
impl Subscriptions for SqliteStore {
    async fn subscribe(&self, queue: &QueueRef, subscription: &Subscription, now: Timestamp) -> Result<bool> {
        let new = subscription.clone();
        self.write(queue, 0, move |open| subscriptions::subscribe(open, &new, now)).await
    }

    async fn subscriptions(
        &self,
        queue: &QueueRef,
        after: Option<SubscriptionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Subscription>> {
        self.read(queue, move |db, row| subscriptions::list(db, row, after, limit, now)).await
    }

    async fn subscription(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        self.read(queue, move |db, row| subscriptions::get(db, row, id, now)).await
    }

    async fn subscribed(
        &self,
        queue: &QueueRef,
        subscriber: &str,
        now: Timestamp,
    ) -> Result<Option<SubscriptionId>> {
        let subscriber = subscriber.to_owned();
        self.read(queue, move |db, row| subscriptions::find(db, row, &subscriber, now)).await
    }

    async fn unsubscribe(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        left: bool,
        _now: Timestamp,
    ) -> Result<()> {
        self.write(queue, 0, move |open| subscriptions::unsubscribe(open, id, left)).await
    }

    async fn extend(
        &self,
        queue: &QueueRef,
        ids: &[SubscriptionId],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>> {
        let ids = ids.to_vec();
        self.write(queue, 0, move |open| subscriptions::extend(open, &ids, until, now)).await
    }

    async fn purge_subscriptions(&self, queue: &QueueRef, _now: Timestamp) -> Result<bool> {
        self.write(queue, 0, move |open| subscriptions::purge(open)).await
    }
}

#[async_trait]
impl Transfer for SqliteStore {
    async fn outgoing(&self, queue: &QueueRef, way: Way, limit: usize) -> Result<Outgoing> {
        self.read(queue, move |db, row| transfer::outgoing(db, row, way, limit)).await
    }

    async fn import(&self, queue: &QueueRef, line: Line, parcels: &[Parcel], now: Timestamp) -> Result<()> {
        let bytes = parcels.iter().map(|parcel| parcel.body.len()).sum();
        let parcels = parcels.to_vec();
        self.write(queue, bytes, move |open| hand_over::import(open, line, &parcels, now)).await
    }

    async fn forget(&self, queue: &QueueRef, way: Way, numbers: &[i64]) -> Result<()> {
        let numbers = numbers.to_vec();
        self.write(queue, 0, move |open| transfer::forget(open, way, &numbers)).await
    }

    async fn seal(&self, queue: &QueueRef, _now: Timestamp) -> Result<Ledger> {
        let queue = queue.clone();
        self.transact(move |batch| hand_over::seal(batch, &queue)).await
    }

    async fn adopt(&self, queue: &QueueRef, ledger: &Ledger, _now: Timestamp) -> Result<()> {
        let (queue, ledger) = (queue.clone(), ledger.clone());
        self.transact(move |batch| hand_over::adopt(batch, &queue, &ledger)).await
    }

    async fn send_off(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<SentOff> {
        self.write(queue, 0, move |open| hand_over::send_off(open, limit, now)).await
    }

    async fn unfinished(&self, limit: usize) -> Result<Vec<QueueRef>> {
        self.look(move |db| transfer::unfinished(db, limit)).await
    }
}

impl SqliteStore {
    /// Reads once what is due was moved, as far as one call goes: `work` learns whether more is due.
    async fn read_settled<T, F>(&self, queue: &QueueRef, now: Timestamp, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Db<'_>, &Queue, bool) -> Outcome<T> + Clone + Send + 'static,
    {
        let first = work.clone();
        let settled = self.read(queue, move |db, row| {
            if due::any(db, row, now)? { Ok(None) } else { first(db, row, false).map(Some) }
        });
        if let Some(answer) = settled.await? {
            return Ok(answer);
        }
        let more = self.write(queue, 0, move |open| due::settle(open, now)).await?;
        self.read(queue, move |db, row| work(db, row, more)).await
    }
}
