//! What is v1.1's alone: v2 without its extensions.

use reqwest::Method;
use serde_json::{Value, json};

use super::with_old;
use crate::support::Store;
use crate::support::client::send;

const MESSAGES: &str = "/v1.1/queues/q/messages";

#[tokio::test]
async fn metadata_is_what_was_stored() {
    for store in Store::ALL {
        let app = with_old(store, "").await;
        let client = app.client("p");
        assert_eq!(client.get("/v1.1/queues").await.expect(200).json(), json!({ "queues": [], "links": [] }));
        assert_eq!(client.get("/v1.1/queues/none").await.expect(200).json(), json!({}));
        let metadata = json!({ "_default_message_ttl": 300, "k": "v" });
        let created = client.put_json("/v1.1/queues/q", &metadata).await.expect(201);
        assert_eq!(created.header("location"), Some("/v1.1/queues/q"));
        client.put_json("/v1.1/queues/q", &json!({ "_default_message_ttl": 1 })).await.expect(400);
        client.put_json("/v1.1/queues/q", &json!({ "k": 2 })).await.expect(204);
        assert_eq!(client.get("/v1.1/queues/q").await.expect(200).json(), metadata);
        // What are filters and extensions in v2 mean nothing here.
        let listed = client
            .get("/v1.1/queues?detailed=true&name=x&k=other&with_count=nonsense")
            .await
            .expect(200)
            .json();
        let next = json!([{ "rel": "next", "href": "/v1.1/queues?detailed=true&marker=q" }]);
        let queue = json!({ "name": "q", "metadata": metadata, "href": "/v1.1/queues/q" });
        assert_eq!(listed, json!({ "queues": [queue], "links": next }));
        for method in [Method::HEAD, Method::PATCH] {
            send(client.request(method, "/v1.1/queues/q")).await.expect(405);
        }
        for path in ["metadata", "purge", "share", "subscriptions"] {
            client.get(&format!("/v1.1/queues/q/{path}")).await.expect(404);
        }
    }
}

#[tokio::test]
async fn messages_are_those_of_v2_without_delays() {
    for store in Store::ALL {
        let app = with_old(store, "").await;
        let client = app.client("p");
        let list = |messages: Value| json!({ "messages": messages });
        let posted = client
            .post(MESSAGES, &list(json!([{ "body": 1, "delay": "x" }, { "ttl": 60, "body": 2 }])))
            .await;
        let posted = posted.expect(201);
        let ids = posted.ids();
        let hrefs: Vec<_> = ids.iter().map(|id| format!("{MESSAGES}/{id}")).collect();
        assert_eq!(posted.json(), json!({ "resources": hrefs }));
        let listed =
            client.get(&format!("{MESSAGES}?echo=true&include_delayed=nonsense")).await.expect(200).json();
        assert_eq!(
            listed["messages"][0],
            json!({ "id": ids[0], "href": hrefs[0], "ttl": 3600, "age": 0, "body": 1 })
        );
        let next = listed["links"][0]["href"].as_str().unwrap();
        assert!(next.starts_with(&format!("{MESSAGES}?echo=true&marker=")), "{next}");
        let found = client.get(&format!("{MESSAGES}?ids={}", ids.join(","))).await.expect(200).json();
        assert_eq!(found["messages"].as_array().unwrap().len(), 2);
        client.get(&format!("{MESSAGES}?ids=x")).await.expect(404);
        let claimed = send(client.request(Method::POST, "/v1.1/queues/q/claims?limit=1")).await.expect(201);
        let claim = claimed.header("location").unwrap();
        assert!(claim.starts_with("/v1.1/queues/q/claims/"), "{claim}");
        let (_, id) = claim.rsplit_once('/').unwrap();
        let told = format!("{}?claim_id={id}", hrefs[0]);
        assert_eq!(claimed.json()["messages"][0]["href"], told);
        assert_eq!(client.get(&hrefs[0]).await.expect(200).json()["href"], told);
        let popped = client.delete(&format!("{MESSAGES}?pop=5")).await.expect(200).json();
        assert_eq!(popped["messages"][0]["id"], ids[1]);
        for query in ["", "?pop=0", "?pop=21", "?pop=x", "?pop=1&ids=a"] {
            client.delete(&format!("{MESSAGES}{query}")).await.expect(400);
        }
        client.delete(&format!("{MESSAGES}?ids={}", ids[0])).await.expect(204);
        let zeros = json!({ "messages": { "claimed": 0, "free": 0, "total": 0 } });
        assert_eq!(client.get("/v1.1/queues/q/stats").await.expect(200).json(), zeros);
        assert_eq!(client.get("/v1.1/queues/none/stats").await.expect(200).json(), zeros);
    }
}

