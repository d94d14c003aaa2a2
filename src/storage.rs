//! What the service needs of a store: object-safe traits, one error, and the one match on a driver's name.
//!
//! * [`Management`]: queues and their metadata; [`Catalogue`]: pools, flavors, and which queue lies where. One value
//!   implements both ([`ManagementStore`]).
//! * [`Messages`], [`Claims`], [`Subscriptions`], [`Transfer`]: the data of queues. One value implements all ([`DataStore`]);
//!   a log store may implement the first and borrow the rest from a companion.
//!
//! # Rules that every driver keeps (one contract suite holds all of them to it)
//!
//! * Each call is atomic: on Redis one Lua function over the keys of one queue (one hash slot), on SQL one
//!   transaction. Rust never reads, thinks and writes back.
//! * `now` is an argument. What expired by `now` is gone for every answer, swept or not. What ends exactly at
//!   `now` has ended, what is due exactly at `now` is due.
//! * Each data call carries the queue's [`Epoch`](crate::model::Epoch). Where it is not the current one, or the
//!   queue's data was never opened, the answer is [`Error::Gone`]; the service reads the metadata again, opens
//!   the data and repeats the call once.
//! * Work that falls due together is moved in bounded steps, at most [`STEP`] messages a call. A call that left
//!   some says so (`more`), and the service repeats it while its page is short. Order is exact once nothing is due.
//! * Calls that read the ready messages or add to their end (`post`, `import`) first move what is due: messages
//!   of ended claims back to their places, then delayed ones to the end, by (due, id). Data under a sealed epoch
//!   ([`Epoch::sealed`](crate::model::Epoch::sealed)) is on its way elsewhere: no delayed message becomes due there.
//! * An acknowledged write is as durable as the store can make it.
//! * Cost does not grow with the depth of the queue.
//!
//! # How a queue lies in a store, and what the methods become on Redis
//!
//! A message lies in exactly one of three indexes of its queue: *ready* (ordered by position), *delayed* (by due
//! time and id) or *claimed* (by position); and in *expiring* (by time). On Redis these are sorted sets beside a
//! packed hash of bodies and a hash of claims, all under the hash tag of the queue; each method below names its
//! function. `FCALL <name> <keys of the queue> epoch now …` answers `GONE` first of all where the epoch is
//! stale.

mod catalogue;
pub mod memory;
pub mod moving;
pub mod pooled;
pub mod redis;
pub mod sql;
pub mod sqlite;
mod subscriptions;
pub mod timed;
mod transfer;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::catalogue::{
    Catalogue, Change, Changed, FlavorStored, Motion, MotionRecord, Placement, Placing, PoolChange,
    PoolDeletion, PoolStored,
};
pub use self::subscriptions::Subscriptions;
pub use self::transfer::{Landing, Ledger, Line, Outgoing, Parcel, Receipt, SILENT, SentOff, Transfer, Way};
use crate::clock::Timestamp;
use crate::model::{
    Capability, Claim, ClaimId, ClientId, Cursor, Message, MessageId, Metadata, NewMessage, PoolName,
    Position, ProjectId, QueueName, QueueRef,
};
use crate::wake::{Bell, Who};

/// The most messages that one store call moves between indexes because their time has come.
pub const STEP: usize = 500;

/// The most positions that one listing call examines.
pub const EXAMINED: usize = 1_000;

/// What a store call can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue is not (or no longer) stored under that epoch.
    #[error("the queue's data is not of that epoch")]
    Gone,
    /// The store cannot be reached or refused to work; nothing was acknowledged.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store did not answer in time; the call may or may not have been carried out.
    #[error("the store did not answer within {0:?}")]
    Timeout(Duration),
    /// The store holds something that this version cannot read.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
}

impl Error {
    /// [`Error::Unavailable`] for that cause.
    pub fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }
}

/// The result of a store call.
pub type Result<T> = std::result::Result<T, Error>;

/// A queue as management storage knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueRecord {
    /// Its tenant, name and epoch.
    pub queue: QueueRef,
    /// Its stored metadata.
    pub metadata: Metadata,
    /// Rises with every change of the metadata; what [`Management::replace_metadata`] compares.
    pub revision: i64,
    /// Where its data lies.
    pub placement: Placement,
}

