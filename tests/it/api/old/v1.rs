//! What is v1's alone.

use reqwest::Method;
use serde_json::{Value, json};

use super::with_old;
use crate::support::client::{OTHER_ID, send};
use crate::support::{Client, Store, TestApp};

const QUEUE: &str = "/v1/queues/q";
const MESSAGES: &str = "/v1/queues/q/messages";

async fn started(store: Store) -> (TestApp, Client) {
    let app = with_old(store, "").await;
    let client = app.client("p");
    client.put(QUEUE).await.expect(201);
    (app, client)
}

/// Two messages, as v1 posts them: the answer.
async fn post_two(client: &Client) -> crate::support::client::Answer {
    client
        .post(MESSAGES, &json!([{ "ttl": 300, "body": { "n": 1 } }, { "ttl": 400, "body": null }]))
        .await
        .expect(201)
}

#[tokio::test]
async fn a_queue_is_asked_for_by_its_status_alone() {
    for store in Store::ALL {
        let (_app, client) = started(store).await;
        client.put(QUEUE).await.expect(204);
        for (path, status) in [(QUEUE, 204), ("/v1/queues/none", 404)] {
            for method in [Method::GET, Method::HEAD] {
                let answer = send(client.request(method, path)).await.expect(status);
                assert_eq!((&*answer.bytes, answer.header("content-location")), (&b""[..], Some(path)));
            }
        }
        // No body is looked at, however wrong.
        send(client.request(Method::PUT, "/v1/queues/r").body("{")).await.expect(201);
        client.delete(QUEUE).await.expect(204);
        client.get(QUEUE).await.expect(404);
    }
}

#[tokio::test]
async fn metadata_is_a_resource_that_is_replaced_whole_but_for_what_is_reserved() {
    for store in Store::ALL {
        let (_app, client) = started(store).await;
        let metadata = "/v1/queues/q/metadata";
        let read = client.get(metadata).await.expect(200);
        assert_eq!((read.json(), read.header("content-location")), (json!({}), Some(metadata)));
        for document in [json!({ "a": 1, "b": { "ü": [null] } }), json!({ "c": "only" }), json!({})] {
            let written = client.put_json(metadata, &document).await.expect(204);
            assert_eq!(written.header("location"), Some(metadata));
            assert_eq!(client.get(metadata).await.expect(200).json(), document);
        }
        let refused = client.put_json(metadata, &json!({ "_default_message_ttl": 300 })).await.expect(400);
        assert!(refused.json()["description"].as_str().unwrap().starts_with("Reserved queue attributes"));
        for body in ["", " ", "[]", "{", "7"] {
            send(client.request(Method::PUT, metadata).body(body)).await.expect(400);
        }
        // Nothing is not the same as an empty body.
        let text = |answer: crate::support::client::Answer| answer.json()["description"].clone();
        let put = || client.request(Method::PUT, metadata);
        assert_eq!(text(send(put()).await.expect(400)), "Request body can not be empty");
        let empty = send(put().header("content-length", "0")).await.expect(400);
        assert_eq!(text(empty), "Request body could not be parsed.");
        client.put_json("/v1/queues/none/metadata", &json!({})).await.expect(404);
        client.get("/v1/queues/none/metadata").await.expect(404);
        // What v2 reserves is neither shown nor removed.
        let patch = json!([{ "op": "add", "path": "/metadata/_default_message_ttl", "value": 120 }]);
        client.patch_queue("q", &patch).await.expect(200);
        client.put_json(metadata, &json!({ "d": 4 })).await.expect(204);
        assert_eq!(client.get(metadata).await.json(), json!({ "d": 4 }));
        let listed = client.get("/v1/queues?detailed=true").await.expect(200).json();
        assert_eq!(listed["queues"][0]["metadata"], json!({ "d": 4 }));
        let all = client.get("/v2/queues/q").await.expect(200).json();
        assert_eq!((&all["_default_message_ttl"], &all["d"]), (&json!(120), &json!(4)));
    }
}

#[tokio::test]
async fn empty_lists_have_no_body() {
    let app = with_old(Store::Memory, "").await;
    let client = app.client("p");
    assert_eq!(client.get("/v1/queues").await.expect(204).bytes, "");
    client.put(QUEUE).await.expect(201);
    assert_eq!(client.get("/v1/queues?marker=q").await.expect(204).header("content-location"), None);
    let answer = client.get("/v1/queues?limit=1").await.expect(200);
    assert_eq!(answer.header("content-location"), Some("/v1/queues?limit=1"));
    let next = json!([{ "rel": "next", "href": "/v1/queues?limit=1&marker=q" }]);
    assert_eq!(answer.json(), json!({ "queues": [{ "name": "q", "href": QUEUE }], "links": next }));
    for path in [MESSAGES, "/v1/queues/none/messages", "/v1/queues/q/messages?marker=x"] {
        let answer = client.get(path).await.expect(204);
        assert_eq!((&*answer.bytes, answer.header("content-location")), (&b""[..], Some(path)));
    }
    client.get("/v1/queues/q/messages?ids=a,b").await.expect(204);
    client.post("/v1/queues/q/claims", &json!({ "ttl": 60, "grace": 60 })).await.expect(204);
}

