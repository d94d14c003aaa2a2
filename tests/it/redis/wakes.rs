//! Bells while servers come and go: none is rung too seldom.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use zaqar::storage::Messages as _;
use zaqar::storage::redis::RedisStore;
use zaqar::wake::{Bell, Who};

use super::traffic::Traffic;
use super::{DEADLINE, NOW, SLACK, open, post, queue};
use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::{RedisCluster, RedisSentinels, RedisServer, wait_until};

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

async fn watch(store: &RedisStore) -> Bell {
    store.watch(&queue("q"), Who::Reader).await.unwrap()
}

async fn heard(bell: &mut Bell, what: &str) {
    timeout(PATIENCE, bell.rung()).await.unwrap_or_else(|_| panic!("{what} rings"));
}

/// Posts until that is taken, by a store that somebody else might be.
async fn posted(uri: &str) {
    let other = open(uri).await;
    let start = Instant::now();
    while other.open(&queue("q"), NOW).await.is_err() || post(&other, &queue("q"), 1).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "a post is taken");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_a_restart_may_have_hidden_rings_once() {
    let mut server = RedisServer::start();
    let store = open(&server.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    let mut bell = watch(&store).await;
    server.kill();
    server.restart();
    heard(&mut bell, "the end of the outage").await;
    store.open(&queue("q"), NOW).await.unwrap();
    posted(&server.uri()).await;
    heard(&mut bell, "a post after it").await;
}

/// A listening connection that dies without a word is noticed by its silence: after 8 s, or with the next ping after that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_cut_off_is_replaced_in_time() {
    const AT_MOST: Duration = Duration::from_secs(11);
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port).await;
    let store = open(&format!("redis://{}", proxy.address)).await;
    store.open(&queue("q"), NOW).await.unwrap();
    let mut bell = watch(&store).await;
    proxy.set(Fault::Strand);
    let start = Instant::now();
    posted(&server.uri()).await;
    heard(&mut bell, "what was posted meanwhile").await;
    assert!(start.elapsed() < AT_MOST + SLACK, "{:?}", start.elapsed());
    posted(&server.uri()).await;
    heard(&mut bell, "a post after it").await;
}

#[tokio::test]
async fn a_bell_made_while_the_server_is_away_rings_when_it_is_back() {
    let mut server = RedisServer::start();
    let store = open(&server.uri()).await;
    server.kill();
    let mut bell = watch(&store).await;
    server.restart();
    heard(&mut bell, "the end of the outage").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_listened_to_in_vain() {
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    let bells = [watch(&store).await, watch(&store).await];
    let channels = || match server.command(&["PUBSUB", "CHANNELS"]) {
        redis::Value::Array(channels) => channels.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(channels(), 1);
    drop(bells);
    wait_until("the channel is given up", || channels() == 0);
    let mut bell = watch(&store).await;
    store.open(&queue("q"), NOW).await.unwrap();
    post(&store, &queue("q"), 1).await.unwrap();
    heard(&mut bell, "a post").await;
    store.close().await;
    wait_until("the closed store listens no more", || channels() == 0);
}

#[tokio::test]
async fn a_user_who_may_not_publish_is_served_a_little_later() {
    let server = RedisServer::start();
    server.command(&["ACL", "SETUSER", "worker", "on", ">secret", "~*", "+@all", "resetchannels"]);
    let uri = format!("redis://worker:secret@127.0.0.1:{}", server.port);
    let store = open(&uri).await;
    store.open(&queue("q"), NOW).await.unwrap();
    let start = Instant::now();
    let mut bell = watch(&store).await;
    assert!(start.elapsed() < DEADLINE, "it waited for what does not come: {:?}", start.elapsed());
    heard(&mut bell, "a look now and then").await;
    post(&store, &queue("q"), 1).await.unwrap();
    heard(&mut bell, "a look now and then").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bells_follow_the_master_that_sentinels_name() {
    let mut deployment = RedisSentinels::start();
    let store = open(&deployment.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    let (mut bell, before) = (watch(&store).await, deployment.master().port);
    deployment.fail_over(before);
    heard(&mut bell, "the failover").await;
    posted(&deployment.uri()).await;
    heard(&mut bell, "a post to the new master").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bells_follow_the_slots_of_a_cluster() {
    let cluster = RedisCluster::start();
    let store = open(&cluster.uri()).await;
    store.open(&queue("q"), NOW).await.unwrap();
    let mut bell = watch(&store).await;
    for (from, to) in [(0, 1), (1, 2), (2, 0)] {
        let traffic = Traffic::start(&cluster.uri(), &[queue("q")]).await;
        cluster.drain(from, to);
        traffic.stop().await;
        for _ in 0..3 {
            posted(&cluster.uri()).await;
            heard(&mut bell, "a post after the slots moved").await;
        }
    }
}
