//! Bells: whatever makes something available rings them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;
use zaqar::model::Epoch;
use zaqar::storage::{Landing, Line, Parcel};
use zaqar::wake::{Bell, Who};

use super::fixture::{
    Queue, START, at, client, delayed, id, message, request, subscription, subscription_id,
};

every_store!(
    a_bell_hears_all_lives_of_its_queue_and_no_other_queue,
    as_many_consumers_are_called_as_messages_came,
    every_message_reaches_somebody_who_waits,
    keepers_hear_who_ends_subscriptions,
    whatever_makes_something_available_rings,
);

/// How long a ring may take to arrive on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn watch(queue: &Queue, who: Who) -> Bell {
    queue.data().watch(&queue.name, who).await.unwrap()
}

async fn heard(bell: &mut Bell, what: &str) {
    timeout(PATIENCE, bell.rung()).await.unwrap_or_else(|_| panic!("{what} rings"));
}

/// Whether the bell was rung by now.
async fn is_rung(bell: &mut Bell) -> bool {
    timeout(Duration::ZERO, bell.rung()).await.is_ok()
}

async fn whatever_makes_something_available_rings(queue: &Queue) {
    let mut bell = watch(queue, Who::Reader).await;
    queue.post([message(1)], START).await;
    heard(&mut bell, "a post").await;
    queue.post([message(2), message(3), delayed(4, 9)], START).await;
    heard(&mut bell, "a post of several").await;
    queue.post([delayed(5, 9)], START).await;
    heard(&mut bell, "a delayed message").await;
    queue.claim(&request(1, 2), START).await;
    assert!(queue.renew(1, (300, 60), at(1)).await);
    assert!(queue.renew(1, (100, 60), at(2)).await);
    heard(&mut bell, "a claim that ends earlier").await;
    queue.release(1, at(3)).await;
    heard(&mut bell, "a released claim").await;
    queue.data().import(&queue.name, Line(Uuid::from_u128(1)), &[parcel()], at(4)).await.unwrap();
    heard(&mut bell, "an import").await;
    queue.data().seal(&queue.name, at(5)).await.unwrap();
    heard(&mut bell, "the beginning of a move").await;
    assert!(!is_rung(&mut bell).await, "each rings once");
    queue.data().drop_queue(&queue.name.sealed()).await.unwrap();
    heard(&mut bell, "the end of the queue").await;
}

async fn keepers_hear_who_ends_subscriptions(queue: &Queue) {
    let (mut keeper, mut reader) = (watch(queue, Who::Keeper).await, watch(queue, Who::Reader).await);
    for n in 1..=3 {
        let one = subscription(n, &format!("websocket:{n}"), at(60));
        queue.data().subscribe(&queue.name, &one, START).await.unwrap();
    }
    queue.data().unsubscribe(&queue.name, subscription_id(1), true, START).await.unwrap();
    queue.post([message(1)], START).await;
    heard(&mut reader, "a post").await;
    assert!(!is_rung(&mut keeper).await, "of what costs it nothing");
    queue.data().unsubscribe(&queue.name, subscription_id(2), false, START).await.unwrap();
    heard(&mut keeper, "a deletion").await;
    queue.data().purge_subscriptions(&queue.name, START).await.unwrap();
    heard(&mut keeper, "a purge").await;
    assert!(!is_rung(&mut reader).await, "there is nothing to read");
    queue.data().drop_queue(&queue.name).await.unwrap();
    heard(&mut keeper, "the end of the queue").await;
}

fn parcel() -> Parcel {
    Parcel {
        number: 1,
        id: id(6),
        landing: Landing::End(super::fixture::queue_ref("p", "q", 1).name),
        created: START,
        ttl: 3_600,
        expires: at(3_600),
        client: client("a"),
        claim_count: 0,
        checksum: None,
        body: "1".into(),
    }
}

async fn a_bell_hears_all_lives_of_its_queue_and_no_other_queue(queue: &Queue) {
    let (mut bell, other) = (watch(queue, Who::Reader).await, queue.other("p", "r", 1).await);
    let mut others = watch(&other, Who::Reader).await;
    other.post([message(1)], START).await;
    heard(&mut others, "a post").await;
    assert!(!is_rung(&mut bell).await);
    queue.data().drop_queue(&queue.name).await.unwrap();
    heard(&mut bell, "the end of the queue").await;
    let next = queue.other("p", "q", Epoch(queue.name.epoch.0 + 1).0).await;
    next.post([message(1)], START).await;
    heard(&mut bell, "a post to the next life").await;
    assert!(!is_rung(&mut others).await);
}

async fn as_many_consumers_are_called_as_messages_came(queue: &Queue) {
    let mut line = Vec::new();
    for _ in 0..4 {
        line.push(watch(queue, Who::Consumer).await);
    }
    queue.post([message(1), message(2), delayed(3, 9)], START).await;
    heard(&mut line[0], "a post of two").await;
    heard(&mut line[1], "a post of two").await;
    queue.post([delayed(4, 5)], START).await;
    heard(&mut line[2], "a message that is due earlier").await;
    assert!(!is_rung(&mut line[3]).await);
    line[0].served(true);
    assert!(is_rung(&mut line[3]).await, "who found something calls the next");
}

/// Posters in any order, and consumers who look only when they are called.
async fn every_message_reaches_somebody_who_waits(queue: &Queue) {
    const POSTERS: u32 = 3;
    const POSTS: u32 = 30;
    let taken = Arc::new(AtomicUsize::new(0));
    let mut consumers = JoinSet::new();
    for n in 0..4 {
        let (queue, taken) = (queue.clone(), taken.clone());
        // The first sees no call as one too many: it takes more than one at a time.
        consumers.spawn(async move { consume(&queue, 1 + n % 2, &taken).await });
    }
    let mut posters = JoinSet::new();
    for poster in 0..POSTERS {
        let queue = queue.clone();
        posters.spawn(async move {
            for n in 0..POSTS {
                queue.post((0..=n % 3).map(|m| message(1_000 * poster + 10 * n + m)), START).await;
            }
        });
    }
    posters.join_all().await;
    let posted = (POSTERS * (0..POSTS).map(|n| n % 3 + 1).sum::<u32>()) as usize;
    let all_taken = async {
        while taken.load(Ordering::SeqCst) < posted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = timeout(PATIENCE, all_taken).await;
    assert!(in_time.is_ok(), "{} of {posted} were taken", taken.load(Ordering::SeqCst));
    consumers.shutdown().await;
}

/// Waits, as the service does: a bell, a look, and another one whenever it is called; with what it found it begins anew.
async fn consume(queue: &Queue, limit: usize, taken: &AtomicUsize) {
    loop {
        let mut bell = watch(queue, Who::Consumer).await;
        loop {
            let found = queue.pop(limit, START).await.messages.len();
            taken.fetch_add(found, Ordering::SeqCst);
            bell.served(found > 0);
            if found > 0 {
                break;
            }
            bell.rung().await;
        }
    }
}
