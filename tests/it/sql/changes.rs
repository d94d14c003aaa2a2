//! The change table: what other nodes are told, and when.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;
use zaqar::clock::Timestamp;
use zaqar::model::{Metadata, Pool, PoolName, ProjectId, QueueName};
use zaqar::storage::{Catalogue as _, Changed, Management as _, Placing};

use super::common::{Fresh, create, found, name, object, project};

every_database!(
    every_change_is_told,
    nobody_misses_what_ends_late,
    old_rows_are_removed,
    what_comes_from_nothing_is_told,
);

fn queue(name: &str) -> Changed {
    Changed::Queue(ProjectId::new("p"), QueueName::parse(name).expect("a legal name"))
}

fn pool(name: &str) -> Pool {
    let uri = format!("redis://{name}");
    Pool { name: PoolName::new(name), uri, weight: 1, flavor: None, options: Metadata::new() }
}

async fn every_change_is_told(fresh: &Fresh) {
    // Two nodes on one database; one changes, the other is told.
    let (here, there) = (fresh.open().await, fresh.open().await);
    create(&here, "before", 1, json!({})).await.unwrap();
    let (told, mut point) = there.changes(0).await.unwrap();
    assert_eq!(told, []);
    let mut seen = std::collections::HashSet::new();
    let mut news = async || {
        let (changes, next) = there.changes(point).await.unwrap();
        assert!(next >= point);
        point = next;
        // What is told again has its old number.
        let new = changes.into_iter().filter(|change| seen.insert(change.number)).map(|change| change.what);
        new.collect::<Vec<_>>()
    };
    // The first look may tell again what happened just before.
    let first = news().await;
    assert!(first.is_empty() || first == [queue("before")], "{first:?}");
    assert_eq!(news().await, []);
    for (what, expected) in [("a", vec![queue("a")]), ("a", vec![])] {
        create(&here, what, 1, json!({})).await.unwrap();
        assert_eq!(news().await, expected);
    }
    let (a, b) = (pool("a"), pool("b"));
    here.put_pool(&a).await.unwrap();
    here.put_pool(&b).await.unwrap();
    assert_eq!(news().await, [Changed::Pools, Changed::Pools]);
    let seen_here = found(&here, "a").await;
    here.place_queue(&seen_here.queue, &a.name).await.unwrap();
    assert_eq!(news().await, [queue("a")]);
    here.place_queue(&seen_here.queue, &a.name).await.unwrap();
    assert_eq!(news().await, []);
    let to = Placing::Move(b.name.clone());
    here.replace_metadata(&seen_here, &object(json!({"n": 1})), Some(&to)).await.unwrap().unwrap();
    assert_eq!(news().await, [queue("a")]);
    here.replace_metadata(&seen_here, &object(json!({"n": 2})), None).await.unwrap();
    assert_eq!(news().await, [], "nothing was changed");
    assert!(here.seal_motion(&seen_here.queue).await.unwrap());
    assert_eq!(news().await, [queue("a")]);
    assert!(here.end_motion(&seen_here.queue).await.unwrap());
    assert_eq!(news().await, [queue("a")]);
    here.delete_queue(&project("p"), &name("a")).await.unwrap().unwrap();
    assert_eq!(news().await, [queue("a")]);
    here.delete_pool(&b.name, true).await.unwrap();
    assert_eq!(news().await, [Changed::Pools]);
}

async fn what_comes_from_nothing_is_told(fresh: &Fresh) {
    let store = fresh.open().await;
    let (_, point) = store.changes(0).await.unwrap();
    create(&store, "first", 1, json!({})).await.unwrap();
    let (told, next) = store.changes(point).await.unwrap();
    assert_eq!(told.into_iter().map(|change| change.what).collect::<Vec<_>>(), [queue("first")]);
    assert!(next > point);
}

async fn nobody_misses_what_ends_late(fresh: &Fresh) {
    let store = Arc::new(fresh.open().await);
    let mut point = store.changes(0).await.unwrap().1;
    let mut creators = JoinSet::new();
    for n in 0..200_i64 {
        let store = store.clone();
        creators.spawn(async move { create(&store, &format!("q{n}"), n, json!({})).await.unwrap() });
    }
    // Asks all the time, while numbers are given and come to light in another order.
    let mut told = std::collections::HashSet::new();
    let mut look = async || {
        let (changes, next) = store.changes(point).await.unwrap();
        point = next;
        told.extend(changes.into_iter().map(|change| change.what));
        told.len()
    };
    while !creators.is_empty() {
        look().await;
        creators.join_next().await.unwrap().unwrap();
    }
    assert_eq!(look().await, 200);
}

async fn old_rows_are_removed(fresh: &Fresh) {
    let store = fresh.open().await;
    for n in 0..5 {
        create(&store, &format!("q{n}"), 1, json!({})).await.unwrap();
    }
    let mut other = fresh.other().await;
    let many = format!("('queue', 'p', 'old', 5){}", ", ('queue', 'p', 'old', 5)".repeat(2_499));
    other.run(&format!("INSERT INTO zaqar_changes (kind, project, name, at) VALUES {many}")).await;
    store.forget_changes(Timestamp::from_micros(6)).await.unwrap();
    let left = other.column("SELECT name FROM zaqar_changes ORDER BY id").await;
    assert_eq!(left, ["q0", "q1", "q2", "q3", "q4"]);
}
