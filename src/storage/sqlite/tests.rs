//! What the suite of all stores cannot see: files, threads, failures and the tables themselves.

mod failures;
mod files;
mod invariants;
mod log;
mod space;
mod upgrade;

use std::path::PathBuf;
use std::sync::mpsc;

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use super::writer::Kind;
use super::{Fault, Options, SqliteStore};
use crate::clock::Timestamp;
use crate::model::{
    ClaimId, ClientId, Epoch, MessageId, Metadata, NewMessage, ProjectId, QueueName, QueueRef, Subscription,
    SubscriptionId,
};
use crate::storage::{ClaimRequest, ListQuery, Messages as _};

/// The moment at which every test begins.
const START: Timestamp = Timestamp::from_micros(1_795_190_691_123_457);

/// A store in a directory of its own, with one queue.
struct Bench {
    store: SqliteStore,
    queue: QueueRef,
    directory: TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let directory = TempDir::new().unwrap();
        let store = SqliteStore::open(&directory.path().join("messages.db"), options).unwrap();
        let queue = queue("q", 1);
        store.open(&queue, START).await.unwrap();
        Self { store, queue, directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("messages.db")
    }

    /// A connection of the test's own.
    fn connection(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    async fn post(&self, messages: Vec<NewMessage>) {
        self.store.post(&self.queue, messages, START).await.unwrap();
    }

    /// The numbers of all messages.
    async fn numbers(&self, now: Timestamp) -> Vec<u128> {
        let query = ListQuery {
            limit: 100_000,
            include_claimed: true,
            include_delayed: true,
            ..ListQuery::default()
        };
        let page = self.store.list(&self.queue, &query, now).await.unwrap();
        assert_eq!(page.resume, None);
        page.messages.iter().map(|message| message.id.0.as_u128()).collect()
    }

    /// Sweeps until nothing is left to do.
    async fn sweep(&self, now: Timestamp) {
        while self.store.sweep(now, 500).await.unwrap().more {}
    }

    /// Holds the writer until the sender is dropped; it is held when this returns.
    async fn hold(&self) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (held, holds) = tokio::sync::oneshot::channel();
        let mut held = Some(held);
        let writer = self.store.writer.clone();
        tokio::task::spawn_local(async move {
            let wait = move |_: &mut super::Batch<'_, '_>| {
                if let Some(held) = held.take() {
                    held.send(()).unwrap();
                }
                Ok::<_, Fault>(released.recv().is_err())
            };
            writer.call(Kind::Caller(0), wait).await
        });
        holds.await.unwrap();
        release
    }
}

fn queue(name: &str, epoch: i64) -> QueueRef {
    let name = QueueName::parse(name).unwrap();
    QueueRef { project: ProjectId::new("p"), name, epoch: Epoch(epoch) }
}

fn id(n: u128) -> MessageId {
    MessageId(Uuid::from_u128(n))
}

/// Message number `n` with a body of `size` bytes, living for an hour.
fn message(n: u128, size: usize) -> NewMessage {
    let client = ClientId::new("client");
    NewMessage { id: id(n), ttl: 3600, delay: 0, client, checksum: None, body: Bytes::from(vec![b'x'; size]) }
}

fn claim(n: u128, limit: usize) -> ClaimRequest {
    ClaimRequest { id: ClaimId(Uuid::from_u128(n)), ttl: 60, grace: 60, limit, dead_letters: None }
}

/// Subscription number `n` of that subscriber, for half a minute from now on.
fn subscription(n: u128, subscriber: u64, now: Timestamp) -> Subscription {
    Subscription {
        id: SubscriptionId(Uuid::from_u128(n)),
        subscriber: subscriber.to_string(),
        ttl: 60,
        options: Metadata::new(),
        confirmed: false,
        created: now,
        expires: now.plus_seconds(30),
    }
}
