//! What is kept: how much it takes, what is left of it, and how it is found again.

use zaqar::clock::Timestamp;
use zaqar::model::{ClaimId, QueueName};
use zaqar::storage::redis::RedisStore;
use zaqar::storage::{
    ClaimRequest, Claims as _, DeadLetters, Deletion, Error, ListQuery, Messages as _, STEP, Transfer as _,
};

use super::invariants::keys_of;
use super::{NOW, count, id, message, open, post, queue};
use crate::support::redis::RedisServer;

fn later(seconds: u64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

fn claim_of(n: u64, limit: usize) -> ClaimRequest {
    let id = ClaimId(uuid::Uuid::from_u64_pair(n, 1));
    ClaimRequest { id, ttl: 60, grace: 0, limit, dead_letters: None }
}

/// A claim that sends off everything that it finds.
fn burial(n: u64) -> ClaimRequest {
    let target = QueueName::parse("dead").expect("a legal name");
    let dead_letters = Some(DeadLetters { max_claims: 0, target, ttl: None });
    ClaimRequest { dead_letters, ..claim_of(n, 1) }
}

fn used_memory(server: &RedisServer) -> usize {
    server.info("used_memory").expect("its memory").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_kilobyte_take_little_more() {
    const COUNT: u64 = 20_000;
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    let before = used_memory(&server);
    for batch in 0..COUNT / 100 {
        let messages = (0..100).map(|n| message(100 * batch + n, 1022)).collect();
        store.post(&queue("q"), messages, NOW).await.unwrap();
    }
    let bodies = usize::try_from(COUNT).unwrap() * 1024;
    let taken = used_memory(&server) - before;
    assert!(taken * 100 <= bodies * 175, "{taken} bytes for {bodies} of bodies");
    assert!(taken >= bodies);
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_queue() {
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    post(&store, &queue("q"), 1).await.unwrap();
    store.claim(&queue("q"), &burial(1), NOW).await.unwrap();
    let messages = (2..9).map(|n| zaqar::model::NewMessage { delay: n % 3, ..message(n, 9) }).collect();
    store.post(&queue("q"), messages, NOW).await.unwrap();
    store.claim(&queue("q"), &claim_of(2, 1), NOW).await.unwrap();
    store.list(&queue("q"), &ListQuery { limit: 9, ..ListQuery::default() }, later(1)).await.unwrap();
    assert!(keys_of(&server).len() > 10, "{:?}", keys_of(&server));
    store.drop_queue(&queue("q")).await.unwrap();
    assert_eq!(keys_of(&server), [""; 0]);
}

#[tokio::test]
async fn what_has_ended_leaves_nothing_behind_once_it_is_swept() {
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    let empty = keys_of(&server);
    for n in 0..600 {
        post(&store, &queue("q"), n).await.unwrap();
    }
    store.claim(&queue("q"), &claim_of(1, 100), NOW).await.unwrap();
    store.claim(&queue("q"), &claim_of(2, 100), later(3590)).await.unwrap();
    assert_eq!(store.delete(&queue("q"), id(3), None, NOW).await.unwrap(), Deletion::Claimed);
    while store.sweep(later(4000), STEP).await.unwrap().more {}
    assert_eq!(keys_of(&server), empty);
    assert_eq!(store.volume().await.unwrap(), (0, 0));
}

#[tokio::test]
async fn a_full_server_refuses_posts_and_can_be_emptied() {
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    for n in 0..10 {
        store.post(&queue("q"), vec![message(n, 1_000)], NOW).await.unwrap();
    }
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = store.post(&queue("q"), vec![message(99, 1_000)], NOW).await.expect_err("it is full");
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert_eq!(count(&store, &queue("q")).await, 10);
    let won = store.claim(&queue("q"), &claim_of(1, 4), NOW).await.unwrap();
    assert_eq!(won.messages.len(), 4);
    let deleted = store.delete(&queue("q"), won.messages[0].id, Some(claim_of(1, 1).id), NOW).await;
    assert_eq!(deleted.unwrap(), Deletion::Deleted);
    assert_eq!(store.pop(&queue("q"), 5, NOW).await.unwrap().messages.len(), 5);
    store.release(&queue("q"), claim_of(1, 1).id, NOW).await.unwrap();
    assert_eq!(store.purge(&queue("q"), NOW).await.unwrap(), (4, false));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    post(&store, &queue("q"), 100).await.unwrap();
}

#[tokio::test]
async fn a_walk_over_all_queues_goes_on_in_the_order_of_names_where_it_was_lost() {
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    let names: Vec<String> = (100..160).map(|n| format!("queue-{n}")).collect();
    for name in &names {
        store.open(&queue(name), NOW).await.unwrap();
    }
    // The first page is in the server's order; whatever it ended with, the rest follows by name.
    let last = store.opened(None, 60).await.unwrap().into_iter().map(|queue| queue.name.to_string()).max();
    assert_eq!(last.as_ref(), names.last());
    for after in [0, 10, 58] {
        let rest = open(&server.uri()).await.opened(Some(&queue(&names[after])), 1_000).await.unwrap();
        let rest: Vec<String> = rest.into_iter().map(|queue| queue.name.to_string()).collect();
        assert_eq!(rest, names[after + 1..]);
    }
}

#[tokio::test]
async fn a_new_process_finds_what_was_left_unfinished() {
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    store.open(&queue("idle"), NOW).await.unwrap();
    post(&store, &queue("q"), 1).await.unwrap();
    post(&store, &queue("idle"), 2).await.unwrap();
    assert_eq!(store.claim(&queue("q"), &burial(1), NOW).await.unwrap().outgoing, 1);
    drop(store);
    let unfinished = async |store: &RedisStore| store.unfinished(10).await.unwrap();
    let new = open(&server.uri()).await;
    assert_eq!(unfinished(&new).await, [queue("q")]);

    // One that has looked already learns of others' by its sweep.
    let other = open(&server.uri()).await;
    post(&other, &queue("idle"), 3).await.unwrap();
    other.claim(&queue("idle"), &burial(2), NOW).await.unwrap();
    while new.sweep(NOW, STEP).await.unwrap().more {}
    let mut found = unfinished(&new).await;
    found.sort_by_key(|queue| queue.name.to_string());
    assert_eq!(found, [queue("idle"), queue("q")]);
}

#[tokio::test]
async fn a_store_has_one_identity_however_it_is_reached() {
    let (server, another) = (RedisServer::start(), RedisServer::start());
    let identity = async |uri: String| open(&uri).await.identity().await.unwrap();
    let first = identity(server.uri()).await;
    assert_eq!(identity(format!("redis://localhost:{}/path", server.port)).await, first);
    assert_eq!(identity(format!("redis:{}", server.socket().display())).await, first);
    assert_ne!(identity(format!("{}?dbid=1", server.uri())).await, first);
    assert_ne!(identity(another.uri()).await, first);
}
