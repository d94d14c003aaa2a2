//! The stores under test, and short words for what the tests do with them.

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;
use zaqar::clock::Timestamp;
use zaqar::model::{
    ClaimId, ClientId, Cursor, Epoch, Message, MessageId, Metadata, NewMessage, Position, ProjectId,
    QueueName, QueueRef, Subscription, SubscriptionId,
};
use zaqar::storage::memory::{MemoryManagement, MemoryStore};
use zaqar::storage::redis::{Options as RedisOptions, RedisStore};
use zaqar::storage::sql::{SqlManagement, SqlTables};
use zaqar::storage::sqlite::{Options, SqliteStore};
use zaqar::storage::{ClaimRequest, Claimed, DataStore, Deletion, ListQuery, Page, Popped, Stats};

use crate::redis::invariants;
use crate::support::cloud;
use crate::support::mariadb::MariaDb;
use crate::support::postgres::Postgres;
use crate::support::redis::RedisServer;

/// A store of messages under test, with what it lies in.
pub(crate) struct Store {
    pub(crate) data: Arc<dyn DataStore>,
    home: Home,
}

/// What a store lies in; gone when it is dropped.
enum Home {
    Elsewhere,
    Directory { _dir: TempDir },
    Redis(RedisServer),
}

impl Store {
    /// A store in what somebody else keeps.
    pub(crate) fn elsewhere(data: Arc<dyn DataStore>) -> Self {
        Self { data, home: Home::Elsewhere }
    }
}

impl Drop for Store {
    /// However a test ends that passes, the keys in Redis must fit one another.
    fn drop(&mut self) {
        if let Home::Redis(server) = &self.home
            && !std::thread::panicking()
        {
            invariants::check(server);
        }
    }
}

/// A management store under test, with the directory that it lies in.
pub(crate) struct ManagementStore {
    pub(crate) queues: Arc<dyn zaqar::storage::ManagementStore>,
    _dir: Option<TempDir>,
}

pub(crate) async fn memory() -> Store {
    Store::elsewhere(Arc::new(MemoryStore::new()))
}

pub(crate) async fn sqlite() -> Store {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("messages.db"), Options::default()).unwrap();
    Store { data: Arc::new(store), home: Home::Directory { _dir: dir } }
}

/// One Redis server, with the operations as a function library.
pub(crate) async fn redis() -> Store {
    let server = RedisServer::start();
    let store = RedisStore::open(&cloud::patient(&server.uri()), &RedisOptions::default()).await.unwrap();
    Store { data: Arc::new(store), home: Home::Redis(server) }
}

/// One Redis server, with the operations as scripts.
pub(crate) async fn redis_scripts() -> Store {
    let server = RedisServer::start();
    let store = RedisStore::open_with_scripts(&cloud::patient(&server.uri()), &RedisOptions::default())
        .await
        .unwrap();
    Store { data: Arc::new(store), home: Home::Redis(server) }
}

pub(crate) async fn memory_management() -> ManagementStore {
    ManagementStore { queues: Arc::new(MemoryManagement::new()), _dir: None }
}

pub(crate) async fn sql_management() -> ManagementStore {
    let dir = tempfile::tempdir().unwrap();
    let uri = format!("sqlite:///{}", dir.path().join("zaqar.db").display());
    ManagementStore { queues: Arc::new(SqlManagement::open(&uri).await.unwrap()), _dir: Some(dir) }
}

pub(crate) async fn mariadb_management() -> ManagementStore {
    let uri = MariaDb::shared().await.database().await;
    ManagementStore { queues: Arc::new(upgraded(&uri).await), _dir: None }
}

pub(crate) async fn postgres_management() -> ManagementStore {
    let uri = Postgres::shared().await.database().await;
    ManagementStore { queues: Arc::new(upgraded(&uri).await), _dir: None }
}

/// The store on a server's database, after the upgrade that it needs.
pub(crate) async fn upgraded(uri: &str) -> SqlManagement {
    let tables = SqlTables::open(uri).await.unwrap();
    tables.upgrade(SqlTables::NEWEST).await.unwrap();
    tables.close().await;
    SqlManagement::open(uri).await.unwrap()
}

/// What `every_management` gives its tests: the store as it is.
pub(crate) async fn management(store: ManagementStore) -> ManagementStore {
    store
}

/// The moment at which every test begins: no whole second, no whole millisecond.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_795_190_691_123_457);

/// More calls than any test needs until the store says that there is no more.
pub(crate) const CALLS: usize = 10_000;

/// `seconds` after the start.
pub(crate) fn at(seconds: u64) -> Timestamp {
    START.plus_seconds(seconds)
}

