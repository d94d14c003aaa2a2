//! Redis as a store of messages: what it keeps and how much that takes. Redis as it is reached and as it fails: servers
//! that hang, die, come back or are replaced; connections that are slow or cut.

mod cluster;
pub(crate) mod invariants;
mod keeping;
mod library;
mod outage;
mod reach;
mod sentinel;
mod slow;
mod traffic;
mod twice;
mod wakes;
mod warnings;

use std::time::Duration;

use uuid::Uuid;
use zaqar::clock::Timestamp;
use zaqar::model::{ClientId, Epoch, MessageId, NewMessage, ProjectId, QueueName, QueueRef};
use zaqar::storage::redis::{Options, RedisStore};
use zaqar::storage::{ListQuery, Messages as _, Result};

/// The deadline of a call where the URI sets none.
const DEADLINE: Duration = Duration::from_secs(2);

/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_secs(2);

/// The moment of every call.
const NOW: Timestamp = Timestamp::from_micros(1_795_190_691_123_457);

async fn open(uri: &str) -> RedisStore {
    RedisStore::open(uri, &Options::default()).await.expect("a legal URI")
}

fn queue(name: &str) -> QueueRef {
    let name = QueueName::parse(name).expect("a legal name");
    QueueRef { project: ProjectId::new("p"), name, epoch: Epoch(7) }
}

/// The id of message number `n`.
fn id(n: u64) -> MessageId {
    MessageId(Uuid::from_u64_pair(n.wrapping_mul(0x9e37_79b9_7f4a_7c15), n))
}

fn message(n: u64, bytes: usize) -> NewMessage {
    let body = format!("\"{}\"", "x".repeat(bytes)).into();
    NewMessage { id: id(n), ttl: 3600, delay: 0, client: ClientId::new("a"), checksum: None, body }
}

async fn post(store: &RedisStore, queue: &QueueRef, n: u64) -> Result<()> {
    store.post(queue, vec![message(n, 16)], NOW).await
}

/// How many messages the queue has.
async fn count(store: &RedisStore, queue: &QueueRef) -> u64 {
    store.stats(queue, NOW).await.expect("its numbers").free
}

/// The ids of all messages of the queue.
async fn ids(store: &RedisStore, queue: &QueueRef) -> Vec<MessageId> {
    let mut query = ListQuery { limit: 1000, ..ListQuery::default() };
    let mut found = Vec::new();
    loop {
        let page = store.list(queue, &query, NOW).await.expect("a page");
        let last = page.messages.last().map(|message| message.cursor);
        found.extend(page.messages.into_iter().map(|message| message.id));
        match page.resume.or(last) {
            Some(cursor) => query.after = cursor,
            None => return found,
        }
    }
}