#[tokio::test]
async fn messages_are_posted_and_got_as_bare_arrays() {
    for store in Store::ALL {
        let (_app, client) = started(store).await;
        let posted = post_two(&client).await;
        let ids = posted.ids();
        let hrefs: Vec<_> = ids.iter().map(|id| format!("{MESSAGES}/{id}")).collect();
        assert_eq!(posted.json(), json!({ "resources": hrefs, "partial": false }));
        let one = json!({ "href": hrefs[0], "ttl": 300, "age": 0, "body": { "n": 1 } });
        let two = json!({ "href": hrefs[1], "ttl": 400, "age": 0, "body": null });
        let got = client.get(&hrefs[0]).await.expect(200);
        assert_eq!((got.json(), got.header("content-location")), (one.clone(), Some(&*hrefs[0])));
        let both = client.get(&format!("{MESSAGES}?ids={}", ids.join(","))).await.expect(200);
        assert_eq!(both.json(), json!([one, two]));
        client.get(MESSAGES).await.expect(204);
        let listed = client.with_id(OTHER_ID).get(&format!("{MESSAGES}?limit=1")).await.expect(200).json();
        assert_eq!(listed["messages"], json!([one]));
        let next = listed["links"][0]["href"].as_str().unwrap();
        assert!(next.starts_with("/v1/queues/q/messages?limit=1&marker="), "{next}");
        assert_eq!(client.with_id(OTHER_ID).get(next).await.expect(200).json()["messages"], json!([two]));
    }
}

#[tokio::test]
async fn a_post_names_every_field_and_creates_no_queue() {
    let (_app, client) = started(Store::Memory).await;
    let message = json!([{ "ttl": 300, "body": 1 }]);
    let refused = client.post("/v1/queues/none/messages", &message).await.expect(404);
    assert_eq!(refused.json()["description"], "Queue none does not exist for project p");
    client.get("/v1/queues/none").await.expect(404);
    for (body, description) in [
        (json!([{ "body": 1 }]), "Missing \"ttl\" field."),
        (json!([{ "ttl": 300 }]), "Missing \"body\" field."),
        (json!([{ "ttl": "300", "body": 1 }]), "The value of the \"ttl\" field must be a int."),
        (json!({ "messages": [] }), "Document type not supported."),
        (json!(["x"]), "Document type not supported."),
        (json!([]), "No messages to enqueu."),
        (json!("x"), "Request body could not be parsed."),
    ] {
        assert_eq!(
            client.post(MESSAGES, &body).await.expect(400).json()["description"],
            description,
            "{body}"
        );
    }
    client.post(MESSAGES, &json!([{ "ttl": 59, "body": 1 }])).await.expect(400);
    client.post(MESSAGES, &json!([{ "ttl": 60, "body": 1, "delay": "x", "more": [] }])).await.expect(201);
}

#[tokio::test]
async fn a_claim_needs_its_terms_and_is_a_bare_array() {
    for store in Store::ALL {
        let (app, client) = started(store).await;
        let ids = post_two(&client).await.ids();
        let claims = "/v1/queues/q/claims";
        for body in [json!({}), json!({ "ttl": 60 }), json!({ "grace": 60 }), json!([])] {
            client.post(claims, &body).await.expect(400);
        }
        let refused = send(client.request(Method::POST, claims)).await.expect(400);
        assert_eq!(refused.json()["title"], "Invalid request body");
        let claimed =
            client.post(&format!("{claims}?limit=1"), &json!({ "ttl": 300, "grace": 60 })).await.expect(201);
        let claim = claimed.header("location").unwrap().to_owned();
        let id = claim.strip_prefix("/v1/queues/q/claims/").unwrap();
        let href = format!("{MESSAGES}/{}", ids[0]);
        let message = &claimed.json()[0];
        assert_eq!(message["href"], format!("{href}?claim_id={id}"));
        assert!(message.get("id").is_none(), "{message}");
        let read = client.get(&claim).await.expect(200);
        assert_eq!((&read.json()["href"], read.header("content-location")), (&json!(claim), Some(&*claim)));
        assert_eq!(read.json()["messages"][0]["href"], format!("{href}?claim_id={id}"));
        // Elsewhere the claim is not told.
        assert_eq!(client.get(&href).await.expect(200).json()["href"], href);
        client.patch(&claim, &json!({ "grace": 60 })).await.expect(400);
        app.pass(10);
        client.patch(&claim, &json!({ "ttl": 100 })).await.expect(204);
        let read = client.get(&claim).await.expect(200).json();
        assert_eq!((&read["age"], &read["ttl"]), (&json!(0), &json!(100)));
        client.delete(&href).await.expect(403);
        client.delete(&format!("{href}?claim_id={id}")).await.expect(204);
        client.delete(&claim).await.expect(204);
        client.get(&claim).await.expect(404);
    }
}

