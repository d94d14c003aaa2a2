//! A Cluster whose masters die and whose slots move.

use std::time::Duration;

use zaqar::model::QueueRef;
use zaqar::storage::Messages as _;

use super::traffic::{Outcome, Traffic};
use super::{NOW, count, open, post, queue};
use crate::support::redis::{RedisCluster, Setup};

/// The store serves again within that time after a master is gone: a second until the others believe it.
const SERVES_AGAIN: Duration = Duration::from_secs(5);

/// Enough queues that each of three masters has some.
fn queues() -> Vec<QueueRef> {
    (0..12).map(|n| queue(&format!("q{n}"))).collect()
}

/// Kills a master under load, with so many replicas of each and these options of the URI.
async fn lose_a_master(replicas: usize, options: &str) -> Outcome {
    let mut cluster = RedisCluster::with(3, replicas, &Setup::default().durable("everysec"));
    // Two candidates could split the votes, and Redis would wait four seconds for the next election.
    for (_, replica) in cluster.replicas.iter().enumerate().filter(|(index, _)| index % replicas != 0) {
        replica.command(&["CONFIG", "SET", "cluster-replica-no-failover", "yes"]);
    }
    let traffic = Traffic::start(&format!("{}{options}", cluster.uri()), &queues()).await;
    traffic.more(100).await;
    cluster.masters[1].kill();
    traffic.more(100).await;
    let outcome = traffic.stop().await;
    outcome.report(&format!("the death of a Cluster's master, options `{options}`"));
    assert!(outcome.longest < SERVES_AGAIN, "{outcome:?}");
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replica_of_a_dead_master_serves_within_five_seconds() {
    let outcome = lose_a_master(1, "").await;
    assert!(outcome.acknowledged >= 2400, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_replica_confirmed_is_lost() {
    // One takes over, the other one confirms.
    let outcome = lose_a_master(2, "&wait_replicas=1").await;
    assert_eq!(outcome.lost, 0, "{outcome:?}");
}

#[tokio::test]
async fn queues_lie_on_all_masters_and_one_node_is_enough_to_find_them() {
    let cluster = RedisCluster::start();
    let store = open(&format!("{}?cluster=true", cluster.masters[2].uri())).await;
    for queue in queues() {
        store.open(&queue, NOW).await.unwrap();
        post(&store, &queue, 1).await.unwrap();
        assert_eq!(count(&store, &queue).await, 1);
    }
    for master in &cluster.masters {
        assert_ne!(master.command(&["DBSIZE"]), redis::Value::Int(0), "a master without a queue");
    }
}

/// Slots move from one master to another while their queues are used: callers wait, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_may_move_under_load() {
    let cluster = RedisCluster::start();
    let traffic = Traffic::start(&cluster.uri(), &queues()).await;
    traffic.more(20).await;
    let moved = tokio::task::block_in_place(|| cluster.drain(0, 1));
    assert!(!moved.is_empty(), "no queue lay on the first master");
    traffic.more(20).await;
    let outcome = traffic.stop().await;
    assert_eq!((outcome.lost, outcome.failed), (0, 0), "{outcome:?}");
    assert!(outcome.longest < SERVES_AGAIN, "{outcome:?}");
}
