//! A store that tells how long its calls take and which of them fail; the calls themselves are passed on.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Catalogue, Change, ClaimRequest, Claimed, Claims, DataStore, Deletion, Error, FlavorStored, Ledger, Line,
    ListQuery, Management, ManagementStore, Messages, MotionRecord, Outgoing, Page, Parcel, Placement,
    Placing, PoolChange, PoolDeletion, PoolStored, Popped, QueueFilter, QueueRecord, Result, SentOff, Stats,
    Subscriptions, Swept, Transfer, Way, Work,
};
use crate::clock::Timestamp;
use crate::model::{
    Capability, Claim, ClaimId, Cursor, Flavor, Message, MessageId, Metadata, NewMessage, Pool, PoolName,
    Position, ProjectId, QueueName, QueueRef, Subscription, SubscriptionId,
};
use crate::telemetry::{self, Metric};
use crate::wake::{Bell, Who};

/// A store with its calls measured: `storage.call.seconds` and `storage.errors`.
pub struct Timed<S: ?Sized> {
    inner: Arc<S>,
    name: &'static str,
}

impl<S: ?Sized> Timed<S> {
    /// The store, measured under that name.
    pub fn new(inner: Arc<S>, name: &'static str) -> Self {
        Self { inner, name }
    }

    async fn measure<T>(&self, operation: &'static str, call: impl Future<Output = Result<T>>) -> Result<T> {
        let start = Instant::now();
        let answer = call.await;
        telemetry::observe(Metric::StorageCallSeconds, &[self.name, operation], start.elapsed());
        match &answer {
            // A stale epoch is the protocol at work, no failure of the store.
            Ok(_) | Err(Error::Gone) => {}
            Err(error) => telemetry::count(Metric::StorageErrors, &[self.name, operation, kind(error)], 1),
        }
        answer
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Gone => "gone",
        Error::Unavailable(_) => "unavailable",
        Error::Timeout(_) => "timeout",
        Error::Corrupt(_) => "corrupt",
    }
}