/// The microsecond before `time`.
pub(crate) fn just_before(time: Timestamp) -> Timestamp {
    Timestamp::from_micros(time.micros() - 1)
}

/// The id of message number `n`. Ids do not rise with their numbers, so that no store can use them as an order.
pub(crate) fn id(n: u32) -> MessageId {
    MessageId(Uuid::from_u64_pair(u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15), u64::from(n)))
}

pub(crate) fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<MessageId> {
    numbers.into_iter().map(id).collect()
}

/// The number whose id that is.
pub(crate) fn number(id: MessageId) -> u32 {
    u32::try_from(id.0.as_u64_pair().1).expect("an id that id() made")
}

pub(crate) fn numbers(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(|message| number(message.id)).collect()
}

/// The id of claim number `n`.
pub(crate) fn claim_id(n: u32) -> ClaimId {
    ClaimId(Uuid::from_u64_pair(u64::from(n), u64::MAX))
}

pub(crate) fn subscription_id(n: u32) -> SubscriptionId {
    SubscriptionId(Uuid::from_u128((3 << 64) + u128::from(n)))
}

/// Subscription `n` of that subscriber, made at `START`.
pub(crate) fn subscription(n: u32, subscriber: &str, expires: Timestamp) -> Subscription {
    let options = Metadata::from_iter([("n".to_owned(), n.into())]);
    let (id, subscriber) = (subscription_id(n), subscriber.to_owned());
    Subscription { id, subscriber, ttl: 3_600, options, confirmed: false, created: START, expires }
}

pub(crate) fn client(name: &str) -> ClientId {
    ClientId::new(name)
}

/// Message number `n`: of client `a`, available at once, living for an hour.
pub(crate) fn message(n: u32) -> NewMessage {
    let body = Bytes::from(format!("{{\"n\": {n}}}"));
    NewMessage { id: id(n), ttl: 3600, delay: 0, client: client("a"), checksum: None, body }
}

/// Message number `n`, available after `delay` seconds.
pub(crate) fn delayed(n: u32, delay: u64) -> NewMessage {
    NewMessage { delay, ..message(n) }
}

/// Message number `n`, living for `ttl` seconds.
pub(crate) fn short(n: u32, ttl: u64) -> NewMessage {
    NewMessage { ttl, ..message(n) }
}

/// Message number `n`, posted by that client.
pub(crate) fn from(n: u32, name: &str) -> NewMessage {
    NewMessage { client: client(name), ..message(n) }
}

/// A request for claim number `n` of at most `limit` messages, with `ttl` 60 and `grace` 30.
pub(crate) fn request(n: u32, limit: usize) -> ClaimRequest {
    ClaimRequest { id: claim_id(n), ttl: 60, grace: 30, limit, dead_letters: None }
}

/// A page of 20 from the head, as an ordinary reader asks for it.
pub(crate) fn page() -> ListQuery {
    ListQuery { limit: 20, ..ListQuery::default() }
}

/// A long page with claimed and delayed messages.
pub(crate) fn everything() -> ListQuery {
    ListQuery { limit: 100_000, include_claimed: true, include_delayed: true, ..ListQuery::default() }
}

pub(crate) fn queue_ref(project: &str, name: &str, epoch: i64) -> QueueRef {
    let name = QueueName::parse(name).expect("a legal name");
    QueueRef { project: ProjectId::new(project), name, epoch: Epoch(epoch) }
}

/// A queue of a store under test; its calls panic where the store fails.
#[derive(Clone)]
pub(crate) struct Queue {
    pub(crate) store: Arc<Store>,
    pub(crate) name: QueueRef,
}

impl Queue {
    /// The queue `q` of project `p`, opened in that store.
    pub(crate) async fn open_in(store: Store) -> Self {
        let queue = Self { store: Arc::new(store), name: queue_ref("p", "q", 7) };
        queue.data().open(&queue.name, START).await.unwrap();
        queue
    }

    /// Another queue of the same store, opened.
    pub(crate) async fn other(&self, project: &str, name: &str, epoch: i64) -> Self {
        let queue = Self { store: self.store.clone(), name: queue_ref(project, name, epoch) };
        queue.data().open(&queue.name, START).await.unwrap();
        queue
    }

    /// The queue's data where a move takes it from.
    pub(crate) fn sealed(&self) -> Self {
        Self { store: self.store.clone(), name: self.name.sealed() }
    }

    pub(crate) fn data(&self) -> &dyn DataStore {
        &*self.store.data
    }

    pub(crate) async fn post(&self, messages: impl IntoIterator<Item = NewMessage>, now: Timestamp) {
        self.data().post(&self.name, messages.into_iter().collect(), now).await.unwrap();
    }

    pub(crate) async fn list(&self, query: &ListQuery, now: Timestamp) -> Page {
        self.data().list(&self.name, query, now).await.unwrap()
    }

