//! Which pool a queue gets, and that tenants and queues find their messages there.

use serde_json::json;

use super::{Admin, pooled, with_virtual_pool};
use crate::support::{Client, Store, TestApp};

const NO_POOL: &str = "Queue could not be created. Please try again in a few seconds.";

#[tokio::test]
async fn queues_spread_over_pools_by_weight() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        for (pool, weight) in [("heavy", 3), ("light", 1), ("never", 0)] {
            admin.pool(pool, weight).await;
        }
        let client = app.client("p");
        for queue in 0..60 {
            client.put(&format!("/v2/queues/q{queue}")).await.expect(201);
            client.post_bodies(&format!("q{queue}"), &[json!(queue)]).await;
        }
        for queue in 0..60 {
            let messages =
                client.get(&format!("/v2/queues/q{queue}/messages?echo=true")).await.expect(200).json();
            assert_eq!(messages["messages"][0]["body"], queue);
        }
        let (heavy, light) = (admin.messages_in("heavy").await, admin.messages_in("light").await);
        assert_eq!((heavy + light, admin.messages_in("never").await), (60, 0));
        // Wrong for one run in a hundred million.
        assert!(heavy > light && light > 0, "{heavy} to {light}");
        assert!(app.stop().await);
    }
}

#[tokio::test]
async fn a_flavor_leads_to_its_pools_and_no_flavor_to_the_others() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let admin = Admin::of(&app);
        admin.flavor("gold", &["g1", "g2"]).await;
        admin.pool("plain", 1).await;
        // Flavors belong to a project, and so do the queues that ask for them.
        let client = app.client("operations");
        for queue in 0..10 {
            let body = json!({ "_flavor": "gold" });
            client.put_json(&format!("/v2/queues/gold{queue}"), &body).await.expect(201);
            client.post_bodies(&format!("gold{queue}"), &[json!(1)]).await;
            client.post_bodies(&format!("plain{queue}"), &[json!(1), json!(2)]).await;
        }
        let gold = admin.messages_in("g1").await + admin.messages_in("g2").await;
        assert_eq!((gold, admin.messages_in("plain").await), (10, 20));
        assert_eq!(client.get("/v2/queues/gold1").await.json()["_flavor"], "gold");
        let missing = json!({ "title": "Invalid API request", "description": "Flavor nope does not exist" });
        let refused = client.put_json("/v2/queues/x", &json!({ "_flavor": "nope" })).await.expect(400);
        assert_eq!(refused.json(), missing);
        // What is no name names no flavor of the project.
        for odd in [json!(7), json!(["gold"]), json!(false)] {
            let refused = client.put_json("/v2/queues/x", &json!({ "_flavor": odd })).await.expect(400);
            assert_eq!(refused.json()["description"], format!("Flavor {odd} does not exist"));
            let patch = json!([{ "op": "add", "path": "/metadata/_flavor", "value": odd }]);
            client.patch_queue("plain0", &patch).await.expect(400);
        }
        let foreign =
            app.client("p").put_json("/v2/queues/x", &json!({ "_flavor": "gold" })).await.expect(400);
        assert_eq!(foreign.json()["description"], "Flavor gold does not exist");
        assert!(client.get("/v2/queues?name=x").await.json()["queues"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn without_a_pool_there_is_no_queue() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let (admin, client) = (Admin::of(&app), app.client("operations"));
        let refused = client.put("/v2/queues/q").await.expect(503).json();
        assert_eq!(refused, json!({ "title": "Service temporarily unavailable", "description": NO_POOL }));
        let post = json!({ "messages": [{ "body": 1 }] });
        client.post("/v2/queues/q/messages", &post).await.expect(503);
        admin.flavor("gold", &["g"]).await;
        admin.patch("/v2/pools/g", &json!({ "weight": 0 })).await.expect(200);
        let refused = client.put_json("/v2/queues/q", &json!({ "_flavor": "gold" })).await.expect(503);
        assert_eq!(refused.json()["description"], NO_POOL, "all its pools weigh nothing");
        client.put("/v2/queues/q").await.expect(503);
        assert_eq!(client.get("/v2/queues").await.expect(200).json()["queues"], json!([]));
        admin.pool("p", 1).await;
        client.put("/v2/queues/q").await.expect(201);
        admin.patch("/v2/pools/p", &json!({ "weight": 0 })).await.expect(200);
        client.put("/v2/queues/q").await.expect(204);
        client.post("/v2/queues/q/messages", &post).await.expect(201);
    }
}

#[tokio::test]
async fn the_virtual_pool_takes_what_no_pool_takes_and_keeps_it() {
    let app = with_virtual_pool().await;
    let (admin, client) = (Admin::of(&app), app.client("p"));
    client.put("/v2/queues/early").await.expect(201);
    client.post_bodies("early", &[json!("first")]).await;
    client.post_bodies("lazy", &[json!("first")]).await;
    admin.pool("p", 1).await;
    client.put("/v2/queues/early").await.expect(204);
    client
        .patch_queue("early", &json!([{ "op": "add", "path": "/metadata/k", "value": 1 }]))
        .await
        .expect(200);
    client.post_bodies("early", &[json!("second")]).await;
    client.post_bodies("late", &[json!(1)]).await;
    assert_eq!(bodies(&client, "early").await, ["first", "second"]);
    assert_eq!(bodies(&client, "lazy").await, ["first"]);
    assert_eq!(admin.messages_in("p").await, 1);
}

