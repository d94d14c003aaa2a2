//! A pool that is away while a queue moves.

use std::time::{Duration, Instant};

use serde_json::json;

use super::live::{change_flavor, two_pools, until_arrived};
use crate::api::pools::{Admin, pooled};
use crate::support::Store;
use crate::support::proxy::{Fault, Proxy};
use crate::support::redis::RedisServer;

/// Bodies so large that the move is not over before the pool is away.
const BODY: usize = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_waits_for_a_pool_that_is_away() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port).await;
    let app = pooled(Store::Sqlite).await;
    let admin = Admin::of(&app);
    let uri = format!("redis://{}", proxy.address);
    two_pools(&admin, [&uri, "sqlite://b"]).await;
    let client = app.client("operations");
    client.put_json("/v2/queues/q", &json!({ "_flavor": "A" })).await.expect(201);
    let body = json!("x".repeat(BODY));
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.extend(client.post_bodies("q", &vec![body.clone(); 10]).await);
    }
    proxy.set(Fault::Delay(Duration::from_millis(40)));
    change_flavor(&client, "B").await;
    // Until something is on its way.
    let start = Instant::now();
    let on_its_way = loop {
        let list = admin.get("/v2/migrations").await.expect(200).json();
        if list["migrations"][0]["state"] == "draining" {
            break list["migrations"][0].clone();
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{list}");
    };
    assert_eq!((&on_its_way["queue"], &on_its_way["project"]), (&json!("q"), &json!("operations")));
    assert_eq!((&on_its_way["source"], &on_its_way["target"]), (&json!("a"), &json!("b")));
    assert!(on_its_way["left"].as_u64().is_some_and(|left| left <= 600), "{on_its_way}");
    let page = admin.get("/v2/migrations?limit=1").await.expect(200).json();
    let next = page["links"][0]["href"].as_str().expect("a link").to_owned();
    assert_eq!(admin.get(&next).await.expect(200).json()["migrations"], json!([]));
    admin.delete("/v2/pools/a").await.expect(403);

    proxy.set(Fault::Cut);
    // Posts go on; what needs both stores says that it cannot.
    let more = client.post_bodies("q", &[json!(1)]).await;
    client.get("/v2/queues/q/messages?echo=true").await.expect(503);
    ids.extend(more);
    proxy.set(Fault::None);
    until_arrived(&admin).await;
    let mut found = Vec::new();
    let mut path = "/v2/queues/q/messages?echo=true&limit=20".to_owned();
    loop {
        let page = client.get(&path).await.expect(200);
        if page.ids().is_empty() {
            break;
        }
        found.extend(page.ids());
        path = page.json()["links"][0]["href"].as_str().expect("a link").to_owned();
    }
    assert_eq!(found, ids);
    assert_eq!((admin.messages_in("a").await, admin.messages_in("b").await), (0, 601));
    admin.delete("/v2/pools/a").await.expect(403);
    assert!(app.stop().await);
}
