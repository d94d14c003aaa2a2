//! What the service needs to hand messages from queue to queue and from store to store.

use async_trait::async_trait;
use uuid::Uuid;

use super::Result;
use crate::clock::Timestamp;
use crate::model::{
    ClaimId, ClientId, MessageId, Position, QueueName, QueueRef, Subscription, SubscriptionId,
};

/// Which of a queue's two outgoing lists is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// To other queues of the project: messages that were claimed too often.
    DeadLetters,
    /// To the same queue in another store.
    Pool,
}

/// The identity of a queue's data in one store, made when it was opened. Everything that the queue sends off is
/// numbered along it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line(pub Uuid);

/// Where a message is put in the queue that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// At the end of that queue, of which it is a dead letter: ready, its claim count at zero.
    End(QueueName),
    /// Ready, at this position or, where that is taken, the next free one.
    Ready(Position),
    /// The same, held by this claim, which is made where it does not exist. Where it does, the later end counts.
    Held {
        /// Its position.
        position: Position,
        /// The claim.
        claim: ClaimId,
        /// Seconds that the claim lives.
        ttl: u64,
        /// When the claim ends.
        ends: Timestamp,
    },
    /// Not available before this moment.
    Delayed(Timestamp),
    /// Among the subscriptions, for it is one: its options are the body, as JSON. It is skipped where its subscriber has a
    /// live one.
    Subscriber {
        /// Who is told.
        subscriber: String,
        /// Whether the subscriber agreed.
        confirmed: bool,
    },
}

/// A message, or a subscription, on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its number on its line: above 0, rising in the order in which messages were sent off, never given twice. A store
    /// that may lose its tail at a failover counts by the time, as for positions (decision 2).
    pub number: i64,
    /// Its identity, kept.
    pub id: MessageId,
    /// Where it goes.
    pub landing: Landing,
    /// When it was posted.
    pub created: Timestamp,
    /// Seconds it may live.
    pub ttl: u64,
    /// When it expires.
    pub expires: Timestamp,
    /// Who posted it.
    pub client: ClientId,
    /// How often it was claimed.
    pub claim_count: u32,
    /// MD5 of the plain body.
    pub checksum: Option<[u8; 16]>,
    /// The body as it was stored.
    pub body: bytes::Bytes,
}

impl Parcel {
    /// The subscription, not numbered yet.
    pub fn of(subscription: &Subscription) -> Self {
        Self {
            number: 0,
            id: MessageId(subscription.id.0),
            landing: Landing::Subscriber {
                subscriber: subscription.subscriber.clone(),
                confirmed: subscription.confirmed,
            },
            created: subscription.created,
            ttl: subscription.ttl,
            expires: subscription.expires,
            client: ClientId::from_bytes(b""),
            claim_count: 0,
            checksum: None,
            body: subscription.options_json(),
        }
    }

    /// The subscription that this is, if it is one. Options that are no JSON object are lost.
    pub fn subscription(&self) -> Option<Subscription> {
        let Landing::Subscriber { subscriber, confirmed } = &self.landing else { return None };
        Some(Subscription {
            id: SubscriptionId(self.id.0),
            subscriber: subscriber.clone(),
            ttl: self.ttl,
            options: Subscription::options_of(&self.body).unwrap_or_default(),
            confirmed: *confirmed,
            created: self.created,
            expires: self.expires,
        })
    }
}

/// The first messages of an outgoing list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The line that they are numbered along.
    pub line: Line,
    /// The messages, by number.
    pub parcels: Vec<Parcel>,
}

/// How far a queue has received what came along a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The line.
    pub line: Line,
    /// The greatest number that was imported from it.
    pub number: i64,
    /// When that was.
    pub at: Timestamp,
}

/// What a queue's data must know in another store to go on as if it had always been there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The greatest position handed out.
    pub last: Position,
    /// What it received.
    pub received: Vec<Receipt>,
}

/// What one step of sending off did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentOff {
    /// Messages that were put on the outgoing list.
    pub sent: u64,
    /// Messages and subscriptions that are left.
    pub left: u64,
}

/// Messages handed from one queue to another, or from store to store: exactly once, whoever carries them and however
/// often.
///
/// A carrier reads [`Transfer::outgoing`], imports that at its goal, and then has the source forget it. Any of these
/// may be repeated, by several carriers at once: the goal keeps, for each line, the greatest number it has imported,
/// and skips what is not greater. For that, a carrier always takes all that goes to one goal from the list's head.
#[async_trait]
pub trait Transfer: Send + Sync {
    /// The first messages of an outgoing list, at most `limit`. Redis: `outgoing`.
    async fn outgoing(&self, queue: &QueueRef, way: Way, limit: usize) -> Result<Outgoing>;

    /// Puts messages of that line into the queue, as each one's landing says, those aside whose numbers are not greater
    /// than the greatest imported before. One whose id is in the queue already is skipped, one that has expired too.
    /// Receipts of lines that were silent for [`SILENT`] may be dropped when another line is new. Redis: `import`.
    async fn import(&self, queue: &QueueRef, line: Line, parcels: &[Parcel], now: Timestamp) -> Result<()>;

    /// Takes the messages of these numbers off an outgoing list. Redis: `forget`.
    async fn forget(&self, queue: &QueueRef, way: Way, numbers: &[i64]) -> Result<()>;

    /// Queues with something in their lists of dead letters, at most `limit`: what a mover looks at after a crash.
    /// Redis: found by the sweep's `SCAN`.
    async fn unfinished(&self, limit: usize) -> Result<Vec<QueueRef>>;

    /// Gives the queue's data its sealed epoch, so that calls with the ordinary one find it gone; what the queue must
    /// know elsewhere. `queue` carries the ordinary epoch, also when this is repeated. Redis: `seal`.
    async fn seal(&self, queue: &QueueRef, now: Timestamp) -> Result<Ledger>;

    /// Makes the data of the queue exist, as [`Messages::open`](super::Messages::open) does, and lets it know this.
    /// What it knows already is kept where it is greater. Redis: `adopt`.
    async fn adopt(&self, queue: &QueueRef, ledger: &Ledger, now: Timestamp) -> Result<()>;

    /// Puts subscriptions and messages of a sealed queue on its outgoing list [`Way::Pool`], at most `limit`:
    /// subscriptions by id, delayed messages by (due, id), then ready ones, the newest first, then those that live claims hold, by position. Expired ones are removed
    /// instead, at most [`STEP`](super::STEP) a call. A message of an ended claim is ready. What is left here is older
    /// than what went, so that whoever asks the source first gets the oldest. Redis: `send_off`.
    async fn send_off(&self, queue: &QueueRef, limit: usize, now: Timestamp) -> Result<SentOff>;
}

/// Seconds after which the receipt of a line may be dropped: longer than any carrier could be late.
pub const SILENT: u64 = 86_400;
