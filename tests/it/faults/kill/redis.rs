//! `kill -9` of Redis under the same load, which goes on: errors while it is gone, and nothing lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::books::Books;
use super::{INI, audit, load};
use crate::support::client::send;
use crate::support::redis::{RedisServer, Setup};
use crate::support::{Client, Process, cloud, random};

/// How often Redis is killed.
const RUNS: usize = 5;

/// Posts that each run has acknowledged before.
const POSTS: usize = 200;

/// A call's deadline of 2 s, on a machine that does much else.
const BOUND: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_redis_keeps_what_was_acknowledged() {
    let mut redis = RedisServer::with(Setup::default().durable("always"));
    let (mut rng, state) = (random::seeded(), tempfile::tempdir().unwrap());
    let books = Arc::new(Books::default());
    let ini = cloud::messages_in(&redis.uri()) + INI;
    let server = Process::start(state.path(), &ini).await;
    load::create_queues(&server.client("p")).await;
    server.client("other").put("/v2/queues/work-0").await.expect(201);
    let workers = load::start(&server.client("p"), &books, &mut rng);
    for _ in 0..RUNS {
        books.lock().posts = 0;
        books.until_posted(POSTS).await;
        redis.kill();
        fails_in_time(&server.client("other")).await;
        redis.restart();
    }
    // Nobody told the service.
    books.lock().posts = 0;
    books.until_posted(POSTS).await;
    let longest = books.lock().longest;
    assert!(longest < BOUND, "{longest:?}");
    server.kill();
    load::finish(workers).await;
    let server = Process::start(state.path(), &ini).await;
    audit::settle(&server.client("p"), &books, true).await;
    assert!(books.lock().doubts > RUNS, "the kills interrupted nothing");
}

/// While Redis is gone, every kind of call is answered 503, and soon.
async fn fails_in_time(client: &Client) {
    let id = "019a0000-0000-7000-8000-000000000000";
    let (messages, claims) = ("/v2/queues/work-0/messages", "/v2/queues/work-0/claims");
    let message = json!({ "messages": [{ "ttl": 60, "body": 1 }] });
    for (method, path, body) in [
        (Method::POST, messages.to_owned(), message),
        (Method::GET, format!("{messages}?echo=true"), json!(null)),
        (Method::GET, format!("{messages}/{id}"), json!(null)),
        (Method::DELETE, format!("{messages}/{id}"), json!(null)),
        (Method::DELETE, format!("{messages}?pop=2"), json!(null)),
        (Method::POST, claims.to_owned(), json!({ "ttl": 60, "grace": 60 })),
        (Method::GET, format!("{claims}/{id}"), json!(null)),
        (Method::PATCH, format!("{claims}/{id}"), json!({ "ttl": 60 })),
        (Method::DELETE, format!("{claims}/{id}"), json!(null)),
        (Method::GET, "/v2/queues/work-0/stats".to_owned(), json!(null)),
    ] {
        let request = client.request(method.clone(), &path);
        let start = Instant::now();
        let answer = send(if body.is_null() { request } else { request.json(&body) }).await;
        assert_eq!(answer.status, 503, "{method} {path}");
        let document = answer.json();
        assert_eq!(document["title"], "Service temporarily unavailable", "{document}");
        let told = document["description"].as_str().expect("text");
        assert!(!told.contains("127.0.0.1"), "{told}");
        assert!(start.elapsed() < BOUND, "{method} {path} took {:?}", start.elapsed());
    }
}