/// Which queues a listing wants.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    /// Only names after this one, by bytes; any text, not only a legal name.
    pub marker: Option<String>,
    /// Only names that contain this text.
    pub name: Option<String>,
    /// Only queues whose stored metadata has each of these keys with an equal value.
    pub metadata: Vec<(String, serde_json::Value)>,
    /// At most this many.
    pub limit: usize,
}

/// Work that another store does within a call of this one.
pub type Work<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Queues and their metadata. Names and projects compare byte for byte in every database.
#[async_trait]
pub trait Management: Send + Sync {
    /// Creates the queue in that pool (`None`: in no pool, but in the store of the configuration), or finds it: the
    /// record and whether it is new. Nothing of an existing one changes. The epoch of a new one is the given one, or a
    /// later one by as long as the call waited for others: it is later than those of all earlier queues of the name.
    async fn create_queue(
        &self,
        queue: &QueueRef,
        metadata: &Metadata,
        pool: Option<&PoolName>,
    ) -> Result<(QueueRecord, bool)>;

    /// The queue's record.
    async fn queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>>;

    /// Replaces the metadata of a queue if its revision is still `seen.revision` and its epoch the same:
    /// the new record, or `None` where somebody else was faster or the queue is gone. In the same step the queue
    /// gets another place, if `placing` says so and it is not on its way already (then its placement stays).
    async fn replace_metadata(
        &self,
        seen: &QueueRecord,
        metadata: &Metadata,
        placing: Option<&Placing>,
    ) -> Result<Option<QueueRecord>>;

    /// Does the work while the queue is of that epoch, and keeps it from being deleted meanwhile: the work ends before a
    /// deletion begins. `false`, and nothing was done, where it is not of that epoch. The work must make no call of
    /// this store, and end soon: others may wait for it.
    async fn while_current(&self, queue: &QueueRef, work: Work<'_>) -> Result<bool>;

    /// Deletes the queue, its place and its motion: its last record, if there was one.
    async fn delete_queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>>;

    /// The project's queues that fit, by name ascending.
    async fn queues(&self, project: &ProjectId, filter: &QueueFilter) -> Result<Vec<QueueRecord>>;

    /// How many queues the project has.
    async fn count_queues(&self, project: &ProjectId) -> Result<u64>;

    /// How many queues there are in all.
    async fn count_all_queues(&self) -> Result<u64>;

    /// Answers if the store can read and write.
    async fn ping(&self) -> Result<()>;

    /// Ends the store in order; later calls fail.
    async fn close(&self);
}

/// Which messages a listing wants.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only those behind this point. Behind a delayed message whose time has come are the ready ones from
    /// position `due` on: a reader may see that message twice, but skips none.
    pub after: Cursor,
    /// At most this many.
    pub limit: usize,
    /// None of this client's (`echo=false`).
    pub without: Option<ClientId>,
    /// Claimed ones too.
    pub include_claimed: bool,
    /// Those not yet due too, behind the ready ones.
    pub include_delayed: bool,
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// Where to go on when the page is short though the queue has not ended: at most [`EXAMINED`] positions
    /// are examined a call, and at most [`STEP`] due messages moved (while some are left, no delayed ones are
    /// listed). `None` where the page is full or the queue ended.
    pub resume: Option<Cursor>,
    /// When the next message of this queue may become available (a delay or a claim ends), if `messages` is
    /// empty and there is nothing to resume. Too early where that message has expired meanwhile, never too late.
    pub next_due: Option<Timestamp>,
}

/// What became of a message that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It was deleted.
    Deleted,
    /// There is no such message in this queue.
    Missing,
    /// No claim was given, and a live one holds it.
    Claimed,
    /// A claim was given, but none holds the message.
    NotClaimed,
    /// Another live claim holds it, and the given claim is alive in this queue too.
    ClaimedByOther,
    /// A claim holds it, and the given claim does not exist or has expired.
    NoSuchClaim,
}

/// Messages that were removed at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Popped {
    /// The messages, oldest first, unclaimed.
    pub messages: Vec<Message>,
    /// True when due messages were left unmoved, so that another call may find more.
    pub more: bool,
    /// When the next message may become available, if none was there and there is no more.
    pub next_due: Option<Timestamp>,
}

