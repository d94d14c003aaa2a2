//! Queues over REST.

use serde_json::{Value, json};

use crate::support::client::send;
use crate::support::{Store, TestApp};

/// What a queue without metadata shows, exactly (rest.md 14.9).
fn defaults() -> Value {
    json!({
        "_max_messages_post_size": 262_144,
        "_default_message_ttl": 3_600,
        "_default_message_delay": 0,
        "_dead_letter_queue": null,
        "_dead_letter_queue_messages_ttl": null,
        "_max_claim_count": null,
        "_enable_encrypt_messages": false,
    })
}

#[tokio::test]
async fn a_queue_is_created_once_and_its_metadata_stays() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let created = client.put_json("/v2/queues/q", &json!({ "k": "v" })).await.expect(201);
        assert_eq!(created.header("location"), Some("/v2/queues/q"));
        client.put_json("/v2/queues/q", &json!({ "k": 2 })).await.expect(204);
        client.put_json("/v2/queues/q", &json!({ "_default_message_ttl": 1 })).await.expect(400);
        assert_eq!(client.get("/v2/queues/q").await.expect(200).json()["k"], "v");
        assert_eq!(client.get("/v2/queues/missing").await.expect(200).json(), defaults());
        client.delete("/v2/queues/q").await.expect(204);
        client.delete("/v2/queues/q").await.expect(204);
        assert_eq!(client.get("/v2/queues/q").await.expect(200).json(), defaults());
        assert!(app.stop().await);
    }
}

#[tokio::test]
async fn names_are_held_to_their_rules() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let long = "x".repeat(65);
    for bad in ["", "a%20b", "%E6%B1%89", &long, "a%2Fb", "%ff"] {
        let answer = client.put(&format!("/v2/queues/{bad}")).await.expect(400);
        assert_eq!(answer.json()["title"], "Invalid queue identification", "{bad}");
    }
    for good in ["a.b", "a-b_c", &long[..64]] {
        client.put(&format!("/v2/queues/{good}")).await.expect(201);
    }
    let far = app.client(&"p".repeat(257));
    far.put("/v2/queues/q").await.expect(400);
    far.get("/v2/queues").await.expect(200);
}

#[tokio::test]
async fn listings_page_by_name_and_filter() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let (client, other) = (app.client("p"), app.client("P"));
        for (name, node) in [("q1", json!(34)), ("q2", json!("x")), ("r%3", json!(34))] {
            let name = name.replace('%', "_");
            client.put_json(&format!("/v2/queues/{name}"), &json!({ "node": node })).await.expect(201);
        }
        other.put("/v2/queues/q1").await.expect(201);
        let names = async |query: &str| -> Vec<String> {
            let answer = client.get(&format!("/v2/queues?{query}")).await.expect(200).json();
            let queues = answer["queues"].as_array().unwrap().clone();
            queues.iter().map(|queue| queue["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names("limit=2").await, ["q1", "q2"]);
        assert_eq!(names("marker=q2").await, ["r_3"]);
        assert_eq!(names("name=q").await, ["q1", "q2"]);
        assert_eq!(names("name=_").await, ["r_3"]);
        assert_eq!(names("node=34").await, ["q1", "r_3"]);
        assert_eq!(names("node=34&name=q").await, ["q1"]);
        assert_eq!(names("_default_message_ttl=3600").await, [""; 0]);
        let page = client.get("/v2/queues?limit=1&detailed=True&with_count=true").await.expect(200).json();
        assert_eq!(page["count"], 3);
        assert_eq!(page["links"][0]["href"], "/v2/queues?limit=1&detailed=true&with_count=true&marker=q1");
        let mut metadata = defaults();
        metadata["node"] = json!(34);
        assert_eq!(page["queues"][0]["metadata"], metadata);
        let next = client.get("/v2/queues?marker=q1&limit=1").await.expect(200).json();
        assert_eq!(next["links"][0]["href"], "/v2/queues?marker=q2&limit=1");
        let end = client.get("/v2/queues?marker=zzz").await.expect(200).json();
        assert_eq!(end, json!({ "queues": [], "links": [] }));
        for bad in ["limit=0", "limit=21", "limit=x", "limit=-1", "detailed=maybe"] {
            client.get(&format!("/v2/queues?{bad}")).await.expect(400);
        }
    }
}

#[tokio::test]
async fn patches_are_all_or_nothing() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let add = json!([{ "op": "add", "path": "/metadata/a", "value": 1 }]);
        client.patch_queue("q", &add).await.expect(404);
        client.put("/v2/queues/q").await.expect(201);
        assert_eq!(client.patch_queue("q", &add).await.expect(200).json()["a"], 1);
        let half = json!([
            { "op": "replace", "path": "/metadata/a", "value": 2 },
            { "op": "remove", "path": "/metadata/none" },
        ]);
        client.patch_queue("q", &half).await.expect(409);
        let invalid = json!([
            { "op": "replace", "path": "/metadata/a", "value": 2 },
            { "op": "replace", "path": "/metadata/_default_message_ttl", "value": 1 },
        ]);
        client.patch_queue("q", &invalid).await.expect(400);
        assert_eq!(client.get("/v2/queues/q").await.json()["a"], 1);
        client.patch("/v2/queues/q", &add).await.expect(415);
        client.patch_queue("q", &json!({ "op": "add" })).await.expect(400);
        let reserved = json!([{ "op": "replace", "path": "/metadata/_default_message_ttl", "value": 300 }]);
        client.patch_queue("q", &reserved).await.expect(200);
        let id =
            &client.post("/v2/queues/q/messages", &json!({ "messages": [{ "body": 1 }] })).await.ids()[0];
        assert_eq!(client.get(&format!("/v2/queues/q/messages/{id}")).await.json()["ttl"], 300);
    }
}