#[tokio::test]
async fn messages_are_deleted_by_ids_alone() {
    let (_app, client) = started(Store::Memory).await;
    let ids = post_two(&client).await.ids();
    for query in ["", "?ids=", "?pop=1"] {
        let refused = client.delete(&format!("{MESSAGES}{query}")).await.expect(400).json();
        let words = "The \"ids\" parameter is required.";
        assert_eq!(refused, json!({ "title": "Missing parameter", "description": words }));
    }
    client.delete(&format!("{MESSAGES}?pop=1&ids={}", ids.join(","))).await.expect(204);
    client.get(&format!("{MESSAGES}?echo=true")).await.expect(204);
}

#[tokio::test]
async fn statistics_are_of_queues_that_exist() {
    let (_app, client) = started(Store::Memory).await;
    client.get("/v1/queues/none/stats").await.expect(404);
    let ids = post_two(&client).await.ids();
    let stats = client.get("/v1/queues/q/stats").await.expect(200);
    assert_eq!(stats.header("content-location"), Some("/v1/queues/q/stats"));
    let stats = &stats.json()["messages"];
    assert_eq!(
        (&stats["free"], &stats["oldest"]["href"]),
        (&json!(2), &json!(format!("{MESSAGES}/{}", ids[0])))
    );
    let keys: Vec<_> = stats["newest"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["age", "created", "href"]);
}

#[tokio::test]
async fn clients_and_projects_may_be_left_out() {
    for store in Store::ALL {
        let app = with_old(store, "").await;
        let client = app.client("p");
        let bare = |method, path: &str| client.bare(method, path);
        send(bare(Method::GET, "/v1/")).await.expect(200);
        send(bare(Method::GET, "/v1/health")).await.expect(204);
        send(bare(Method::PUT, QUEUE)).await.expect(201);
        let missing = send(bare(Method::GET, "/v1/queues/none/stats")).await.expect(404).json();
        assert_eq!(missing["description"], "Queue none does not exist for project None");
        // The project without a name is nobody else's.
        assert_eq!(client.get("/v1/queues").await.expect(204).bytes, "");
        let post =
            |request: reqwest::RequestBuilder| request.json(&json!([{ "ttl": 300, "body": "nameless" }]));
        let refused = send(post(bare(Method::POST, MESSAGES))).await.expect(400);
        assert_eq!(refused.json()["title"], "Missing header value");
        send(bare(Method::GET, MESSAGES)).await.expect(400);
        let posted = send(post(bare(Method::POST, MESSAGES)).header("client-id", OTHER_ID)).await.expect(201);
        let id = &posted.ids()[0];
        send(bare(Method::GET, &format!("{MESSAGES}?ids={id}"))).await.expect(200);
        let claim = bare(Method::POST, "/v1/queues/q/claims").json(&json!({ "ttl": 60, "grace": 60 }));
        assert_eq!(send(claim).await.expect(201).json()[0]["body"], "nameless");
        client.get(&format!("{MESSAGES}/{id}")).await.expect(404);
        // Who names either must name it right; and later versions want both.
        send(bare(Method::GET, "/v1/queues").header("client-id", "x")).await.expect(400);
        send(bare(Method::GET, "/v1/queues").header("x-project-id", "")).await.expect(400);
        for version in ["v1.1", "v2"] {
            send(bare(Method::GET, &format!("/{version}/queues"))).await.expect(400);
            let request = bare(Method::GET, &format!("/{version}/queues")).header("client-id", OTHER_ID);
            assert_eq!(send(request).await.expect(400).json()["title"], "Project-Id Missing");
        }
    }
}

#[tokio::test]
async fn health_is_a_status_and_there_is_no_ping() {
    let (_app, client) = started(Store::Memory).await;
    assert_eq!(client.get("/v1/health").await.expect(204).bytes, "");
    send(client.request(Method::HEAD, "/v1/health")).await.expect(204);
    client.get("/v1/ping").await.expect(404);
    client.get("/v1").await.expect(404);
    let refused = client.post(QUEUE, &Value::Null).await.expect(405);
    assert_eq!(refused.header("allow"), Some("DELETE, GET, HEAD, PUT, OPTIONS"));
}