/// The numbers of a queue. Delayed messages count as free; expired ones do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that no live claim holds.
    pub free: u64,
    /// Messages that a live claim holds.
    pub claimed: u64,
    /// Id and creation time of the first message by position (delayed ones come last), claimed or not.
    pub oldest: Option<(MessageId, Timestamp)>,
    /// Id and creation time of the last message by position.
    pub newest: Option<(MessageId, Timestamp)>,
}

/// What one step of the sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Expired messages whose space was freed.
    pub messages: u64,
    /// Expired claims that were removed, their messages ready again.
    pub claims: u64,
    /// True when there is more to do now.
    pub more: bool,
}

/// The messages of a queue.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Makes the data of the queue exist at its epoch. Data of an older epoch is dropped, sealed or not; where a newer
    /// one is there, or the sealed one, [`Error::Gone`]. Idempotent. Redis: `open`, a hash with the epoch and the last position.
    async fn open(&self, queue: &QueueRef, now: Timestamp) -> Result<()>;

    /// Drops all data of the queue of this epoch or an older one, claims, subscriptions and outgoing messages too. Data of a
    /// newer epoch stays, without an error; so does sealed data where the ordinary epoch is named, and the other way
    /// round, so that nobody who comes late drops what has come back meanwhile. Redis: `drop`, which unlinks the keys.
    async fn drop_queue(&self, queue: &QueueRef) -> Result<()>;

    /// Stores all messages or none, in order. Repeating a call does not store an id twice. Redis: `post`.
    async fn post(&self, queue: &QueueRef, messages: Vec<NewMessage>, now: Timestamp) -> Result<()>;

    /// A page of messages. Redis: `list`.
    async fn list(&self, queue: &QueueRef, query: &ListQuery, now: Timestamp) -> Result<Page>;

    /// Where the message of that id stands, if it is in this queue. Redis: `locate`.
    async fn locate(&self, queue: &QueueRef, id: MessageId, now: Timestamp) -> Result<Option<Cursor>>;

    /// The greatest position that was given away in this queue, 0 if none was: whatever becomes available from now on
    /// comes behind it. True where due messages were left unmoved, which come behind it too, so that another call may
    /// find a greater one. Redis: `tail`.
    async fn end(&self, queue: &QueueRef, now: Timestamp) -> Result<(Position, bool)>;

    /// Those of the messages that exist, each once, in the order of `ids`; claimed and delayed ones too.
    /// Redis: `get`.
    async fn get(&self, queue: &QueueRef, ids: &[MessageId], now: Timestamp) -> Result<Vec<Message>>;

    /// Deletes one message, with the claim that the caller says holds it. Redis: `delete`.
    async fn delete(
        &self,
        queue: &QueueRef,
        id: MessageId,
        claim: Option<ClaimId>,
        now: Timestamp,
    ) -> Result<Deletion>;

    /// Deletes those of the messages that exist, whoever holds them. With `claims`, every message that exists
    /// must be held by one of these live claims, and the first that is not makes the call change nothing: that
    /// id and why, as in [`Messages::delete`] (`ClaimedByOther` if any given claim is alive).
    /// Redis: `delete_many`.
    async fn delete_many(
        &self,
        queue: &QueueRef,
        ids: &[MessageId],
        claims: Option<&[ClaimId]>,
        now: Timestamp,
    ) -> Result<std::result::Result<u64, (MessageId, Deletion)>>;

    /// Removes and returns the oldest ready messages, at most `limit`. Neither counts nor dead-letters.
    /// Redis: `pop`.
    async fn pop(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<Popped>;

    /// Removes messages that no live claim holds, delayed ones too, at most [`STEP`] a call: how many, and
    /// whether there are more. Redis: `purge`.
    async fn purge(&self, queue: &QueueRef, now: Timestamp) -> Result<(u64, bool)>;

    /// The numbers of the queue, from index sizes and times. Redis: `stats`.
    async fn stats(&self, queue: &QueueRef, now: Timestamp) -> Result<Stats>;

    /// Frees the space of some of what has expired, anywhere in the store: at most `budget` messages and subscriptions
    /// moved or removed. Redis: `SCAN` for the queues, `sweep` on each.
    async fn sweep(&self, now: Timestamp, budget: usize) -> Result<Swept>;

    /// The queues that have data here, after `after` in an order of the store's own, at most `limit`: what the
    /// reconciler compares with the management store. Redis: `SCAN`.
    async fn opened(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<QueueRef>>;

    /// The numbers of the whole store: free and claimed messages, expired ones perhaps among them.
    async fn volume(&self) -> Result<(u64, u64)>;

    /// What this store can do; the same for all stores of its driver.
    fn capabilities(&self) -> &'static [Capability];

    /// Which store this is, however it is addressed: two pools with one identity are one store (decision 15). Made
    /// with the store and kept in it.
    async fn identity(&self) -> Result<Uuid>;

    /// Answers if the store can read and write.
    async fn ping(&self) -> Result<()>;

    /// A bell of the queue, whatever its epoch. From its answer on, every call after which something may be available,
    /// or [`Page::next_due`] earlier than it was, rings it, on whichever node that call is made; so does one after which
    /// the queue's data may lie elsewhere. A ring may be one too many, never one too few: where some may have been lost,
    /// all bells ring once. Answers, too, where the store cannot be reached. Redis: `SUBSCRIBE`; the functions `PUBLISH`.
    async fn watch(&self, queue: &QueueRef, who: Who) -> Result<Bell>;

    /// Ends the store in order, what was acknowledged on disk; later calls fail.
    async fn close(&self);
}

/// A claim to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Its identity, made by the service. Where a live claim of this id exists, messages are added to it; its ttl
    /// and its end stay as they are and count for the added ones too.
    pub id: ClaimId,
    /// Seconds it lives.
    pub ttl: u64,
    /// Seconds that its messages live longer than itself.
    pub grace: u64,
    /// At most this many messages.
    pub limit: usize,
    /// Set where the queue counts claims and has a dead letter queue.
    pub dead_letters: Option<DeadLetters>,
}

