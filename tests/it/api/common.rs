//! What all of the API has in common: discovery, headers, negotiation, errors.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{CLIENT_ID, send};
use crate::support::{Store, TestApp};

#[tokio::test]
async fn discovery_names_what_there_is() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let versions = send(client.bare(Method::GET, "/")).await.expect(300).json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1);
    assert_eq!(versions["versions"][0]["id"], "2");
    let home = client.get("/v2/").await.expect(200);
    assert_eq!(home.header("content-type"), Some("application/json-home"));
    assert_eq!(home.header("cache-control"), Some("max-age=86400"));
    assert_eq!(home.json()["resources"]["rel/queue"]["href-template"], "/v2/queues/{queue_name}");
    assert_eq!(home.json()["resources"]["rel/queue_share"]["hints"]["allow"], json!(["POST"]));
}

#[tokio::test]
async fn unknown_routes_and_methods_say_so() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    for path in ["/v2", "/v3/queues", "/nothing", "/v2/health", "/v2/pools", "/v1/queues"] {
        let answer = send(client.bare(Method::GET, path)).await.expect(404);
        assert_eq!(answer.json(), json!({ "title": "404 Not Found" }), "{path}");
    }
    let answer = client.post("/v2/queues/q", &json!({})).await.expect(405);
    assert_eq!(answer.header("allow"), Some("DELETE, GET, PATCH, PUT, OPTIONS"));
    assert_eq!(answer.header("vary"), Some("Accept"));
    send(client.bare(Method::POST, "/v2/queues/q")).await.expect(400);
    for path in ["/v2/queues", "/v2/queues/q", "/v2/", "/v2/queues/q/messages"] {
        let head = send(client.request(Method::HEAD, path)).await.expect(405);
        assert!(head.bytes.is_empty());
    }
    send(client.request(Method::HEAD, "/v2/ping")).await.expect(204);
    assert!(client.get("/v2/ping").await.expect(204).header("content-length").is_none());
}

#[tokio::test]
async fn options_are_always_answered() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let answer = send(client.request(Method::OPTIONS, "/v2/queues/q")).await.expect(200);
    assert_eq!(answer.header("allow"), Some("DELETE, GET, PATCH, PUT"));
    for path in ["/v2/queues/q", "/nothing", "/"] {
        send(client.bare(Method::OPTIONS, path)).await.expect(200);
    }
}

#[tokio::test]
async fn headers_are_checked_in_their_order() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let title = async |headers: &[(&str, &str)]| -> Value {
        let request =
            headers.iter().fold(client.bare(Method::GET, "/v2/queues"), |r, (k, v)| r.header(*k, *v));
        send(request).await.json()["title"].clone()
    };
    assert_eq!(title(&[("accept", "application/json")]).await, "Missing header value");
    assert_eq!(title(&[("client-id", "x")]).await, "Wrong UUID value");
    assert_eq!(title(&[("client-id", CLIENT_ID)]).await, "Project-Id Missing");
    assert_eq!(
        title(&[("client-id", CLIENT_ID), ("x-project-id", "")]).await,
        "Empty project header not allowed"
    );
    let form = client.request(Method::PUT, "/v2/queues/q").header("accept", "text/html");
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("{}");
    send(form).await.expect(400);
    let xml =
        send(client.bare(Method::GET, "/v2/queues").header("accept", "application/xml")).await.expect(406);
    assert_eq!(xml.header("content-type"), Some("application/xml"));
    assert!(xml.bytes.starts_with(b"<?xml"));
    let html = send(client.bare(Method::GET, "/v2/queues").header("accept", "text/html")).await.expect(406);
    assert!(html.bytes.is_empty());
}

