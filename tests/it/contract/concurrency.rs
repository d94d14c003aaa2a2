//! Many callers at once: each call happens whole, before or after every other.

use std::collections::BTreeMap;

use tokio::task::JoinSet;
use zaqar::storage::ListQuery;

use super::fixture::{Queue, START, at, client, from, id, message, number, numbers, page, request};

every_store!(
    a_reader_who_follows_markers_misses_nothing,
    batches_do_not_mix,
    each_message_goes_to_one_consumer,
    the_same_post_at_once_is_stored_once,
);

const TASKS: u32 = 4;

async fn each_message_goes_to_one_consumer(queue: &Queue) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let posting = queue.clone();
        tasks.spawn(async move {
            for batch in 0..10 {
                posting.post((0..10).map(|n| message(1_000 * task + 10 * batch + n)), START).await;
            }
            Vec::new()
        });
        tasks.spawn(pop_until_nothing_comes(queue.clone()));
        tasks.spawn(claim_until_nothing_comes(queue.clone(), 1_000 * task));
    }
    let mut consumed: Vec<u32> = tasks.join_all().await.concat();
    consumed.extend(queue.ready(START).await);
    consumed.sort_unstable();
    let posted: Vec<u32> = (0..TASKS).flat_map(|task| (0..100).map(move |n| 1_000 * task + n)).collect();
    assert_eq!(consumed, posted, "each exactly once");
    assert_eq!(queue.stats(START).await.claimed, 0);
}

/// Nothing may come for a while because the posters are slow.
const PATIENCE: usize = 30;

async fn pop_until_nothing_comes(queue: Queue) -> Vec<u32> {
    let mut popped = Vec::new();
    let mut idle = 0;
    while idle < PATIENCE {
        let some = numbers(&queue.pop(3, START).await.messages);
        idle = if some.is_empty() { idle + 1 } else { 0 };
        popped.extend(some);
        tokio::task::yield_now().await;
    }
    popped
}

/// Claims, deletes some of what was won and releases the rest.
async fn claim_until_nothing_comes(queue: Queue, first: u32) -> Vec<u32> {
    let mut deleted = Vec::new();
    let mut idle = 0;
    for n in first.. {
        let won = numbers(&queue.claim(&request(n, 4), START).await.messages);
        idle = if won.is_empty() { idle + 1 } else { 0 };
        let done = &won[..won.len().min(3)];
        let result = queue.delete_many(done.iter().copied(), Some(&[n]), START).await;
        assert_eq!(result, Ok(done.len() as u64), "nobody else can take them");
        deleted.extend(done);
        queue.release(n, START).await;
        if idle == PATIENCE {
            break;
        }
    }
    deleted
}

async fn a_reader_who_follows_markers_misses_nothing(queue: &Queue) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let queue = queue.clone();
        tasks.spawn(async move {
            for n in 0..50 {
                queue.post([message(1_000 * task + n)], START).await;
            }
        });
    }
    let mut seen = Vec::new();
    let mut query = ListQuery { limit: 7, ..page() };
    // What was posted before the last look is there at the latest.
    loop {
        let over = tasks.try_join_next().is_none() && tasks.is_empty();
        let found = queue.listed(&query, START).await;
        if over && found.is_empty() {
            break;
        }
        query.after = found.last().map_or(query.after, |message| message.cursor);
        seen.extend(numbers(&found));
        assert!(seen.len() <= 200, "{seen:?}");
        tokio::task::yield_now().await;
    }
    assert_eq!(seen, queue.ready(START).await);
    assert_eq!(seen.len(), 200);
}

async fn batches_do_not_mix(queue: &Queue) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let queue = queue.clone();
        tasks.spawn(async move {
            let name = format!("client {task}");
            for batch in 0..5 {
                let first = 1_000 * task + 20 * batch;
                queue.post((first..first + 20).map(|n| from(n, &name)), at(u64::from(batch))).await;
            }
        });
    }
    tasks.join_all().await;
    let found = queue.ready(at(5)).await;
    assert_eq!(found.len(), 400);
    for batch in found.chunks(20) {
        assert!(batch.is_sorted() && batch[19] == batch[0] + 19, "{batch:?}");
    }
    let mine = ListQuery { without: Some(client("client 0")), limit: 1_000, ..page() };
    assert_eq!(queue.listed(&mine, at(5)).await.len(), 300);
}

async fn the_same_post_at_once_is_stored_once(queue: &Queue) {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let queue = queue.clone();
        tasks.spawn(async move { queue.post((0..50).map(message), START).await });
    }
    tasks.join_all().await;
    let mut times = BTreeMap::new();
    for message in queue.listed(&super::fixture::everything(), START).await {
        *times.entry(number(message.id)).or_insert(0) += 1;
    }
    assert_eq!(times, (0..50).map(|n| (n, 1)).collect());
    assert!(queue.locate(0, START).await < queue.locate(49, START).await);
    assert_eq!(queue.get([0], START).await[0].id, id(0));
}
