//! What the service needs to know of pools, flavors, and which queue lies in which pool.

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;
use crate::model::{Flavor, Metadata, Pool, PoolName, ProjectId, QueueName, QueueRef};

/// Where the data of a queue lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The pool that takes its posts; `None`: no pool, but the store of the configuration.
    pub pool: Option<PoolName>,
    /// Set while its data is being moved.
    pub motion: Option<Motion>,
}

/// A queue's way from one pool to another (decision 16).
///
/// Until it is sealed, the placement's pool is still the source and nothing differs from a queue at rest. Then it is
/// the target, and the source is drained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Motion {
    /// Where it comes from; `None`: the store of the configuration.
    pub source: Option<PoolName>,
    /// Where it goes.
    pub target: PoolName,
    /// Whether the data at the source takes no more posts.
    pub sealed: bool,
}

/// Another place for a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placing {
    /// It is said to lie in this pool from now on: its data is there already, or there is none.
    At(PoolName),
    /// Its data is to be moved into this pool; a motion begins, not sealed yet.
    Move(PoolName),
}

/// A motion as an administrator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MotionRecord {
    /// The queue on its way.
    pub queue: QueueRef,
    /// From where to where.
    pub motion: Motion,
    /// Messages that were moved so far.
    pub moved: u64,
    /// When it began.
    pub started: Timestamp,
    /// When somebody last worked on it.
    pub touched: Timestamp,
}

/// What changes of a pool; `None` keeps what is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolChange {
    /// Its weight.
    pub weight: Option<u32>,
    /// Its URI.
    pub uri: Option<String>,
    /// Its flavor; the inner `None` detaches it.
    pub flavor: Option<Option<String>>,
    /// Its options, all of them.
    pub options: Option<Metadata>,
}

/// What became of a pool that was to be stored.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolStored {
    /// It is stored so.
    Done(Pool),
    /// Another pool has that URI.
    UriTaken,
    /// There is no such pool to change.
    Missing,
}

/// What became of a pool that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolDeletion {
    /// It is deleted; queues that lay in it lie nowhere.
    Deleted,
    /// There is none.
    Missing,
    /// Nothing was deleted: it is the only pool of this flavor.
    OnlyPoolOf(String),
    /// Nothing was deleted: queues lie in it, and it was to be protected.
    HoldsQueues,
    /// Nothing was deleted: a queue is on its way into it or out of it.
    InMotion,
}

/// What became of a flavor that was to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlavorStored {
    /// It is stored, its pools serve it, and no others do.
    Done,
    /// Nothing was stored: there is no such pool.
    NoSuchPool(PoolName),
    /// Nothing was stored: the name belongs to another project (storage-and-operations.md 6).
    NameTaken,
}

/// Something that changed in the management store, perhaps by another node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// Its number, rising in time but not without gaps; unique.
    pub number: i64,
    /// What changed.
    pub what: Changed,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Changed {
    /// The metadata, the place or the existence of this queue.
    Queue(ProjectId, QueueName),
    /// Pools or flavors.
    Pools,
}

/// Pools, flavors, and which queue lies where. Names compare byte for byte.
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// Stores the pool, over one of the same name if there is one.
    async fn put_pool(&self, pool: &Pool) -> Result<PoolStored>;

    /// Changes some of a pool.
    async fn change_pool(&self, name: &PoolName, change: &PoolChange) -> Result<PoolStored>;

    /// The pool of that name.
    async fn pool(&self, name: &PoolName) -> Result<Option<Pool>>;

    /// Pools by name ascending, after `after`, at most `limit`.
    async fn pools(&self, after: Option<&PoolName>, limit: usize) -> Result<Vec<Pool>>;

    /// The pools that serve a flavor, by name ascending.
    async fn pools_of(&self, flavor: &str) -> Result<Vec<Pool>>;

    /// Deletes a pool and the places of the queues in it, unless something forbids it; with `protect_used`, queues in
    /// it do.
    async fn delete_pool(&self, name: &PoolName, protect_used: bool) -> Result<PoolDeletion>;

    /// Stores the flavor, over one of the same name and project if there is one. These pools serve it from then on,
    /// and no others.
    async fn put_flavor(&self, flavor: &Flavor, pools: &[PoolName]) -> Result<FlavorStored>;

    /// The flavor of that name.
    async fn flavor(&self, project: &ProjectId, name: &str) -> Result<Option<Flavor>>;

    /// Flavors of a project by name ascending, after `after`, at most `limit`.
    async fn flavors(&self, project: &ProjectId, after: Option<&str>, limit: usize) -> Result<Vec<Flavor>>;

    /// Deletes a flavor; its pools serve none: whether there was one.
    async fn delete_flavor(&self, project: &ProjectId, name: &str) -> Result<bool>;

    /// Gives a queue of that epoch a place, if it has none: where it lies then; `None` where the queue is gone.
    async fn place_queue(&self, queue: &QueueRef, pool: &PoolName) -> Result<Option<Placement>>;

    /// Queues on their way, by project and name, after that queue, at most `limit`.
    async fn motions(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<MotionRecord>>;

    /// Claims the work on a motion that nobody touched since `before`: whether it is the caller's now.
    async fn take_motion(&self, queue: &QueueRef, before: Timestamp, now: Timestamp) -> Result<bool>;

    /// Notes that `moved` more messages were moved, and that somebody works on it.
    async fn touch_motion(&self, queue: &QueueRef, moved: u64, now: Timestamp) -> Result<()>;

    /// Marks the motion as sealed and the target as the queue's place, in one step; idempotent. False where there is
    /// no such motion.
    async fn seal_motion(&self, queue: &QueueRef) -> Result<bool>;

    /// Ends a sealed motion: whether there was one.
    async fn end_motion(&self, queue: &QueueRef) -> Result<bool>;

    /// What changed since the point `after`, a value that an earlier call returned or 0 for now, and the point to ask
    /// from next. A change may be told several times, with the same number; none is left out for longer than it
    /// takes its transaction to end.
    async fn changes(&self, after: i64) -> Result<(Vec<Change>, i64)>;

    /// Removes what is kept for [`Catalogue::changes`] from before that time.
    async fn forget_changes(&self, before: Timestamp) -> Result<()>;
}
