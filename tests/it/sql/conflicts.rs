//! Transactions that stand in each other's way: real deadlocks, in which the database makes ours the victim.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use zaqar::clock::Clock;
use zaqar::model::{Metadata, Pool, PoolName};
use zaqar::storage::sql::SqlManagement;
use zaqar::storage::{Catalogue as _, Management as _};

use super::common::{Fresh, Kind, Other, all, create, found, name, names, project};
use crate::contract::fixture::queue_ref;

every_server!(
    a_deadlock_is_survived,
    lives_of_a_queue_follow_one_another,
    many_changes_of_everything_at_once_end_well
);

/// How long the two transactions may take to stand in each other's way.
const PATIENCE: Duration = Duration::from_secs(20);

/// Rows that the other program changes, so that its transaction is dearer to the database than ours.
const FILLING: usize = 100;

/// Waits until another session of the same database waits for a lock.
async fn somebody_waits(kind: Kind, admin: &mut Other) {
    let waiting = match kind {
        Kind::Postgres => {
            "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
        // The table of lock waits is not renewed for who looks often; only a lock keeps a deletion so long.
        _ => {
            "SELECT 'x' FROM information_schema.processlist
             WHERE db = DATABASE() AND info LIKE 'DELETE FROM \"Catalogue\"%' AND time_ms > 200"
        }
    };
    let start = Instant::now();
    while admin.column(waiting).await.is_empty() {
        assert!(start.elapsed() < PATIENCE, "nobody waits for a lock");
    }
}

/// How many deadlocks the server has seen.
async fn deadlocks(kind: Kind, admin: &mut Other) -> u64 {
    let count = match kind {
        Kind::Postgres => "SELECT deadlocks::text FROM pg_stat_database WHERE datname = current_database()",
        _ => {
            "SELECT variable_value FROM information_schema.global_status
              WHERE variable_name = 'INNODB_DEADLOCKS'"
        }
    };
    admin.column(count).await[0].parse().unwrap()
}

async fn a_deadlock_is_survived(fresh: &Fresh) {
    let store = Arc::new(fresh.open().await);
    for n in 0..FILLING {
        create(&store, &format!("filling{n}"), 1, json!({})).await.unwrap();
    }
    let pool = Pool {
        name: PoolName::new("a"),
        uri: "redis://a".into(),
        weight: 1,
        flavor: None,
        options: Metadata::new(),
    };
    store.put_pool(&pool).await.unwrap();
    store.create_queue(&queue_ref("p", "q", 1), &Metadata::new(), Some(&pool.name)).await.unwrap();
    let (mut other, mut admin) = (fresh.other().await, fresh.other().await);
    let before = deadlocks(fresh.kind, &mut admin).await;

    // It changes the place first and the queue then; a deletion goes the other way.
    match fresh.kind {
        // Of two, the one fails that looks for deadlocks first: ours.
        Kind::Postgres => other.run("SET deadlock_timeout = '10s'").await,
        // Nothing is locked but what is changed.
        _ => other.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await,
    }
    other.run(r#"BEGIN; UPDATE "Queues" SET revision = revision + 1 WHERE name LIKE 'filling%'"#).await;
    other.run(r#"UPDATE "Catalogue" SET pool = 'a' WHERE queue = 'q'; DELETE FROM "Catalogue" WHERE queue = 'q'"#).await;
    let deleting = store.clone();
    let mut ours = JoinSet::new();
    ours.spawn(async move { deleting.delete_queue(&project("p"), &name("q")).await });
    somebody_waits(fresh.kind, &mut admin).await;
    other.run(r#"UPDATE "Queues" SET metadata = metadata WHERE name = 'q'"#).await;
    other.run("COMMIT").await;

    let deleted = ours.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(deleted.map(|record| record.queue.name), Some(name("q")));
    assert_eq!(names(&store, "p", &all()).await.len(), FILLING);
    if fresh.kind == Kind::MariaDb {
        assert!(deadlocks(fresh.kind, &mut admin).await > before, "there was none");
    }
}

/// Creates, changes, moves and deletes the same few queues and pools.
async fn bustle(store: &SqlManagement, worker: i64) -> zaqar::storage::Result<()> {
    for round in 0..12 {
        let queue = queue_ref("p", &format!("q{}", round % 3), worker * 100 + round);
        let pool = Pool {
            name: PoolName::new(&format!("pool{}", round % 2)),
            uri: format!("redis://pool{}", round % 2),
            weight: 1,
            flavor: None,
            options: Metadata::new(),
        };
        store.put_pool(&pool).await?;
        let (record, _) = store.create_queue(&queue, &Metadata::new(), None).await?;
        store.place_queue(&record.queue, &pool.name).await?;
        store.replace_metadata(&record, &Metadata::new(), None).await?;
        if round % 4 == worker % 4 {
            store.delete_queue(&record.queue.project, &record.queue.name).await?;
        }
        store.queues(&record.queue.project, &all()).await?;
        store.ping().await?;
    }
    Ok(())
}

async fn many_changes_of_everything_at_once_end_well(fresh: &Fresh) {
    let store = Arc::new(fresh.open().await);
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        let store = store.clone();
        workers.spawn(async move { bustle(&store, worker).await });
    }
    for done in workers.join_all().await {
        done.unwrap();
    }
    create(&store, "q0", 1, json!({})).await.unwrap();
    assert!(found(&store, "q0").await.revision >= 1);
}

/// Whoever created the queue deletes it, so that the order of the list is that of its lives.
async fn lives_of_a_queue_follow_one_another(fresh: &Fresh) {
    let (store, lives) = (Arc::new(fresh.open().await), Arc::new(Mutex::new(Vec::new())));
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let (store, lives, clock) = (store.clone(), lives.clone(), Clock::system());
        workers.spawn(async move {
            for _ in 0..25 {
                let queue = queue_ref("p", "q", clock.now().micros());
                let (record, new) = store.create_queue(&queue, &Metadata::new(), None).await.unwrap();
                if new {
                    lives.lock().unwrap().push(record.queue.epoch);
                    store.delete_queue(&record.queue.project, &record.queue.name).await.unwrap();
                }
            }
        });
    }
    workers.join_all().await;
    let lives = lives.lock().unwrap();
    assert!(lives.len() > 1 && lives.is_sorted_by(|one, next| one < next), "{lives:?}");
}
