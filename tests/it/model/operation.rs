//! What a store is told to do. Messages, claims, subscriptions and subscribers are numbers.

use zaqar::clock::Timestamp;
use zaqar::model::QueueRef;

/// The number of a message, a claim, a subscription or a subscriber.
pub(super) type Number = u32;

/// One call of a store, or a few that belong together, on the queue of that number (in [`Told`]).
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Open,
    Drop,
    Post(Vec<Post>),
    List(List),
    Locate(Number),
    Get(Vec<Number>),
    Delete(Number, Option<Number>),
    DeleteMany(Vec<Number>, Option<Vec<Number>>),
    Pop(usize),
    Purge,
    Stats,
    Claim(Claim),
    Claimed(Number),
    Renew {
        claim: Number,
        ttl: u64,
        grace: u64,
    },
    Release(Number),
    Subscribe {
        subscription: Number,
        subscriber: Number,
        ttl: u64,
    },
    Subscriptions {
        after: Option<Number>,
        limit: usize,
    },
    Subscription(Number),
    Subscribed(Number),
    Unsubscribe(Number),
    /// Those of these that live shall do so for that many seconds.
    Extend(Vec<Number>, u64),
    PurgeSubscriptions,
    Outgoing,
    /// Moves at most so many dead letters to their queue of that epoch, and forgets them or not.
    HandOver {
        limit: usize,
        forget: bool,
        epoch: i64,
    },
    /// Hands the whole queue over to that new one, so many messages at a time, and drops it.
    Move {
        to: QueueRef,
        limit: usize,
    },
    /// Sweeps the store with that budget until it is done, and counts and names what is there.
    Sweep(usize),
}

/// An operation as it is told to a store.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) now: Timestamp,
    /// The number of the queue.
    pub(super) queue: usize,
    /// The epoch that the caller knows of.
    pub(super) epoch: i64,
    pub(super) operation: Operation,
}

/// A message to be posted.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) message: Number,
    pub(super) ttl: u64,
    pub(super) delay: u64,
    pub(super) client: &'static str,
}

/// A page to be listed.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// Behind one of the cursors that earlier calls gave, by a number of which the remainder counts.
    pub(super) after: Option<usize>,
    pub(super) limit: usize,
    pub(super) without: Option<&'static str>,
    pub(super) claimed: bool,
    pub(super) delayed: bool,
}

/// A claim to be made.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) number: Number,
    pub(super) ttl: u64,
    pub(super) grace: u64,
    pub(super) limit: usize,
    /// The greatest count, and the life of dead letters.
    pub(super) dead: Option<(i64, Option<u64>)>,
}
