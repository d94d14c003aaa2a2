//! A Redis that is slow trips time-outs, and takes no memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use zaqar::storage::{Error, Messages as _};

use super::traffic::Traffic;
use super::{DEADLINE, NOW, SLACK, message, open, post, queue};
use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::RedisServer;

/// Bytes that may be on their way to the server: 16 MiB queued on each of two connections, and what the sockets
/// of client, proxy and server hold.
const BOUND: u64 = 48 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_to_a_stalled_server_end_in_time_and_are_not_heaped_up() {
    const POSTS: u64 = 1_500;
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port).await;
    let store = Arc::new(open(&format!("redis://{}", proxy.address)).await);
    store.open(&queue("q"), NOW).await.unwrap();
    let before = proxy.forth();
    proxy.set(Fault::Delay(Duration::from_secs(3)));
    // Nothing comes back in time, while commands go out as long as there is room.
    let mut posts = JoinSet::new();
    for n in 0..POSTS {
        let store = Arc::clone(&store);
        posts.spawn(async move {
            let start = Instant::now();
            let result = store.post(&queue("q"), vec![message(n, 64 * 1024)], NOW).await;
            (result, start.elapsed())
        });
    }
    let mut timeouts = 0;
    while let Some(post) = posts.join_next().await {
        let (result, took) = post.unwrap();
        let error = result.expect_err("no answer comes in time");
        timeouts += u32::from(matches!(error, Error::Timeout(_)));
        assert!(took < DEADLINE + SLACK, "{took:?}");
    }
    assert!(timeouts > 0, "not one call timed out");
    let forth = proxy.forth() - before;
    assert!(forth < BOUND, "{forth} bytes of {} were sent", POSTS * 64 * 1024);
    proxy.set(Fault::None);
    Traffic::recovery(&store, &queue("q")).await;
}

#[tokio::test]
async fn delay_within_the_deadline_is_only_delay() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port).await;
    let store = open(&format!("redis://{}", proxy.address)).await;
    store.open(&queue("q"), NOW).await.unwrap();
    proxy.set(Fault::Delay(Duration::from_millis(200)));
    let start = Instant::now();
    post(&store, &queue("q"), 1).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
    proxy.set(Fault::Stall);
    let error = post(&store, &queue("q"), 2).await.expect_err("nothing passes");
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    proxy.set(Fault::None);
    Traffic::recovery(&store, &queue("q")).await;
}
