//! A store whose queues are always on their way: before each call a queue is spread anew over two stores and what is in
//! transit between them.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use uuid::Uuid;
use zaqar::clock::Timestamp;
use zaqar::model::{
    Capability, Claim, ClaimId, Cursor, Message, MessageId, NewMessage, Position, QueueRef, Subscription,
    SubscriptionId,
};
use zaqar::storage::moving::Moving;
use zaqar::storage::{
    ClaimRequest, Claimed, Claims, DataStore, Deletion, Error, Ledger, Line, ListQuery, Messages, Outgoing,
    Page, Parcel, Popped, Result, SentOff, Stats, Subscriptions, Swept, Transfer, Way,
};
use zaqar::wake::{Bell, Who};

/// Queues with more messages are left as they lie, for the sake of time.
const SMALL: u64 = 300;

/// Two stores and queues between them.
pub(super) struct Restless {
    source: Arc<dyn DataStore>,
    target: Arc<dyn DataStore>,
    moving: Moving,
    /// Held over each call, for a queue cannot be spread under another call. Counts the calls.
    turn: Mutex<usize>,
}

impl Restless {
    pub(super) fn new(source: Arc<dyn DataStore>, target: Arc<dyn DataStore>) -> Self {
        let moving = Moving::new(source.clone(), target.clone());
        Self { source, target, moving, turn: Mutex::new(0) }
    }

    /// Brings the queue back to the source and begins its move anew.
    async fn spread(&self, queue: &QueueRef, now: Timestamp, turn: usize) -> Result<()> {
        let size = match self.moving.stats(queue, now).await {
            Err(Error::Gone) => return Ok(()),
            stats => stats.map(|stats| stats.free + stats.claimed)?,
        };
        if size > SMALL {
            return Ok(());
        }
        hand_on(&self.source, &self.target, queue, now).await?;
        let ledger = self.target.seal(queue, now).await?;
        self.source.adopt(queue, &ledger, now).await?;
        hand_on(&self.target, &self.source, queue, now).await?;
        // What has fallen due meanwhile becomes ready as it would have in a queue at rest.
        let query = ListQuery { limit: 1_000_000, ..ListQuery::default() };
        while self.source.list(queue, &query, now).await?.resume.is_some() {}
        let ledger = self.source.seal(queue, now).await?;
        self.target.adopt(queue, &ledger, now).await?;
        let share = |parts: usize| usize::try_from(size).unwrap_or(0) * parts / 7;
        self.source.send_off(&queue.sealed(), share(turn % 8) + turn % 5, now).await?;
        self.moving.deliver(queue, now).await?;
        self.source.send_off(&queue.sealed(), share(turn % 3) + turn % 2, now).await?;
        Ok(())
    }

    /// Carries out a call on a queue that was spread.
    async fn on<T>(
        &self,
        queue: &QueueRef,
        now: Timestamp,
        call: impl AsyncFnOnce(&Moving) -> Result<T>,
    ) -> Result<T> {
        let mut turn = self.turn.lock().await;
        *turn += 1;
        self.spread(queue, now, *turn).await?;
        call(&self.moving).await
    }
}

/// Hands all that is left of a sealed queue on, and drops it.
async fn hand_on(
    from: &Arc<dyn DataStore>,
    to: &Arc<dyn DataStore>,
    queue: &QueueRef,
    now: Timestamp,
) -> Result<()> {
    let moving = Moving::new(from.clone(), to.clone());
    loop {
        let left = match from.send_off(&queue.sealed(), 64, now).await {
            Err(Error::Gone) => return Ok(()),
            sent => sent?.left,
        };
        if moving.deliver(queue, now).await?.messages == 0 && left == 0 {
            return from.drop_queue(&queue.sealed()).await;
        }
    }
}

#[async_trait]
impl Messages for Restless {
    async fn open(&self, queue: &QueueRef, now: Timestamp) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.moving.open(queue, now).await?;
        // What an earlier life left here; the service drops it with that life.
        self.source.drop_queue(queue).await
    }

    async fn drop_queue(&self, queue: &QueueRef) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.moving.drop_queue(queue).await
    }

    /// Without messages that are there: the target alone takes posts, and ids of the service are new.
    async fn post(&self, queue: &QueueRef, messages: Vec<NewMessage>, now: Timestamp) -> Result<()> {
        let post = async |moving: &Moving| {
            let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
            let known: HashSet<_> =
                moving.get(queue, &ids, now).await?.iter().map(|message| message.id).collect();
            let new = messages.into_iter().filter(|message| !known.contains(&message.id)).collect();
            moving.post(queue, new, now).await
        };
        self.on(queue, now, post).await
    }

    async fn list(&self, queue: &QueueRef, query: &ListQuery, now: Timestamp) -> Result<Page> {
        self.on(queue, now, async |moving| moving.list(queue, query, now).await).await
    }

    async fn locate(&self, queue: &QueueRef, id: MessageId, now: Timestamp) -> Result<Option<Cursor>> {
        self.on(queue, now, async |moving| moving.locate(queue, id, now).await).await
    }

    async fn end(&self, queue: &QueueRef, now: Timestamp) -> Result<(Position, bool)> {
        self.on(queue, now, async |moving| moving.end(queue, now).await).await
    }

    async fn get(&self, queue: &QueueRef, ids: &[MessageId], now: Timestamp) -> Result<Vec<Message>> {
        self.on(queue, now, async |moving| moving.get(queue, ids, now).await).await
    }

    async fn delete(
        &self,
        queue: &QueueRef,
        id: MessageId,
        claim: Option<ClaimId>,
        now: Timestamp,
    ) -> Result<Deletion> {
        self.on(queue, now, async |moving| moving.delete(queue, id, claim, now).await).await
    }

    async fn delete_many(
        &self,
        queue: &QueueRef,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
        now: Timestamp,
    ) -> Result<std::result::Result<u64, (MessageId, Deletion)>> {
        self.on(queue, now, async |moving| moving.delete_many(queue, ids, claims, now).await).await
    }

    async fn pop(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<Popped> {
        self.on(queue, now, async |moving| moving.pop(queue, limit, now).await).await
    }

    async fn purge(&self, queue: &QueueRef, now: Timestamp) -> Result<(u64, bool)> {
        self.on(queue, now, async |moving| moving.purge(queue, now).await).await
    }

    async fn stats(&self, queue: &QueueRef, now: Timestamp) -> Result<Stats> {
        self.on(queue, now, async |moving| moving.stats(queue, now).await).await
    }

    /// With nothing in transit, so that the volume is known afterwards.
    async fn sweep(&self, now: Timestamp, budget: usize) -> Result<Swept> {
        let _turn = self.turn.lock().await;
        for queue in self.target.opened(None, usize::MAX).await? {
            self.moving.deliver(&queue, now).await?;
        }
        self.moving.sweep(now, budget).await
    }

    async fn opened(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<QueueRef>> {
        self.moving.opened(after, limit).await
    }

    async fn volume(&self) -> Result<(u64, u64)> {
        self.moving.volume().await
    }

    fn capabilities(&self) -> &'static [Capability] {
        self.moving.capabilities()
    }

    async fn identity(&self) -> Result<Uuid> {
        self.moving.identity().await
    }

    async fn ping(&self) -> Result<()> {
        self.moving.ping().await
    }

    async fn watch(&self, queue: &QueueRef, who: Who) -> Result<Bell> {
        self.moving.watch(queue, who).await
    }

    async fn close(&self) {
        self.moving.close().await;
    }
}

