//! Two nodes on one Redis: what is posted on the one is waited for on the other.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::{answer, asks};
use crate::sql::common::Kind;
use crate::support::nodes::Nodes;
use crate::support::redis::wait_until;

/// Waits until a node listens to that queue: somebody waits for it.
fn listen(nodes: &Nodes, queue: &str) {
    let channel = format!("zaqar1:{{p/{queue}}}:w");
    wait_until("somebody listens", || {
        let listened = nodes.redis.command(&["PUBSUB", "NUMSUB", &channel]);
        matches!(listened, redis::Value::Array(parts) if parts.last() == Some(&redis::Value::Int(1)))
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_posted_on_one_node_is_waited_for_on_the_other() {
    let nodes = Nodes::start(Kind::MariaDb).await;
    let (poster, waiter) = (nodes.first.client("p"), nodes.second.client("p"));
    let waits = [
        (Method::POST, "/v2/queues/q/claims?wait=60"),
        (Method::GET, "/v2/queues/q/messages?echo=true&wait=60"),
        (Method::DELETE, "/v2/queues/q/messages?pop=1&wait=60"),
    ];
    for (method, path) in waits {
        let waiting = asks(&waiter, method, path);
        listen(&nodes, "q");
        let ids = poster.post_bodies("q", &[json!(1)]).await;
        assert_eq!(answer(waiting).await.ids(), ids, "{path}");
        poster.delete("/v2/queues/q").await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_node_is_the_end_of_all_waits() {
    let nodes = Nodes::start(Kind::MariaDb).await;
    let client = nodes.second.client("p");
    let waits = [
        (Method::POST, "/v2/queues/q0/claims?wait=60"),
        (Method::GET, "/v2/queues/q1/messages?wait=60"),
        (Method::DELETE, "/v2/queues/q2/messages?pop=1&wait=60"),
    ];
    let waiting = waits.map(|(method, path)| asks(&client, method, path));
    for queue in ["q0", "q1", "q2"] {
        listen(&nodes, queue);
    }
    let ended = nodes.second.terminate();
    let statuses = async {
        let mut statuses = Vec::new();
        for waiting in waiting {
            statuses.push(answer(waiting).await.status.as_u16());
        }
        statuses
    };
    let start = Instant::now();
    let (status, statuses) = tokio::join!(ended, statuses);
    assert!(status.success());
    assert_eq!(statuses, [204, 200, 200]);
    assert!(start.elapsed() < Duration::from_secs(30), "they were not waited for");
}