/// What becomes of messages that were claimed too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// A message that was claimed this many times is not handed out again but moved.
    pub max_claims: i64,
    /// The queue of the same project that takes them.
    pub target: QueueName,
    /// Seconds they live there, from the move on; otherwise their life is unchanged.
    pub ttl: Option<u64>,
}

/// What a claim won.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The messages, oldest first. Empty: no claim was made.
    pub messages: Vec<Message>,
    /// How many went to the outgoing list instead.
    pub outgoing: usize,
    /// True when due messages were left unmoved or too many positions examined: another call may find more.
    pub more: bool,
    /// When the next message may become available, if none was there and there is no more.
    pub next_due: Option<Timestamp>,
}

/// Claims on the messages of a queue. A claim whose last message is gone is gone itself.
#[async_trait]
pub trait Claims: Send + Sync {
    /// Claims the oldest ready messages; they are returned as they are then. A message that would expire before
    /// the claim ends gets `ttl + grace` for its ttl and expires `grace` after the claim. With dead letters, each
    /// claim counts, and what is over the count moves to the outgoing list in the same call, while the claim
    /// still fills its page. Redis: `claim`.
    async fn claim(&self, queue: &QueueRef, request: &ClaimRequest, now: Timestamp) -> Result<Claimed>;

    /// The live claim and its messages, oldest first; `None` where it is gone or no message of it is left.
    /// Redis: `claim_get`.
    async fn claimed(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        now: Timestamp,
    ) -> Result<Option<(Claim, Vec<Message>)>>;

    /// Starts the live claim anew with this ttl, from now on, and raises its messages' lives as
    /// [`Claims::claim`] does: whether there was one. Redis: `renew`.
    async fn renew(
        &self,
        queue: &QueueRef,
        claim: ClaimId,
        ttl: u64,
        grace: u64,
        now: Timestamp,
    ) -> Result<bool>;

    /// Ends the claim; its messages are ready at once, in their old places, their raised lives kept.
    /// Redis: `release`.
    async fn release(&self, queue: &QueueRef, claim: ClaimId, now: Timestamp) -> Result<()>;
}

/// Everything that holds queues and what is known of their places.
pub trait ManagementStore: Management + Catalogue {}
impl<T: Management + Catalogue> ManagementStore for T {}

/// Everything that holds the data of queues.
pub trait DataStore: Messages + Claims + Subscriptions + Transfer {}
impl<T: Messages + Claims + Subscriptions + Transfer> DataStore for T {}

/// The stores of a running service.
#[derive(Clone)]
pub struct Stores {
    /// Queues, their metadata and their places.
    pub management: Arc<dyn ManagementStore>,
    /// Messages, claims, subscriptions and what is on its way.
    pub data: Arc<dyn DataStore>,
}
