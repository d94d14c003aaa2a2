//! The operations on the servers: as a function library, as scripts, lost and found again.

use std::sync::Arc;

use tokio::task::JoinSet;
use zaqar::storage::redis::{Options, RedisStore};
use zaqar::storage::{Error, Messages as _};

use super::{NOW, count, id, message, open, post, queue};
use crate::support::redis::RedisServer;

/// Posts while the server forgets the operations again and again; each message must be stored, and once.
async fn posts_survive(server: &RedisServer, store: RedisStore, forget: &[&str]) {
    let store = Arc::new(store);
    store.open(&queue("q"), NOW).await.unwrap();
    for round in 0..5 {
        server.command(forget);
        let mut posters = JoinSet::new();
        for n in 0..20 {
            let store = Arc::clone(&store);
            posters.spawn(async move { post(&store, &queue("q"), 100 * round + n).await });
        }
        for posted in posters.join_all().await {
            posted.unwrap();
        }
    }
    assert_eq!(count(&store, &queue("q")).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_library_is_loaded_again() {
    let server = RedisServer::start();
    posts_survive(&server, open(&server.uri()).await, &["FUNCTION", "FLUSH"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_scripts_are_loaded_again() {
    let server = RedisServer::start();
    let store = RedisStore::open_with_scripts(&server.uri(), &Options::default()).await.unwrap();
    posts_survive(&server, store, &["SCRIPT", "FLUSH"]).await;
    let libraries = server.command(&["FUNCTION", "LIST"]);
    assert_eq!(libraries, redis::Value::Array(Vec::new()), "no library is loaded");
}

#[tokio::test]
async fn a_user_who_may_not_load_functions_uses_scripts() {
    let server = RedisServer::start();
    server.command(&["ACL", "SETUSER", "worker", "on", ">secret", "~*", "+@all", "-function"]);
    let uri = format!("redis://worker:secret@127.0.0.1:{}", server.port);
    let store = open(&uri).await;
    store.open(&queue("q"), NOW).await.unwrap();
    post(&store, &queue("q"), 1).await.unwrap();
    assert_eq!(count(&store, &queue("q")).await, 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_changes_nothing() {
    let server = RedisServer::start();
    let store = open(&server.uri()).await;
    let whole = "x".repeat(100);
    for n in 0..40 {
        let queue = queue(&format!("q{n}"));
        store.open(&queue, NOW).await.unwrap();
        post(&store, &queue, n).await.unwrap();
        let key = format!("zaqar1:{{p/{}}}:m", queue.name);
        let redis::Value::Array(fields) = server.command(&["HKEYS", &key]) else { panic!("no message") };
        assert_eq!(fields.len(), 1);
        let broken = &whole[..usize::try_from(n).unwrap()];
        // Each message is replaced under its own id, which is no text.
        let script = "return redis.call('HSET', KEYS[1], redis.call('HKEYS', KEYS[1])[1], ARGV[1])";
        server.command(&["EVAL", script, "1", &key, broken]);
        let error = store.get(&queue, &[id(n)], NOW).await.expect_err("it is broken");
        assert!(matches!(error, Error::Corrupt(_)), "{n} bytes: {error:?}");
    }
    let queue = queue("q0");
    server.command(&["SET", "zaqar1:{p/q0}:r", "a string"]);
    let error = store.post(&queue, vec![message(77, 1)], NOW).await.expect_err("it is broken");
    assert!(matches!(error, Error::Corrupt(_)), "{error:?}");
}