#[tokio::test]
async fn concurrent_patches_lose_no_change() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        client.put("/v2/queues/q").await.expect(201);
        let patches = (0..8).map(|n| {
            let client = client.clone();
            async move {
                let add = json!([{ "op": "add", "path": format!("/metadata/k{n}"), "value": n }]);
                client.patch_queue("q", &add).await.expect(200);
            }
        });
        let mut set = tokio::task::JoinSet::new();
        patches.for_each(|patch| {
            set.spawn(patch);
        });
        set.join_all().await;
        let metadata = client.get("/v2/queues/q").await.json();
        (0..8).for_each(|n| assert_eq!(metadata[format!("k{n}")], n));
    }
}

#[tokio::test]
async fn stats_and_purge_tell_claimed_from_free() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let zeros = json!({ "messages": { "claimed": 0, "free": 0, "total": 0 } });
        assert_eq!(client.get("/v2/queues/q/stats").await.expect(200).json(), zeros);
        let ids = client.post_bodies("q", &[json!(1), json!(2), json!(3)]).await;
        client.post("/v2/queues/q/claims?limit=1", &json!({})).await.expect(201);
        app.pass(5);
        let stats = client.get("/v2/queues/q/stats").await.json()["messages"].clone();
        assert_eq!((&stats["claimed"], &stats["free"], &stats["total"]), (&json!(1), &json!(2), &json!(3)));
        let oldest = json!({
            "age": 5,
            "created": "2027-01-15T08:00:00Z",
            "href": format!("/v2/queues/q/messages/{}", ids[0]),
        });
        assert_eq!(stats["oldest"], oldest);
        assert_eq!(stats["newest"]["href"], format!("/v2/queues/q/messages/{}", ids[2]));
        client.post("/v2/queues/q/purge", &json!({ "resource_types": ["subscriptions"] })).await.expect(204);
        assert_eq!(client.get("/v2/queues/q/stats").await.json()["messages"]["free"], 2);
        send(client.request(reqwest::Method::POST, "/v2/queues/q/purge")).await.expect(204);
        let stats = client.get("/v2/queues/q/stats").await.json()["messages"].clone();
        assert_eq!((&stats["claimed"], &stats["free"]), (&json!(1), &json!(0)));
        for bad in [
            json!({}),
            json!({ "resource_types": ["x"] }),
            json!({ "resource_types": "messages" }),
            json!([]),
        ] {
            client.post("/v2/queues/q/purge", &bad).await.expect(400);
        }
        client.post("/v2/queues/missing/purge", &json!({ "resource_types": ["messages"] })).await.expect(204);
    }
}
