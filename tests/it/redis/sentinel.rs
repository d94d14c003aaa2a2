//! Sentinels that put another master in place of a lost one.

use std::time::Duration;

use zaqar::storage::Messages as _;

use super::traffic::{Outcome, Traffic};
use super::{NOW, count, open, post, queue};
use crate::support::redis::{RedisSentinels, Setup};

/// The store serves again within that time after its master is gone: a second until the Sentinels believe it.
const SERVES_AGAIN: Duration = Duration::from_secs(5);

/// Kills the master under load, with these options of the URI.
async fn lose_the_master(options: &str) -> Outcome {
    let mut deployment = RedisSentinels::with(&Setup::default().durable("everysec"), None);
    let traffic = Traffic::start(&format!("{}{options}", deployment.uri()), &[queue("q")]).await;
    traffic.more(500).await;
    deployment.master().kill();
    traffic.more(500).await;
    let outcome = traffic.stop().await;
    outcome.report(&format!("the death of a master under Sentinels, options `{options}`"));
    assert!(outcome.longest < SERVES_AGAIN, "{outcome:?}");
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_master_serves_within_five_seconds() {
    let outcome = lose_the_master("").await;
    assert!(outcome.acknowledged >= 1000, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_replica_confirmed_is_lost() {
    let outcome = lose_the_master("&wait_replicas=1").await;
    assert_eq!(outcome.lost, 0, "{outcome:?}");
}

/// A failover by command: the old master lives on as a replica, and nobody writes to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_put_down_is_left() {
    let mut deployment = RedisSentinels::with(&Setup::default().password("p@ss"), Some("sent:inel"));
    let uri = deployment.uri().replace("redis://", "redis://:p%40ss@") + "&sentinel_password=sent%3Ainel";
    let before = deployment.master().port;
    let traffic = Traffic::start(&uri, &[queue("q")]).await;
    traffic.more(100).await;
    deployment.fail_over(before);
    traffic.more(100).await;
    let outcome = traffic.stop().await;
    assert!(outcome.longest < SERVES_AGAIN, "{outcome:?}");
}

/// A master that hangs is replaced too; when it wakes up it still believes that it is one, and nobody writes to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_hangs_is_left() {
    let mut deployment = RedisSentinels::start();
    let traffic = Traffic::start(&format!("{}&wait_replicas=1", deployment.uri()), &[queue("q")]).await;
    traffic.more(100).await;
    let before = deployment.master().port;
    deployment.master().freeze();
    traffic.more(100).await;
    let old = deployment.servers.iter().find(|server| server.port == before).unwrap();
    old.thaw();
    traffic.more(500).await;
    let outcome = traffic.stop().await;
    outcome.report("a master that hangs under Sentinels, options `&wait_replicas=1`");
    assert!(outcome.longest < SERVES_AGAIN, "{outcome:?}");
    assert_eq!(outcome.lost, 0, "{outcome:?}");
}

#[tokio::test]
async fn sentinels_that_are_gone_do_not_hurt() {
    let mut deployment = RedisSentinels::start();
    let store = open(&deployment.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    for sentinel in &mut deployment.sentinels {
        sentinel.kill();
    }
    for n in 0..20 {
        post(&store, &queue("q"), n).await.unwrap();
    }
    assert_eq!(count(&store, &queue("q")).await, 20);
    let error = open(&deployment.uri()).await.ping().await.expect_err("nobody names a master");
    assert!(matches!(error, zaqar::storage::Error::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_write_that_too_few_replicas_confirm_is_an_error() {
    let mut deployment = RedisSentinels::start();
    let store = open(&format!("{}&wait_replicas=2&wait_timeout=200", deployment.uri())).await;
    store.open(&queue("q"), NOW).await.unwrap();
    post(&store, &queue("q"), 1).await.unwrap();
    let master = deployment.master().port;
    let replica = deployment.servers.iter_mut().find(|server| server.port != master).unwrap();
    replica.kill();
    let error = post(&store, &queue("q"), 2).await.expect_err("one replica is gone");
    let zaqar::storage::Error::Unavailable(cause) = error else { panic!("{error:?}") };
    assert!(cause.to_string().contains("stored but not confirmed"), "{cause}");
}
