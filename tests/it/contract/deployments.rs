//! The whole suite and the model on deployments of Redis that take long to start: one after the other on the same
//! one, emptied in between.

use std::pin::Pin;
use std::sync::Arc;

use zaqar::storage::redis::{Options, RedisStore};

use super::fixture::{Queue, Store};
use super::*;
use crate::model::redis_model;
use crate::redis::invariants;
use crate::support::cloud;
use crate::support::redis::{RedisCluster, RedisSentinels, RedisServer};

/// A test of the contract.
pub(crate) type Case = for<'a> fn(&'a Queue) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// All files of the suite that are about stores of messages.
const SUITE: &[&[Case]] = &[
    bodies::CASES,
    claims::CASES,
    concurrency::CASES,
    dead_letters::CASES,
    delays::CASES,
    deletion::CASES,
    epochs::CASES,
    expiry::CASES,
    lifecycle::CASES,
    listing::CASES,
    posting::CASES,
    reading::CASES,
    removal::CASES,
    stats::CASES,
    steps::CASES,
    subscriptions::CASES,
    subscriptions::many::CASES,
    tenants::CASES,
    transfer::CASES,
    wakes::CASES,
];

/// Runs the suite and the model on that deployment; `servers` are those that hold the data.
async fn run_on(uri: &str, servers: &[&RedisServer]) {
    // A call may take long on a machine that runs other tests.
    let uri = cloud::patient(uri);
    let open = async || RedisStore::open(&uri, &Options::default()).await.expect("a legal URI");
    for case in SUITE.iter().copied().flatten() {
        let queue = Queue::open_in(Store::elsewhere(Arc::new(open().await))).await;
        case(&queue).await;
        check_and_empty(servers);
    }
    redis_model(Arc::new(open().await)).await;
    check_and_empty(servers);
}

fn check_and_empty(servers: &[&RedisServer]) {
    for server in servers {
        invariants::check(server);
        server.command(&["FLUSHALL"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_under_sentinels_keeps_the_contract() {
    let mut deployment = RedisSentinels::start();
    let uri = deployment.uri();
    run_on(&uri, &[deployment.master()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_cluster_keeps_the_contract() {
    let deployment = RedisCluster::start();
    let servers: Vec<_> = deployment.masters.iter().collect();
    run_on(&deployment.uri(), &servers).await;
}
