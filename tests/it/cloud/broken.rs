//! Both stores gone: no version of the API answers as if there were nothing to find.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::send;
use crate::support::mariadb::MariaDb;
use crate::support::redis::RedisServer;
use crate::support::{Client, Process, cloud};

/// Deadlines of the stores are some seconds; this is for a machine that does much else.
const BOUND: Duration = Duration::from_secs(20);

const OLD: &str = "[DEFAULT]\nenable_deprecated_api_versions = 1,1.1\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_broken_stores_every_version_answers_503() {
    let (mut database, mut redis) = (MariaDb::start().await, RedisServer::start());
    let url = cloud::prepared(database.database().await).await;
    let state = tempfile::tempdir().unwrap();
    let ini = cloud::messages_in(&redis.uri()) + &cloud::queues_in(&url) + OLD;
    let server = Process::start(state.path(), &ini).await;
    database.kill();
    redis.kill();
    let client = server.client("p");
    // All at once: each waits for a deadline.
    let mut tasks = JoinSet::new();
    for version in ["v1", "v1.1", "v2"] {
        for (method, path, body) in calls(version) {
            tasks.spawn(fails(client.clone(), method, format!("/{version}{path}"), body));
        }
    }
    tasks.join_all().await;
}

/// Requests of a version that need a store, with ids that are none among them.
fn calls(version: &str) -> Vec<(Method, String, Value)> {
    let messages = json!([{ "ttl": 60, "body": 1 }]);
    let messages = if version == "v1" { messages } else { json!({ "messages": messages }) };
    let terms = json!({ "ttl": 60, "grace": 60 });
    let mut calls = vec![
        (Method::GET, "/queues".into(), Value::Null),
        (Method::PUT, "/queues/q".into(), Value::Null),
        (Method::GET, "/queues/q".into(), Value::Null),
        (Method::DELETE, "/queues/q".into(), Value::Null),
        (Method::GET, "/queues/q/stats".into(), Value::Null),
        (Method::POST, "/queues/q/messages".into(), messages),
        (Method::GET, "/queues/q/messages".into(), Value::Null),
        (Method::POST, "/queues/q/claims".into(), terms.clone()),
    ];
    for id in ["nada", "019a0000-0000-7000-8000-000000000000"] {
        calls.extend([
            (Method::GET, format!("/queues/q/messages/{id}"), Value::Null),
            (Method::DELETE, format!("/queues/q/messages/{id}"), Value::Null),
            (Method::GET, format!("/queues/q/messages?ids={id}"), Value::Null),
            (Method::DELETE, format!("/queues/q/messages?ids={id}"), Value::Null),
            (Method::GET, format!("/queues/q/claims/{id}"), Value::Null),
            (Method::PATCH, format!("/queues/q/claims/{id}"), terms.clone()),
            (Method::DELETE, format!("/queues/q/claims/{id}"), Value::Null),
        ]);
    }
    if version == "v1" {
        calls.push((Method::GET, "/queues/q/metadata".into(), Value::Null));
        calls.push((Method::PUT, "/queues/q/metadata".into(), json!({})));
        calls.push((Method::HEAD, "/queues/q".into(), Value::Null));
        calls.push((Method::GET, "/health".into(), Value::Null));
    } else {
        calls.push((Method::GET, "/ping".into(), Value::Null));
        calls.push((Method::DELETE, "/queues/q/messages?pop=1".into(), Value::Null));
    }
    calls
}

async fn fails(client: Client, method: Method, path: String, body: Value) {
    let request = client.request(method.clone(), &path);
    let start = Instant::now();
    let answer = send(if body.is_null() { request } else { request.json(&body) }).await;
    assert_eq!(answer.status, 503, "{method} {path}");
    assert!(answer.header("location").is_none(), "{method} {path}");
    assert!(start.elapsed() < BOUND, "{method} {path} took {:?}", start.elapsed());
}