#[tokio::test]
async fn a_queue_whose_pool_was_deleted_is_empty_until_a_post_gives_it_another() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let (admin, client) = (Admin::of(&app), app.client("p"));
        admin.pool("p1", 1).await;
        client.put_json("/v2/queues/q", &json!({ "k": "v" })).await.expect(201);
        let ids = client.post_bodies("q", &[json!("lost")]).await;
        admin.delete("/v2/pools/p1").await.expect(204);
        assert!(bodies(&client, "q").await.is_empty());
        let one = format!("/v2/queues/q/messages/{}", ids[0]);
        let missing = client.get(&one).await.expect(404).json();
        assert_eq!(missing["description"], "Queue q does not exist for project p");
        client.delete(&one).await.expect(204);
        client.post("/v2/queues/q/claims", &json!({})).await.expect(204);
        assert_eq!(client.get("/v2/queues/q/stats").await.expect(200).json()["messages"]["total"], 0);
        assert_eq!(client.get("/v2/queues/q").await.expect(200).json()["k"], "v");
        client.post("/v2/queues/q/messages", &json!({ "messages": [{ "body": 1 }] })).await.expect(503);
        admin.pool("p2", 1).await;
        client.post_bodies("q", &[json!("new")]).await;
        assert_eq!(bodies(&client, "q").await, ["new"]);
        assert_eq!(admin.messages_in("p2").await, 1);
        client.delete("/v2/queues/q").await.expect(204);
        assert_eq!(admin.messages_in("p2").await, 0);
    }
}

#[tokio::test]
async fn tenants_share_a_store_and_see_nothing_of_each_other() {
    let app = pooled(Store::Sqlite).await;
    let admin = Admin::of(&app);
    // Two pools that are one store.
    admin.put("/v2/pools/p1", &json!({ "weight": 1, "uri": "memory://one" })).await.expect(201);
    admin.put("/v2/pools/p2", &json!({ "weight": 1, "uri": "memory://one?again" })).await.expect(201);
    for round in 0..8 {
        let queue = format!("q{round}");
        let tenants = ["a", "A", "b"].map(|project| (project, app.client(project)));
        for (project, client) in &tenants {
            client.post_bodies(&queue, &[json!(format!("of {project}"))]).await;
        }
        for (project, client) in &tenants {
            assert_eq!(bodies(client, &queue).await, [format!("of {project}")]);
        }
        tenants[0].1.delete(&format!("/v2/queues/{queue}")).await.expect(204);
        assert!(bodies(&tenants[0].1, &queue).await.is_empty());
        assert_eq!(bodies(&tenants[1].1, &queue).await, ["of A"]);
    }
}

#[tokio::test]
async fn dead_letters_cross_pools() {
    for store in Store::ALL {
        let app = pooled(store).await;
        let (admin, client) = (Admin::of(&app), app.client("operations"));
        admin.flavor("source", &["s"]).await;
        admin.flavor("target", &["t"]).await;
        client.put_json("/v2/queues/dead", &json!({ "_flavor": "target" })).await.expect(201);
        let metadata = json!({ "_flavor": "source", "_dead_letter_queue": "dead", "_max_claim_count": 1 });
        client.put_json("/v2/queues/q", &metadata).await.expect(201);
        let ids = client.post_bodies("q", &[json!("poison"), json!("good")]).await;
        let claimed = client.post("/v2/queues/q/claims?limit=1", &json!({})).await.expect(201);
        client.delete(claimed.header("location").unwrap()).await.expect(204);
        assert_eq!(client.post("/v2/queues/q/claims?limit=1", &json!({})).await.expect(201).ids(), ids[1..]);
        assert_eq!(bodies(&client, "dead").await, ["poison"]);
        assert_eq!((admin.messages_in("s").await, admin.messages_in("t").await), (1, 1));
    }
}

/// The texts that a queue lists, its own client's too.
async fn bodies(client: &Client, queue: &str) -> Vec<String> {
    let page = client.get(&format!("/v2/queues/{queue}/messages?echo=true")).await.expect(200).json();
    let messages = page["messages"].as_array().cloned().unwrap_or_default();
    messages.iter().map(|message| message["body"].as_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn queues_that_were_placed_are_served_where_pools_are_switched_off() {
    let state = tempfile::tempdir().unwrap();
    let database = format!(
        "[drivers:management_store:sqlalchemy]\nuri = sqlite:///{}\n",
        state.path().join("m.db").display()
    );
    let pools = format!(
        "[drivers:message_store:sqlite]\npool_directory = {}\n",
        state.path().join("pools").display()
    );
    let on = format!("pooling = true\nadmin_mode = true\n{database}{pools}");
    let app = TestApp::start(Store::Sqlite, &format!("[DEFAULT]\n{on}")).await;
    let admin = Admin::of(&app);
    admin.put("/v2/pools/p", &json!({ "weight": 1, "uri": "sqlite://p/1" })).await.expect(201);
    app.client("p").post_bodies("q", &[json!("kept")]).await;
    assert!(app.stop().await);
    let app = TestApp::start(Store::Sqlite, &format!("{database}{pools}")).await;
    assert_eq!(bodies(&app.client("p"), "q").await, ["kept"]);
    assert!(state.path().join("pools/p/1.db").exists());
}