#[tokio::test]
async fn pools_and_flavors_are_for_administrators_here_too() {
    let app = with_old(Store::Memory, "admin_mode = true\npooling = true\n").await;
    let client = app.client("p");
    let admin = |method, path: &str| client.request(method, path).header("x-roles", "admin");
    for path in ["/v1/pools", "/v1.1/pools", "/v1.1/health"] {
        client.get(path).await.expect(403);
        send(admin(Method::GET, path)).await.expect(200);
    }
    for version in ["v1", "v1.1"] {
        let path = format!("/{version}/pools/{version}-pool");
        let pool = json!({ "weight": 7, "uri": format!("memory://{version}") });
        client.put_json(&path, &pool).await.expect(403);
        let made = send(admin(Method::PUT, &path).json(&pool)).await.expect(201);
        assert_eq!(made.header("location"), Some(&*path));
        let changed = send(admin(Method::PATCH, &path).json(&json!({ "weight": 8 }))).await.expect(200);
        assert_eq!(changed.bytes, "");
        let shown = send(admin(Method::GET, &path)).await.expect(200);
        assert_eq!((&shown.json()["weight"], &shown.json()["href"]), (&json!(8), &json!(path)));
        assert_eq!(shown.header("content-location"), (version == "v1").then_some(&*path));
        // No limit is out of range.
        for limit in ["-1", "0", "1000"] {
            let listed =
                send(admin(Method::GET, &format!("/{version}/pools?limit={limit}"))).await.expect(200);
            assert!(listed.header("content-location").is_some() && !listed.json()["pools"][0].is_null());
        }
    }
    let flavor = "/v1.1/flavors/f";
    for (body, status) in [
        (json!({}), 201),
        (json!({ "capabilities": {}, "anything": 1 }), 201),
        (json!({ "pool": "v1-pool" }), 201),
        (json!({ "pool_list": ["none"] }), 400),
        (json!({ "pool_list": "v1-pool" }), 400),
    ] {
        send(admin(Method::PUT, flavor).json(&body)).await.expect(status);
    }
    assert_eq!(client.get(flavor).await.expect(200).json(), json!({ "name": "f", "href": flavor }));
    let detailed = client.get("/v1.1/flavors?detailed=true").await.expect(200).json();
    assert!(
        !detailed["flavors"][0]["capabilities"].is_null() && detailed["flavors"][0]["pool_list"].is_null()
    );
    assert_eq!(detailed["links"][0]["href"], "/v1.1/flavors?detailed=true&marker=f");
    assert_eq!(client.get("/v2/flavors/f").await.expect(200).json()["pool_list"], json!(["v1-pool"]));
    let changed = json!({ "pool_list": ["v1.1-pool"] });
    assert_eq!(send(admin(Method::PATCH, flavor).json(&changed)).await.expect(200).bytes, "");
    assert_eq!(client.get("/v2/flavors/f").await.expect(200).json()["pool_list"], json!(["v1.1-pool"]));
    send(admin(Method::DELETE, flavor)).await.expect(204);
    client.get("/v1/flavors").await.expect(404);
}
