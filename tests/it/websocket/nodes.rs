//! Two nodes on one Redis: what is done to a subscription at the one reaches its connection at the other.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::sql::common::Kind;
use crate::support::nodes::Nodes;
use crate::support::websocket::WebSocketClient;

/// Within this an end must reach the other node: a second as documented, and what a busy machine adds. Without a word
/// from there it takes up to 20 s.
const PROMPT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_another_node_ends_pushes_no_more() {
    let nodes = Nodes::start(Kind::MariaDb).await;
    let mut other = WebSocketClient::connect(nodes.second.websocket, "p").await;
    for (name, ends) in [("a", "subscription_delete"), ("b", "queue_purge"), ("c", "queue_delete")] {
        let mut client = WebSocketClient::connect(nodes.first.websocket, "p").await;
        let (_, made) = client.call("subscription_create", &json!({ "queue_name": name })).await;
        let body = json!({ "queue_name": name, "subscription_id": made["subscription_id"] });
        assert_eq!(other.call(ends, &body).await.0, 204);
        let start = Instant::now();
        // The frames of a new subscription are told from those of the old one by their markers.
        let again = json!({ "queue_name": name, "from": "now" });
        assert_eq!(client.call("subscription_create", &again).await.0, 201, "{ends}");
        let mut alone = false;
        for number in 0.. {
            nodes.first.client("p").post_bodies(name, &[json!(number)]).await;
            let mut frames = vec![client.json().await];
            while frames.last().is_none_or(|frame| frame.get("marker").is_none()) {
                frames.push(client.json().await);
            }
            // That of the old one may also come behind, and is met in the next round.
            if std::mem::replace(&mut alone, frames.len() == 1) && alone {
                break;
            }
            assert!(start.elapsed() < PROMPT, "{ends}: the old one goes on");
        }
    }
}

/// A Redis that keeps nothing on disk forgets all subscriptions when it is started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_lost_its_data_ends_no_push() {
    let mut nodes = Nodes::start(Kind::MariaDb).await;
    let queue = json!({ "queue_name": "q" });
    let mut clients = Vec::new();
    for address in [nodes.first.websocket, nodes.second.websocket] {
        let mut client = WebSocketClient::connect(address, "p").await;
        assert_eq!(client.call("subscription_create", &queue).await.0, 201);
        clients.push(client);
    }
    nodes.redis.kill();
    nodes.redis.restart();
    let mut other = WebSocketClient::connect(nodes.first.websocket, "p").await;
    let start = Instant::now();
    loop {
        let (_, listed) = other.call("subscription_list", &queue).await;
        // Unless the store is still out of reach.
        if listed["subscriptions"].as_array().is_some_and(|listed| listed.len() == clients.len()) {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{listed}");
    }
    nodes.first.client("p").post_bodies("q", &[json!("still pushed")]).await;
    for client in &mut clients {
        assert_eq!(client.json().await["body"], json!("still pushed"));
    }
}
