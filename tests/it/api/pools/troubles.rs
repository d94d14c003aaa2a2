//! Pools that change under the queues in them.

use serde_json::json;

use super::{Admin, pooled};
use crate::support::{Store, TestApp};

#[tokio::test]
async fn a_changed_uri_counts_at_once_and_the_way_back_too() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let (admin, client) = (Admin::of(&app), app.client("p"));
        admin.put("/v2/pools/p", &json!({ "weight": 1, "uri": "sqlite://one" })).await.expect(201);
        client.post_bodies("q", &[json!(1)]).await;
        let total = async || {
            client.get("/v2/queues/q/stats").await.expect(200).json()["messages"]["total"].as_u64().unwrap()
        };
        assert_eq!(total().await, 1);
        admin.patch("/v2/pools/p", &json!({ "uri": "sqlite://two" })).await.expect(200);
        assert_eq!(total().await, 0);
        client.post_bodies("q", &[json!(1), json!(2)]).await;
        // The first file is closed by and by; until then it cannot be opened.
        let start = std::time::Instant::now();
        while admin.patch("/v2/pools/p", &json!({ "uri": "sqlite://one" })).await.status != 200 {
            assert!(start.elapsed().as_secs() < 30, "the file is never closed");
        }
        assert_eq!(total().await, 1);
        assert!(app.stop().await);
    }
}

#[tokio::test]
async fn pools_in_use_are_protected_where_that_was_asked_for() {
    for store in Store::ALL {
        let ini =
            "[DEFAULT]\nadmin_mode = true\npooling = true\n[pooling:catalog]\nprotect_used_pools = true\n";
        let app = TestApp::start(store, ini).await;
        let (admin, client) = (Admin::of(&app), app.client("p"));
        admin.pool("used", 1).await;
        client.put("/v2/queues/q").await.expect(201);
        admin.pool("idle", 1).await;
        admin.delete("/v2/pools/idle").await.expect(204);
        let refused = admin.delete("/v2/pools/used").await.expect(403).json();
        assert_eq!(refused["title"], "Unable to delete");
        client.delete("/v2/queues/q").await.expect(204);
        admin.delete("/v2/pools/used").await.expect(204);
    }
}

#[tokio::test]
async fn another_flavor_in_one_store_is_another_place_and_nothing_moves() {
    let app = pooled(Store::Memory).await;
    let (admin, client) = (Admin::of(&app), app.client("operations"));
    for (pool, uri, flavor) in [("a", "memory://one", "f"), ("b", "memory://one?b", "g")] {
        let body = json!({ "weight": 1, "uri": uri });
        admin.put(&format!("/v2/pools/{pool}"), &body).await.expect(201);
        admin.put(&format!("/v2/flavors/{flavor}"), &json!({ "pool_list": [pool] })).await.expect(201);
    }
    client.put_json("/v2/queues/q", &json!({ "_flavor": "f" })).await.expect(201);
    client.post_bodies("q", &[json!(1)]).await;
    let change = |flavor: &str| json!([{ "op": "replace", "path": "/metadata/_flavor", "value": flavor }]);
    let refused = client.patch_queue("q", &change("nope")).await.expect(400).json();
    let expected = json!({ "title": "Invalid request body", "description": "Flavor nope does not exist" });
    assert_eq!(refused, expected);
    let patched = client.patch_queue("q", &change("g")).await.expect(200).json();
    assert_eq!(patched["_flavor"], "g");
    client.post_bodies("q", &[json!(2)]).await;
    assert_eq!(client.get("/v2/queues/q/stats").await.json()["messages"]["total"], 2);
    // Its place is the other pool now: the first may go.
    admin.patch("/v2/pools/a", &json!({ "flavor": "" })).await.expect(200);
    admin.delete("/v2/pools/a").await.expect(204);
    assert_eq!(client.get("/v2/queues/q").await.expect(200).json()["_flavor"], "g");
}
