//! More subscriptions to one queue than one call looks at.

use zaqar::model::Subscription;
use zaqar::storage::STEP;

use super::{Queue, plain, subscription_ids};
use crate::contract::fixture::{START, at, message};

every_store!(a_purge_removes_all_in_steps, extending_goes_on_in_steps, many_ended_ones_hide_nobody);

async fn a_purge_removes_all_in_steps(queue: &Queue) {
    queue.post([message(1)], START).await;
    assert!(!queue.data().purge_subscriptions(&queue.name, START).await.unwrap());
    let many = u32::try_from(STEP + 2).unwrap();
    for n in 0..many {
        assert!(queue.subscribe(&plain(n), START).await);
    }
    assert!(queue.data().purge_subscriptions(&queue.name, START).await.unwrap());
    assert_eq!(queue.subscribed(STEP, START).await, subscription_ids(&[many - 2, many - 1]));
    assert!(!queue.data().purge_subscriptions(&queue.name, START).await.unwrap());
    assert_eq!(queue.subscribed(9, START).await, []);
    assert!(queue.subscribe(&plain(1), START).await, "its subscriber is free");
    assert_eq!(queue.ready(START).await, [1], "messages stay");
}

/// Ten thousand subscriptions to one queue, as many as connections of a node may make.
async fn extending_goes_on_in_steps(queue: &Queue) {
    let many = 10_000;
    for n in 0..many {
        assert!(queue.subscribe(&plain(n), START).await);
    }
    let all: Vec<u32> = (0..many).collect();
    for some in all.chunks(STEP) {
        assert_eq!(queue.extend(some, at(90), at(1)).await, []);
    }
    let found = queue.subscribed(1_000, at(89)).await;
    assert_eq!(found, subscription_ids(&all));
    let mut calls = 1;
    while queue.data().purge_subscriptions(&queue.name, at(89)).await.unwrap() {
        calls += 1;
    }
    assert_eq!(calls, 10_000 / STEP);
}

async fn many_ended_ones_hide_nobody(queue: &Queue) {
    let step = u32::try_from(STEP).unwrap();
    for n in 0..step * 2 + 2 {
        let expires = if n % step == 1 { at(600) } else { at(60) };
        assert!(queue.subscribe(&Subscription { expires, ..plain(n) }, START).await);
    }
    assert_eq!(queue.subscribed(2, at(60)).await, subscription_ids(&[1, step + 1, 2 * step + 1]));
}