#[async_trait]
impl Claims for Restless {
    /// A claim that lives already is gathered first, for each of its parts would end at a moment of its own.
    async fn claim(&self, queue: &QueueRef, request: &ClaimRequest, now: Timestamp) -> Result<Claimed> {
        let claim = async |moving: &Moving| {
            if moving.claimed(queue, request.id, now).await?.is_some() {
                while self.source.send_off(&queue.sealed(), 64, now).await?.left > 0 {}
                moving.deliver(queue, now).await?;
            }
            moving.claim(queue, request, now).await
        };
        self.on(queue, now, claim).await
    }

    async fn claimed(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        now: Timestamp,
    ) -> Result<Option<(Claim, Vec<Message>)>> {
        self.on(queue, now, async |moving| moving.claimed(queue, claim, now).await).await
    }

    async fn renew(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        ttl: u64,
        grace: u64,
        now: Timestamp,
    ) -> Result<bool> {
        self.on(queue, now, async |moving| moving.renew(queue, claim, ttl, grace, now).await).await
    }

    async fn release(&self, queue: &QueueRef, claim: ClaimId, now: Timestamp) -> Result<()> {
        self.on(queue, now, async |moving| moving.release(queue, claim, now).await).await
    }
}

#[async_trait]
impl Subscriptions for Restless {
    async fn subscribe(&self, queue: &QueueRef, subscription: &Subscription, now: Timestamp) -> Result<bool> {
        self.on(queue, now, async |moving| moving.subscribe(queue, subscription, now).await).await
    }

    async fn subscriptions(
        &self,
        queue: &QueueRef,
        after: Option<SubscriptionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Subscription>> {
        self.on(queue, now, async |moving| moving.subscriptions(queue, after, limit, now).await).await
    }

    async fn subscription(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        self.on(queue, now, async |moving| moving.subscription(queue, id, now).await).await
    }

    async fn subscribed(
        &self,
        queue: &QueueRef,
        subscriber: &str,
        now: Timestamp,
    ) -> Result<Option<SubscriptionId>> {
        self.on(queue, now, async |moving| moving.subscribed(queue, subscriber, now).await).await
    }

    async fn unsubscribe(
        &self,
        queue: &QueueRef,
        id: SubscriptionId,
        left: bool,
        now: Timestamp,
    ) -> Result<()> {
        self.on(queue, now, async |moving| moving.unsubscribe(queue, id, left, now).await).await
    }

    async fn extend(
        &self,
        queue: &QueueRef,
        ids: &[SubscriptionId],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>> {
        self.on(queue, now, async |moving| moving.extend(queue, ids, until, now).await).await
    }

    async fn purge_subscriptions(&self, queue: &QueueRef, now: Timestamp) -> Result<bool> {
        self.on(queue, now, async |moving| moving.purge_subscriptions(queue, now).await).await
    }
}

#[async_trait]
impl Transfer for Restless {
    async fn outgoing(&self, queue: &QueueRef, way: Way, limit: usize) -> Result<Outgoing> {
        self.moving.outgoing(queue, way, limit).await
    }

    async fn import(&self, queue: &QueueRef, line: Line, parcels: &[Parcel], now: Timestamp) -> Result<()> {
        self.moving.import(queue, line, parcels, now).await
    }

    async fn forget(&self, queue: &QueueRef, way: Way, numbers: &[i64]) -> Result<()> {
        self.moving.forget(queue, way, numbers).await
    }

    async fn unfinished(&self, limit: usize) -> Result<Vec<QueueRef>> {
        self.moving.unfinished(limit).await
    }

    async fn seal(&self, queue: &QueueRef, now: Timestamp) -> Result<Ledger> {
        self.moving.seal(queue, now).await
    }

    async fn adopt(&self, queue: &QueueRef, ledger: &Ledger, now: Timestamp) -> Result<()> {
        self.moving.adopt(queue, ledger, now).await
    }

    async fn send_off(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<SentOff> {
        self.moving.send_off(queue, limit, now).await
    }
}
