//! Claims over REST.

use serde_json::json;

use crate::support::client::send;
use crate::support::{Store, TestApp};

const CLAIMS: &str = "/v2/queues/q/claims";

#[tokio::test]
async fn a_claim_lives_is_renewed_and_ends() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        client.post(CLAIMS, &json!({})).await.expect(204);
        let ids = client.post_bodies("q", &[json!(1), json!(2)]).await;
        let claimed =
            client.post(&format!("{CLAIMS}?limit=1"), &json!({ "ttl": 100, "grace": 60 })).await.expect(201);
        let path = claimed.header("location").unwrap().to_owned();
        let claim_id = path.rsplit('/').next().unwrap();
        let message = claimed.json()["messages"][0].clone();
        let href = format!("/v2/queues/q/messages/{}?claim_id={claim_id}", ids[0]);
        assert_eq!(message, json!({ "id": ids[0], "href": href, "ttl": 300, "age": 0, "body": 1 }));
        app.pass(10);
        let mut aged = message.clone();
        aged["age"] = json!(10);
        let shown = client.get(&path).await.expect(200).json();
        assert_eq!(shown, json!({ "age": 10, "ttl": 100, "messages": [aged], "href": path }));
        client.patch(&path, &json!({ "ttl": 200 })).await.expect(204);
        app.pass(150);
        assert_eq!(client.get(&path).await.expect(200).json()["age"], 150);
        let listed = client.get("/v2/queues/q/messages?echo=true").await.ids();
        assert_eq!(listed, [ids[1].as_str()]);
        let listed = client.get("/v2/queues/q/messages?echo=true&include_claimed=true").await;
        assert_eq!(listed.json()["messages"][0]["href"], href);
        app.pass(50);
        client.get(&path).await.expect(404);
        client.patch(&path, &json!({ "ttl": 200 })).await.expect(404);
        client.delete(&path).await.expect(204);
        assert_eq!(client.get("/v2/queues/q/messages?echo=true").await.ids(), ids);
    }
}

#[tokio::test]
async fn a_released_claim_frees_its_messages_in_their_places() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let ids = client.post_bodies("q", &[json!(1), json!(2), json!(3)]).await;
        let first = client.post(&format!("{CLAIMS}?limit=2"), &json!({})).await.expect(201);
        let path = first.header("location").unwrap();
        assert_eq!(client.post(CLAIMS, &json!({})).await.expect(201).ids(), ids[2..]);
        client.delete(path).await.expect(204);
        client.delete(path).await.expect(204);
        client.get(path).await.expect(404);
        let claim_id = path.rsplit('/').next().unwrap();
        client.delete(&format!("/v2/queues/q/messages/{}?claim_id={claim_id}", ids[0])).await.expect(400);
        assert_eq!(client.post(CLAIMS, &json!({})).await.expect(201).ids(), ids[..2]);
    }
}

#[tokio::test]
async fn a_claim_raises_the_life_of_its_messages() {
    for store in Store::ALL {
        let app = TestApp::start(store, "").await;
        let client = app.client("p");
        let post = json!({ "messages": [{ "ttl": 60, "body": 1 }, { "ttl": 1000, "body": 2 }] });
        let ids = client.post("/v2/queues/q/messages", &post).await.ids();
        app.pass(10);
        client.post(CLAIMS, &json!({ "ttl": 100, "grace": 60 })).await.expect(201);
        let ttl = async |id: &str| {
            client.get(&format!("/v2/queues/q/messages/{id}")).await.expect(200).json()["ttl"].clone()
        };
        assert_eq!((ttl(&ids[0]).await, ttl(&ids[1]).await), (json!(160), json!(1000)));
        app.pass(159);
        assert_eq!(ttl(&ids[0]).await, 160);
        app.pass(1);
        client.get(&format!("/v2/queues/q/messages/{}", ids[0])).await.expect(404);
    }
}

#[tokio::test]
async fn claims_are_held_to_their_limits() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    for bad in [
        "{",
        "[]",
        "\"x\"",
        ".",
        r#"{"ttl":59}"#,
        r#"{"ttl":43201}"#,
        r#"{"grace":59}"#,
        r#"{"grace":43201}"#,
        r#"{"ttl":"x"}"#,
        r#"{"ttl":null}"#,
    ] {
        send(client.request(reqwest::Method::POST, CLAIMS).body(bad)).await.expect(400);
    }
    for bad in ["limit=0", "limit=21", "limit=x"] {
        client.post(&format!("{CLAIMS}?{bad}"), &json!({})).await.expect(400);
    }
    send(client.request(reqwest::Method::POST, CLAIMS)).await.expect(204);
    let gone = "/v2/queues/q/claims/nope";
    client.get(gone).await.expect(404);
    client.patch(gone, &json!({ "ttl": 1 })).await.expect(400);
    client.patch(gone, &json!({ "ttl": 60, "grace": 1 })).await.expect(404);
    let without = send(client.request(reqwest::Method::PATCH, gone)).await.expect(400);
    assert_eq!(without.json()["description"], "Request body can not be empty");
}