#[tokio::test]
async fn free_client_ids_are_an_option() {
    let app = TestApp::start(Store::Memory, "[transport]\nclient_id_uuid_safe = off\n").await;
    let client = app.client("p");
    for (id, status) in
        [("123456789", 400), ("1234567890", 200), (&"x".repeat(36), 200), (&"x".repeat(37), 400)]
    {
        let request =
            client.bare(Method::GET, "/v2/queues").header("client-id", id).header("x-project-id", "p");
        send(request).await.expect(status);
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let first = client.get("/v2/queues").await.header("x-openstack-request-id").unwrap().to_owned();
    let second = client.get("/nothing").await.header("x-openstack-request-id").unwrap().to_owned();
    assert!(first.starts_with("req-") && second.starts_with("req-") && first != second);
}

#[tokio::test]
async fn other_origins_learn_what_they_may() {
    let app = TestApp::start(Store::Memory, "[cors]\nallowed_origin = https://ui.example\n").await;
    let client = app.client("p");
    let from = |method, origin| client.request(method, "/v2/queues").header("origin", origin);
    let answer = send(from(Method::GET, "https://ui.example")).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://ui.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert!(
        send(from(Method::GET, "https://evil.example")).await.header("access-control-allow-origin").is_none()
    );
    let preflight = from(Method::OPTIONS, "https://ui.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "Client-ID, X-Auth-Token");
    let answer = send(preflight).await.expect(200);
    assert_eq!(answer.header("access-control-allow-methods"), Some("PUT"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("Client-ID,X-Auth-Token"));
    assert_eq!(answer.header("access-control-max-age"), Some("3600"));
    let refused =
        from(Method::OPTIONS, "https://ui.example").header("access-control-request-method", "TRACE");
    assert!(send(refused).await.expect(200).header("access-control-allow-methods").is_none());
}

#[tokio::test]
async fn health_tells_every_operation_to_administrators() {
    for store in Store::ALL {
        let app = TestApp::start(store, "[DEFAULT]\nadmin_mode = true\n").await;
        let client = app.client("p");
        client.get("/v2/health").await.expect(403);
        let health = send(client.request(Method::GET, "/v2/health").header("x-roles", "reader, Admin")).await;
        let health = health.expect(200).json();
        assert_eq!(health["storage_reachable"], true);
        let operations = health["operation_status"].as_object().unwrap();
        assert_eq!(operations.len(), 8);
        assert!(
            operations.values().all(|operation| operation["succeeded"] == true && operation["ref"].is_null())
        );
        assert_eq!(health["message_volume"]["total"], 0);
        client.get("/v2/ping").await.expect(204);
    }
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_ask() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let id = &client.post_bodies("q", &[json!("x".repeat(5_000))]).await[0];
    let path = format!("/v2/queues/q/messages/{id}");
    let packed = send(client.request(Method::GET, &path).header("accept-encoding", "gzip")).await.expect(200);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.bytes.len() < 500);
    assert!(client.get(&path).await.header("content-encoding").is_none());
}

#[tokio::test]
async fn a_mount_prefix_stands_in_no_link() {
    let app = TestApp::start(Store::Memory, "[listener]\nmount_prefix = /messaging\n").await;
    let client = app.client("p");
    let created = client.put("/messaging/v2/queues/q").await.expect(201);
    assert_eq!(created.header("location"), Some("/v2/queues/q"));
    client.put("/v2/queues/q").await.expect(204);
    send(client.bare(Method::GET, "/messaging/")).await.expect(300);
}

#[tokio::test]
async fn load_balancers_learn_of_the_end_before_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("disabled");
    let ini = format!("[listener]\nhealthcheck_disable_file = {}\n", file.display());
    let app = TestApp::start(Store::Memory, &ini).await;
    let client = app.client("p");
    send(client.bare(Method::GET, "/healthcheck")).await.expect(200);
    std::fs::write(&file, "").unwrap();
    let refused = send(client.bare(Method::GET, "/healthcheck")).await.expect(503);
    assert_eq!(refused.bytes, "DISABLED BY FILE");
    send(client.bare(Method::GET, "/healthcheck/live")).await.expect(200);
}
