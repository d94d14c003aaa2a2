//! Health of a service with pools.

use serde_json::json;

use super::{Admin, pooled};
use crate::support::{Store, TestApp};

#[tokio::test]
async fn every_pool_is_probed_under_its_name() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        let empty = admin.get("/v2/health").await.expect(200).json();
        assert_eq!(empty, json!({ "catalog_reachable": true }));
        admin.pool("p1", 1).await;
        admin.put("/v2/pools/p2", &json!({ "weight": 0, "uri": "sqlite://p2" })).await.expect(201);
        app.client("p").post_bodies("q", &[json!(1), json!(2)]).await;
        let health = admin.get("/v2/health").await.expect(200).json();
        assert_eq!(health.as_object().unwrap().len(), 3);
        for (pool, total) in [("p1", 2), ("p2", 0)] {
            assert_eq!(health[pool]["storage_reachable"], true);
            assert_eq!(health[pool]["message_volume"]["total"], total);
            let operations = health[pool]["operation_status"].as_object().unwrap();
            assert_eq!(operations.len(), 8);
            assert!(operations.values().all(|operation| operation["succeeded"] == true), "{operations:?}");
        }
        assert_eq!(app.client("p").get("/v2/queues").await.json()["queues"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_broken_pool_keeps_its_own_queues_away_and_no_others() {
    let app = pooled(Store::Memory).await;
    let (admin, client) = (Admin::of(&app), app.client("operations"));
    let server = crate::support::redis::RedisServer::start();
    admin.put("/v2/pools/r", &json!({ "weight": 1, "uri": server.uri() })).await.expect(201);
    admin.put("/v2/flavors/red", &json!({ "pool_list": ["r"] })).await.expect(201);
    admin.pool("m", 1).await;
    client.put_json("/v2/queues/red", &json!({ "_flavor": "red" })).await.expect(201);
    client.post_bodies("red", &[json!(1)]).await;
    client.post_bodies("plain", &[json!(1)]).await;
    drop(server);
    client.get("/v2/queues/red/messages").await.expect(503);
    client.post("/v2/queues/red/messages", &json!({ "messages": [{ "body": 1 }] })).await.expect(503);
    client.get("/v2/queues/plain/messages").await.expect(200);
    client.post_bodies("plain", &[json!(2)]).await;
    client.get("/v2/ping").await.expect(204);
    let health = admin.get("/v2/health").await.expect(200).json();
    assert_eq!(
        (&health["r"]["storage_reachable"], &health["m"]["storage_reachable"]),
        (&json!(false), &json!(true))
    );
    // A broken pool can be told to take no more queues.
    admin.patch("/v2/pools/r", &json!({ "weight": 0 })).await.expect(200);
}

#[tokio::test]
async fn without_pools_health_is_as_it_was() {
    let app = TestApp::start(Store::Memory, "[DEFAULT]\nadmin_mode = true\n").await;
    let health = Admin::of(&app).get("/v2/health").await.expect(200).json();
    assert_eq!(health["storage_reachable"], true);
    assert!(health.get("catalog_reachable").is_none());
}
