//! A command that may have been carried out is never sent again.

use std::time::Instant;

use zaqar::storage::{Error, Messages as _};

use super::{DEADLINE, NOW, SLACK, count, open, post, queue};
use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::RedisServer;

/// Calls of functions, as the server counts them.
fn calls(server: &RedisServer) -> u64 {
    let stats: String = redis::from_redis_value(server.command(&["INFO", "commandstats"])).unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_fcall:calls="));
    line.and_then(|rest| rest.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
}

/// The answer is lost with the connection: the message is popped once, and the caller has an error.
#[tokio::test]
async fn a_pop_whose_answer_is_lost_happens_once() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port).await;
    let store = open(&format!("redis://{}", proxy.address)).await;
    let queue = queue("q");
    store.open(&queue, NOW).await.unwrap();
    for n in 0..10 {
        post(&store, &queue, n).await.unwrap();
    }
    for popped in 1..=3 {
        let before = calls(&server);
        proxy.set(Fault::CutAnswers);
        let error = store.pop(&queue, 1, NOW).await.expect_err("a lost answer");
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert_eq!(calls(&server), before + 1);
        proxy.set(Fault::None);
        assert_eq!(count(&store, &queue).await, 10 - popped);
    }
}

/// The server gets the command and hangs: the caller has an error, and the command is carried out once in the end.
#[tokio::test]
async fn a_pop_without_an_answer_happens_once() {
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    let queue = queue("q");
    store.open(&queue, NOW).await.unwrap();
    for n in 0..10 {
        post(&store, &queue, n).await.unwrap();
    }
    server.freeze();
    let start = Instant::now();
    let error = store.pop(&queue, 1, NOW).await.expect_err("no answer");
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    assert!(start.elapsed() < DEADLINE + SLACK, "{:?}", start.elapsed());
    server.thaw();
    super::traffic::Traffic::recovery(&store, &queue).await;
    assert_eq!(count(&store, &queue).await, 9);
}

/// A connection that was cut before the command was written is made again, and the caller notices nothing.
#[tokio::test]
async fn a_command_that_was_not_sent_is_sent_on_a_new_connection() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port).await;
    let store = open(&format!("redis://{}", proxy.address)).await;
    let queue = queue("q");
    store.open(&queue, NOW).await.unwrap();
    for n in 0..5 {
        proxy.cut().await;
        post(&store, &queue, n).await.unwrap();
    }
    assert_eq!(count(&store, &queue).await, 5);
}