    /// The messages of a listing, resumed as the service does until the page is full or the queue ends.
    pub(crate) async fn listed(&self, query: &ListQuery, now: Timestamp) -> Vec<Message> {
        let mut found = Vec::new();
        let mut query = query.clone();
        for _ in 0..CALLS {
            let mut page = self.list(&query, now).await;
            query.limit -= page.messages.len();
            found.append(&mut page.messages);
            let Some(cursor) = page.resume.filter(|_| query.limit > 0) else { return found };
            query.after = cursor;
        }
        panic!("the listing does not end: {query:?}");
    }

    /// The numbers of the messages that an ordinary reader sees, all of them.
    pub(crate) async fn ready(&self, now: Timestamp) -> Vec<u32> {
        let query = ListQuery { limit: 100_000, ..page() };
        numbers(&self.listed(&query, now).await)
    }

    /// The numbers of all messages, claimed and delayed ones too.
    pub(crate) async fn all(&self, now: Timestamp) -> Vec<u32> {
        numbers(&self.listed(&everything(), now).await)
    }

    pub(crate) async fn get(&self, numbers: impl IntoIterator<Item = u32>, now: Timestamp) -> Vec<Message> {
        self.data().get(&self.name, &ids(numbers), now).await.unwrap()
    }

    /// Message number `n`, which is there.
    pub(crate) async fn one(&self, n: u32, now: Timestamp) -> Message {
        self.get([n], now).await.pop().expect("the message is there")
    }

    pub(crate) async fn locate(&self, n: u32, now: Timestamp) -> Option<Cursor> {
        self.data().locate(&self.name, id(n), now).await.unwrap()
    }

    /// The last position that was given away, once nothing is due.
    pub(crate) async fn end(&self, now: Timestamp) -> Position {
        for _ in 0..CALLS {
            if let (position, false) = self.data().end(&self.name, now).await.unwrap() {
                return position;
            }
        }
        panic!("due messages do not end");
    }

    pub(crate) async fn claim(&self, request: &ClaimRequest, now: Timestamp) -> Claimed {
        self.data().claim(&self.name, request, now).await.unwrap()
    }

    /// What claim number `n` holds, if it lives.
    pub(crate) async fn held(&self, n: u32, now: Timestamp) -> Option<Vec<u32>> {
        let claim = self.data().claimed(&self.name, claim_id(n), now).await.unwrap();
        claim.map(|(_, messages)| numbers(&messages))
    }

    pub(crate) async fn renew(&self, n: u32, (ttl, grace): (u64, u64), now: Timestamp) -> bool {
        self.data().renew(&self.name, claim_id(n), ttl, grace, now).await.unwrap()
    }

    pub(crate) async fn release(&self, n: u32, now: Timestamp) {
        self.data().release(&self.name, claim_id(n), now).await.unwrap();
    }

    /// Deletes message number `n`, with the claim of that number.
    pub(crate) async fn delete(&self, n: u32, claim: Option<u32>, now: Timestamp) -> Deletion {
        self.data().delete(&self.name, id(n), claim.map(claim_id), now).await.unwrap()
    }

    /// Deletes messages by number, with the claims of those numbers.
    pub(crate) async fn delete_many(
        &self,
        numbers: impl IntoIterator<Item = u32>,
        claims: Option<&[u32]>,
        now: Timestamp,
    ) -> Result<u64, (u32, Deletion)> {
        let claims: Option<Vec<_>> = claims.map(|claims| claims.iter().map(|n| claim_id(*n)).collect());
        let deleted = self.data().delete_many(&self.name, &ids(numbers), claims.as_deref(), now).await;
        deleted.unwrap().map_err(|(id, why)| (number(id), why))
    }

    pub(crate) async fn pop(&self, limit: usize, now: Timestamp) -> Popped {
        self.data().pop(&self.name, limit, now).await.unwrap()
    }

    pub(crate) async fn purge(&self, now: Timestamp) -> (u64, bool) {
        self.data().purge(&self.name, now).await.unwrap()
    }

    pub(crate) async fn stats(&self, now: Timestamp) -> Stats {
        self.data().stats(&self.name, now).await.unwrap()
    }

    /// Free and claimed messages.
    pub(crate) async fn counts(&self, now: Timestamp) -> (u64, u64) {
        let stats = self.stats(now).await;
        (stats.free, stats.claimed)
    }

    /// Sweeps the store until nothing is left to do.
    pub(crate) async fn sweep(&self, now: Timestamp) {
        for _ in 0..CALLS {
            if !self.data().sweep(now, 500).await.unwrap().more {
                return;
            }
        }
        panic!("the sweep does not end");
    }
}