/// A trait implemented by measuring each call of the inner store.
macro_rules! timed {
    ($trait:ident for $store:ty $([$close:ident $(, $constant:ident -> $answers:ty)?])? { $(fn $method:ident($($name:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $trait for Timed<$store> {
            $(async fn $method(&self, $($name: $type),*) -> Result<$answer> {
                self.measure(stringify!($method), self.inner.$method($($name),*)).await
            })*
            $(async fn $close(&self) {
                self.inner.$close().await;
            }
            $(fn $constant(&self) -> $answers {
                self.inner.$constant()
            })?)?
        }
    };
}

timed!(Management for dyn ManagementStore [close] {
    fn create_queue(queue: &QueueRef, metadata: &Metadata, pool: Option<&PoolName>) -> (QueueRecord, bool);
    fn queue(project: &ProjectId, name: &QueueName) -> Option<QueueRecord>;
    fn replace_metadata(seen: &QueueRecord, metadata: &Metadata, placing: Option<&Placing>)
        -> Option<QueueRecord>;
    fn while_current(queue: &QueueRef, work: Work<'_>) -> bool;
    fn delete_queue(project: &ProjectId, name: &QueueName) -> Option<QueueRecord>;
    fn queues(project: &ProjectId, filter: &QueueFilter) -> Vec<QueueRecord>;
    fn count_queues(project: &ProjectId) -> u64;
    fn count_all_queues() -> u64;
    fn ping() -> ();
});

timed!(Catalogue for dyn ManagementStore {
    fn put_pool(pool: &Pool) -> PoolStored;
    fn change_pool(name: &PoolName, change: &PoolChange) -> PoolStored;
    fn pool(name: &PoolName) -> Option<Pool>;
    fn pools(after: Option<&PoolName>, limit: usize) -> Vec<Pool>;
    fn pools_of(flavor: &str) -> Vec<Pool>;
    fn delete_pool(name: &PoolName, protect_used: bool) -> PoolDeletion;
    fn put_flavor(flavor: &Flavor, pools: &[PoolName]) -> FlavorStored;
    fn flavor(project: &ProjectId, name: &str) -> Option<Flavor>;
    fn flavors(project: &ProjectId, after: Option<&str>, limit: usize) -> Vec<Flavor>;
    fn delete_flavor(project: &ProjectId, name: &str) -> bool;
    fn place_queue(queue: &QueueRef, pool: &PoolName) -> Option<Placement>;
    fn motions(after: Option<&QueueRef>, limit: usize) -> Vec<MotionRecord>;
    fn take_motion(queue: &QueueRef, before: Timestamp, now: Timestamp) -> bool;
    fn touch_motion(queue: &QueueRef, moved: u64, now: Timestamp) -> ();
    fn seal_motion(queue: &QueueRef) -> bool;
    fn end_motion(queue: &QueueRef) -> bool;
    fn changes(after: i64) -> (Vec<Change>, i64);
    fn forget_changes(before: Timestamp) -> ();
});

timed!(Messages for dyn DataStore [close, capabilities -> &'static [Capability]] {
    fn open(queue: &QueueRef, now: Timestamp) -> ();
    fn drop_queue(queue: &QueueRef) -> ();
    fn post(queue: &QueueRef, messages: Vec<NewMessage>, now: Timestamp) -> ();
    fn list(queue: &QueueRef, query: &ListQuery, now: Timestamp) -> Page;
    fn locate(queue: &QueueRef, id: MessageId, now: Timestamp) -> Option<Cursor>;
    fn end(queue: &QueueRef, now: Timestamp) -> (Position, bool);
    fn get(queue: &QueueRef, ids: &[MessageId], now: Timestamp) -> Vec<Message>;
    fn delete(queue: &QueueRef, id: MessageId, claim: Option<ClaimId>, now: Timestamp) -> Deletion;
    fn delete_many(queue: &QueueRef, ids: &[MessageId], claims: Option<&[ClaimId]>, now: Timestamp)
        -> std::result::Result<u64, (MessageId, Deletion)>;
    fn pop(queue: &QueueRef, limit: usize, now: Timestamp) -> Popped;
    fn purge(queue: &QueueRef, now: Timestamp) -> (u64, bool);
    fn stats(queue: &QueueRef, now: Timestamp) -> Stats;
    fn sweep(now: Timestamp, budget: usize) -> Swept;
    fn opened(after: Option<&QueueRef>, limit: usize) -> Vec<QueueRef>;
    fn volume() -> (u64, u64);
    fn identity() -> Uuid;
    fn ping() -> ();
    fn watch(queue: &QueueRef, who: Who) -> Bell;
});

timed!(Claims for dyn DataStore {
    fn claim(queue: &QueueRef, request: &ClaimRequest, now: Timestamp) -> Claimed;
    fn claimed(queue: &QueueRef, claim: ClaimId, now: Timestamp) -> Option<(Claim, Vec<Message>)>;
    fn renew(queue: &QueueRef, claim: ClaimId, ttl: u64, grace: u64, now: Timestamp) -> bool;
    fn release(queue: &QueueRef, claim: ClaimId, now: Timestamp) -> ();
});

timed!(Subscriptions for dyn DataStore {
    fn subscribe(queue: &QueueRef, subscription: &Subscription, now: Timestamp) -> bool;
    fn subscriptions(queue: &QueueRef, after: Option<SubscriptionId>, limit: usize, now: Timestamp)
        -> Vec<Subscription>;
    fn subscription(queue: &QueueRef, id: SubscriptionId, now: Timestamp) -> Option<Subscription>;
    fn subscribed(queue: &QueueRef, subscriber: &str, now: Timestamp) -> Option<SubscriptionId>;
    fn unsubscribe(queue: &QueueRef, id: SubscriptionId, left: bool, now: Timestamp) -> ();
    fn extend(queue: &QueueRef, ids: &[SubscriptionId], until: Timestamp, now: Timestamp) -> Vec<SubscriptionId>;
    fn purge_subscriptions(queue: &QueueRef, now: Timestamp) -> bool;
});

timed!(Transfer for dyn DataStore {
    fn outgoing(queue: &QueueRef, way: Way, limit: usize) -> Outgoing;
    fn import(queue: &QueueRef, line: Line, parcels: &[Parcel], now: Timestamp) -> ();
    fn forget(queue: &QueueRef, way: Way, numbers: &[i64]) -> ();
    fn unfinished(limit: usize) -> Vec<QueueRef>;
    fn seal(queue: &QueueRef, now: Timestamp) -> Ledger;
    fn adopt(queue: &QueueRef, ledger: &Ledger, now: Timestamp) -> ();
    fn send_off(queue: &QueueRef, limit: usize, now: Timestamp) -> SentOff;
});
