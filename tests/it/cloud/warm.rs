//! What the service knows of its queues it need not ask for again.

use serde_json::json;
use tokio::task::JoinSet;

use crate::sql::common::Kind;
use crate::support::cloud;
use crate::support::redis::RedisServer;
use crate::support::statsd::Statsd;
use crate::support::{Client, Process};

/// Rounds of every operation on messages and claims.
const ROUNDS: usize = 40;

/// Clients that post at a time beside them, and how often each does.
const POSTS: [usize; 2] = [4, 250];

/// Calls of the management store that somebody makes by the clock: the readers of changes, the sweep.
const BY_THE_CLOCK: [&str; 3] = ["changes", "forget_changes", "count_all_queues"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_warm_cache_messages_and_claims_touch_no_sql() {
    let (redis, state) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let mut statsd = Statsd::start();
    let database = cloud::database(Kind::MariaDb).await;
    let ini = cloud::ini(&redis.uri(), &database) + &statsd.ini();
    let server = Process::start(state.path(), &ini).await;
    let client = server.client("p");
    client.put_json("/v2/queues/q", &json!({ "_max_claim_count": 9 })).await.expect(201);
    // Its own changes come back to the node, and make it read the queue once more.
    statsd.asked_for_changes(2).await;
    round(&client).await;
    statsd.asked_for_changes(2).await;
    let before = statsd.management();
    let start = std::time::Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..POSTS[0] {
        let client = client.clone();
        clients.spawn(async move {
            for number in 0..POSTS[1] {
                client.post_bodies("q", &[json!(number)]).await;
            }
        });
    }
    for _ in 0..ROUNDS {
        round(&client).await;
    }
    clients.join_all().await;
    let took = start.elapsed().as_secs();
    // What happened until now has been sent.
    statsd.asked_for_changes(4).await;
    for (call, count) in statsd.management() {
        let more = count - before.get(&call).copied().unwrap_or(0);
        match call.as_str() {
            // The load balancer's question, which nobody asks here.
            call if BY_THE_CLOCK.contains(&call) => {}
            // A record older than ten seconds is refreshed beside.
            "queue" => assert!(more <= took / 10 + 1, "{more} times in {took} s"),
            other => assert_eq!(more, 0, "{other}"),
        }
    }
}

/// Every operation on messages and claims, once.
async fn round(client: &Client) {
    let ids = client.post_bodies("q", &[json!(1), json!(2), json!(3), json!(4)]).await;
    client.get("/v2/queues/q/messages?echo=true").await.expect(200);
    client.get(&format!("/v2/queues/q/messages/{}", ids[0])).await.expect(200);
    client.delete(&format!("/v2/queues/q/messages/{}", ids[0])).await.expect(204);
    let claimed = client.post("/v2/queues/q/claims?limit=2", &json!({ "ttl": 300, "grace": 60 })).await;
    let claimed = claimed.expect(201);
    let claim = claimed.header("location").expect("a location").to_owned();
    client.get(&claim).await.expect(200);
    client.patch(&claim, &json!({ "ttl": 200, "grace": 60 })).await.expect(204);
    let first = claimed.json()["messages"][0]["href"].as_str().expect("a link").to_owned();
    client.delete(&first).await.expect(204);
    client.delete(&claim).await.expect(204);
    client.get("/v2/queues/q").await.expect(200);
    client.get("/v2/queues/q/stats").await.expect(200);
    client.delete("/v2/queues/q/messages?pop=5").await.expect(200);
}
