//! Several carriers move a queue while it is used by producers, workers and readers.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::JoinSet;
use zaqar::model::{Cursor, Position};
use zaqar::storage::moving::Moving;
use zaqar::storage::{Claims as _, DataStore, Deletion, Error, ListQuery, Messages as _};

use crate::contract::fixture::{
    self, START, Store, at, claim_id, delayed, id, message, number, page, queue_ref, request,
};

/// Messages in the queue when its move begins.
const BEFORE: u32 = 1_500;

/// Messages posted while it moves.
const MEANWHILE: u32 = 600;

/// A queue of which every third message is delayed until `at(100)`, half-way between two stores.
async fn set_off(source: &Store, target: &Store) -> Arc<Moving> {
    let queue = queue_ref("p", "q", 7);
    source.data.open(&queue, START).await.unwrap();
    for first in (0..BEFORE).step_by(100) {
        let new = (first..first + 100).map(|n| if n % 3 == 0 { delayed(n, 100) } else { message(n) });
        source.data.post(&queue, new.collect(), START).await.unwrap();
    }
    let ledger = source.data.seal(&queue, START).await.unwrap();
    target.data.adopt(&queue, &ledger, START).await.unwrap();
    Arc::new(Moving::new(source.data.clone(), target.data.clone()))
}

/// A carrier: sends off and delivers until the source is empty.
async fn carry(source: Arc<dyn DataStore>, moving: Arc<Moving>) {
    let queue = queue_ref("p", "q", 7);
    loop {
        let left = match source.send_off(&queue.sealed(), 10, at(1)).await {
            Err(Error::Gone) => 0,
            sent => sent.unwrap().left,
        };
        if moving.deliver(&queue, at(1)).await.unwrap().messages == 0 && left == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Claims until nothing is left that is not delayed, and deletes every other message it got; the others it lets go at
/// last. Which messages it deleted.
async fn work(moving: Arc<Moving>, worker: u32, claims: Arc<AtomicU32>) -> Vec<u32> {
    let queue = queue_ref("p", "q", 7);
    let mut deleted = Vec::new();
    let mut idle = 0;
    while idle < 20 {
        let n = claims.fetch_add(1, Ordering::Relaxed) + worker * 1_000_000;
        let won = moving.claim(&queue, &request(n, 7), at(1)).await.unwrap();
        idle = if won.messages.is_empty() && !won.more { idle + 1 } else { 0 };
        let held: Vec<_> = won.messages.iter().map(|message| message.id).collect();
        assert!(
            held.is_empty() || moving.renew(&queue, claim_id(n), 60, 0, at(1)).await.unwrap(),
            "{n} is lost"
        );
        for id in held {
            assert_eq!(moving.delete(&queue, id, None, at(1)).await.unwrap(), Deletion::Claimed);
            let gone = moving.delete(&queue, id, Some(claim_id(n)), at(1)).await.unwrap();
            assert_eq!(gone, Deletion::Deleted, "{}", number(id));
            deleted.push(number(id));
        }
        tokio::task::yield_now().await;
    }
    deleted
}

/// Reads the queue by markers to its end: what it saw, in order.
async fn read(moving: &Moving, now: zaqar::clock::Timestamp) -> Vec<u32> {
    let queue = queue_ref("p", "q", 7);
    let mut query = ListQuery { limit: 17, include_claimed: true, ..page() };
    let mut seen = Vec::new();
    loop {
        let page = moving.list(&queue, &query, now).await.unwrap();
        let next = page.messages.last().map(|message| message.cursor).or(page.resume);
        seen.extend(page.messages.iter().map(|message| number(message.id)));
        match next.or(page.resume) {
            Some(next) => query.after = next,
            None => return seen,
        }
    }
}

/// Nothing is lost, handed out twice or brought back, by however many carriers.
async fn workers_get_everything_once(source: Store, target: Store) {
    let moving = set_off(&source, &target).await;
    let queue = queue_ref("p", "q", 7);
    let mut carriers = JoinSet::new();
    for _ in 0..2 {
        carriers.spawn(carry(source.data.clone(), moving.clone()));
    }
    let claims = Arc::new(AtomicU32::new(0));
    let mut workers = JoinSet::new();
    for worker in 0..3 {
        workers.spawn(work(moving.clone(), worker, claims.clone()));
    }
    for n in BEFORE..BEFORE + MEANWHILE {
        moving.post(&queue, vec![message(n)], at(1)).await.unwrap();
    }
    let mut times: HashMap<u32, u32> = HashMap::new();
    while let Some(deleted) = workers.join_next().await {
        for n in deleted.unwrap() {
            *times.entry(n).or_default() += 1;
        }
    }
    while let Some(carrier) = carriers.join_next().await {
        carrier.unwrap();
    }
    assert!(times.values().all(|times| *times == 1), "some were handed out twice");
    let mut left = BTreeSet::new();
    loop {
        let popped = moving.pop(&queue, 50, at(100)).await.unwrap();
        left.extend(popped.messages.iter().map(|message| number(message.id)));
        if popped.messages.is_empty() && !popped.more {
            break;
        }
    }
    assert!(left.iter().all(|n| !times.contains_key(n)), "a deleted message came back");
    let all: BTreeSet<u32> = times.into_keys().chain(left).collect();
    assert_eq!(all, (0..BEFORE + MEANWHILE).collect());
    assert_eq!(source.data.stats(&queue.sealed(), at(100)).await.unwrap().free, 0);
}

/// A reader who follows markers sees every message that is there all the time, in its order.
async fn readers_skip_nothing(source: Store, target: Store) {
    let moving = set_off(&source, &target).await;
    let expected: Vec<u32> = (0..BEFORE).filter(|n| n % 3 != 0).collect();
    let mut carrier = JoinSet::new();
    carrier.spawn(carry(source.data.clone(), moving.clone()));
    for _ in 0..3 {
        assert_eq!(read(&moving, at(1)).await, expected);
    }
    carrier.join_next().await.unwrap().unwrap();
    assert_eq!(read(&moving, at(1)).await, expected);
    // What was delayed stands behind all others.
    assert_eq!(read(&moving, at(100)).await[..expected.len()], expected);
    assert_eq!(read(&moving, at(100)).await.len(), BEFORE as usize);
    let place = moving.locate(&queue_ref("p", "q", 7), id(1), at(100)).await.unwrap();
    assert_eq!(place, Some(Cursor::After(Position(START.micros()))), "its position is the old one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_get_everything_once_in_memory() {
    workers_get_everything_once(fixture::memory().await, fixture::memory().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_get_everything_once_from_sqlite_to_redis() {
    workers_get_everything_once(fixture::sqlite().await, fixture::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_get_everything_once_from_redis_to_sqlite() {
    workers_get_everything_once(fixture::redis().await, fixture::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_skip_nothing_in_memory() {
    readers_skip_nothing(fixture::memory().await, fixture::memory().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_skip_nothing_from_sqlite_to_redis() {
    readers_skip_nothing(fixture::sqlite().await, fixture::redis().await).await;
}

/// Claims and pops take the oldest first, wherever it lies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_come_first_on_the_way_too() {
    let (source, target) = (fixture::memory().await, fixture::memory().await);
    let moving = set_off(&source, &target).await;
    let queue = queue_ref("p", "q", 7);
    let mut got = Vec::new();
    while got.len() < 1_000 {
        source.data.send_off(&queue.sealed(), 30, at(1)).await.unwrap();
        let popped = moving.pop(&queue, 20, at(1)).await.unwrap();
        got.extend(popped.messages.iter().map(|message| number(message.id)));
    }
    assert!(got.is_sorted(), "{got:?}");
}
