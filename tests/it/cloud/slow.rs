//! A Redis that is slow trips time-outs, and takes no memory of the service.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::until;
use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::RedisServer;
use crate::support::{Client, Process, cloud};

/// Clients that post at a time.
const CLIENTS: usize = 400;

/// Bytes of a message.
const BODY: usize = 32 * 1024;

/// Times that each client posts to a Redis that does not answer.
const TURNS: usize = 4;

/// What the memory may grow by after the first turn, in which not all connections are there yet: less than the bodies
/// of the seven others.
const GROWTH: u64 = (5 * CLIENTS * BODY) as u64;

/// A call's deadline, and what a busy machine makes of it.
const BOUND: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_redis_trips_time_outs_and_takes_no_memory() {
    let (redis, state) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let proxy = Proxy::start(redis.port).await;
    let uri = format!("redis://{}?socket_timeout=1", proxy.address);
    let server = Process::start(state.path(), &cloud::messages_in(&uri)).await;
    let client = server.client("p");
    client.put("/v2/queues/q").await.expect(201);
    let mut memory = Vec::new();
    for fault in [Fault::Delay(Duration::from_secs(3)), Fault::Stall] {
        proxy.set(fault);
        for _ in 0..TURNS {
            everybody_posts(&client).await;
            memory.push(server.memory());
        }
        proxy.set(Fault::None);
        until("it serves again", async || posts(&client, "1").await == 201).await;
    }
    let (first, rest) = memory.split_first().expect("several");
    let most = rest.iter().max().expect("several");
    assert!(most.saturating_sub(*first) < GROWTH, "bytes after each turn: {memory:?}");
}

/// All clients post at once; nobody is answered otherwise than 503, and all in time.
async fn everybody_posts(client: &Client) {
    let body = "x".repeat(BODY);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, body) = (client.clone(), body.clone());
        clients.spawn(async move {
            let start = Instant::now();
            (posts(&client, &body).await, start.elapsed())
        });
    }
    for (status, took) in clients.join_all().await {
        assert_eq!(status, 503);
        assert!(took < BOUND, "{took:?}");
    }
}

/// The status of a post.
async fn posts(client: &Client, body: &str) -> u16 {
    let document = json!({ "messages": [{ "ttl": 300, "body": body }] });
    client.post("/v2/queues/q/messages", &document).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_redis_is_only_slow() {
    let (redis, state) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let proxy = Proxy::start(redis.port).await;
    let uri = format!("redis://{}?socket_timeout=30", proxy.address);
    let server = Process::start(state.path(), &cloud::messages_in(&uri)).await;
    let client = server.client("p");
    client.put("/v2/queues/q").await.expect(201);
    let delay = Duration::from_millis(200);
    proxy.set(Fault::Delay(delay));
    let start = Instant::now();
    assert_eq!(posts(&client, "1").await, 201);
    assert!(start.elapsed() >= delay);
}
