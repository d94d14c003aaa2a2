//! Who sends requests: tokens, their end, and pre-signed requests.

use serde_json::{Value, json};

use crate::support::client::CLIENT_ID;
use crate::support::fake_keystone::{FakeKeystone, described};
use crate::support::websocket::{HANDSHAKE, WebSocketClient, handshake, status};
use crate::support::{Store, TestApp};

async fn guarded(more: &str) -> (FakeKeystone, TestApp) {
    let keystone = FakeKeystone::start().await;
    keystone.knows_member("good", "p");
    let app = TestApp::start(Store::Memory, &format!("{}{more}", keystone.ini())).await;
    (keystone, app)
}

fn with_token(token: &str, project: &str) -> Value {
    let headers = json!({ "X-Auth-Token": token, "X-Project-ID": project, "Client-ID": CLIENT_ID });
    json!({ "action": "authenticate", "headers": headers })
}

#[tokio::test]
async fn nobody_may_do_anything_before_it_has_proved_who_it_is() {
    let (_keystone, app) = guarded("").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    let refused = client.call("queue_list", &json!({})).await;
    assert_eq!(refused, (403, json!({ "error": "Not authentified." })));
    client.send_json(&with_token("bad", "p")).await;
    let failed = client.json().await;
    assert_eq!((status(&failed), &failed["body"]), (401, &json!({ "error": "Authentication failed." })));
    // Back to back, without waiting for the answer.
    client.send_json(&with_token("good", "p")).await;
    client.send_json(&client.request("queue_list", &json!({}))).await;
    let welcome = client.json().await;
    let echo = json!({ "action": "authenticate", "body": {}, "headers": {}, "api": "v2" });
    assert_eq!((status(&welcome), &welcome["body"]), (200, &json!({ "message": "Authentified." })));
    assert_eq!(welcome["request"], echo);
    assert_eq!(status(&client.json().await), 200);
    // A failure takes nothing away.
    client.send_json(&with_token("bad", "p")).await;
    assert_eq!(status(&client.json().await), 401);
    assert_eq!(client.call("queue_list", &json!({})).await.0, 200);
}

#[tokio::test]
async fn a_client_acts_in_the_project_of_its_token_only() {
    let (_keystone, app) = guarded("").await;
    for project in ["other", ""] {
        let mut client = WebSocketClient::connect(app.websocket, project).await;
        client.send_json(&with_token("good", project)).await;
        assert_eq!(status(&client.json().await), 200);
        let refused = client.call("queue_list", &json!({})).await;
        assert_eq!(refused, (403, json!({ "error": "Not authenticated." })), "{project:?}");
    }
}

#[tokio::test]
async fn who_names_no_project_is_at_home_where_none_is_needed() {
    let (keystone, app) = guarded("[DEFAULT]\nadmin_mode = true\npooling = true\n").await;
    keystone.knows("admin", described("p", &["admin"]));
    for (token, scope) in [("system", json!({ "all": true })), ("domain", json!({ "id": "d", "name": "D" }))]
    {
        let mut document = described("p", &["admin", "reader"]);
        drop(document.as_object_mut().unwrap().remove("project"));
        document[token] = scope;
        keystone.knows(token, document);
    }
    let headers = |project: Option<&str>| match project {
        Some(project) => json!({ "Client-ID": CLIENT_ID, "X-Project-ID": project }),
        None => json!({}),
    };
    for (token, action, project, wanted) in [
        ("admin", "ping_node", None, 204),
        ("admin", "get_home_doc", None, 200),
        ("admin", "check_node_health", None, 200),
        ("admin", "check_node_health", Some("p"), 200),
        ("admin", "check_node_health", Some("other"), 403),
        ("admin", "check_node_health", Some(""), 403),
        ("system", "check_node_health", None, 200),
        ("system", "pool_list", Some(""), 200),
        ("system", "pool_list", Some("p"), 403),
        ("system", "queue_list", Some(""), 403),
        ("system", "flavor_list", Some(""), 403),
        ("system", "get_home_doc", None, 403),
        ("domain", "check_node_health", None, 403),
        ("domain", "pool_list", Some(""), 403),
        ("domain", "ping_node", None, 403),
    ] {
        let mut client = WebSocketClient::connect(app.websocket, "p").await;
        client.send_json(&with_token(token, "")).await;
        assert_eq!(status(&client.json().await), 200, "{token}");
        let body = json!({ "pool_name": "", "flavor_name": "" });
        client.send_json(&json!({ "action": action, "headers": headers(project), "body": body })).await;
        let reply = client.json().await;
        assert_eq!(status(&reply), wanted, "{token} {action} {project:?}");
        if wanted == 403 {
            assert_eq!(reply["body"], json!({ "error": "Not authenticated." }));
        }
    }
}

/// Posts a message to `q` of that project by somebody else.
async fn post_as(app: &TestApp, token: &str, project: &str, number: u64) {
    let mut other = WebSocketClient::connect(app.websocket, project).await;
    other.send_json(&with_token(token, project)).await;
    assert_eq!(status(&other.json().await), 200);
    let body = json!({ "queue_name": "q", "messages": [{ "body": number }] });
    assert_eq!(other.call("message_post", &body).await.0, 201);
}

#[tokio::test]
async fn pushes_go_on_only_for_who_may_have_them() {
    let (keystone, app) = guarded("").await;
    keystone.knows_member("again", "p");
    keystone.knows_member("elsewhere", "p2");
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    client.send_json(&with_token("good", "p")).await;
    assert_eq!(status(&client.json().await), 200);
    assert_eq!(client.call("subscription_create", &json!({ "queue_name": "q" })).await.0, 201);
    client.send_json(&with_token("again", "p")).await;
    assert_eq!(status(&client.json().await), 200);
    post_as(&app, "good", "p", 1).await;
    assert_eq!(client.json().await["body"], 1, "a fresh token of the same project");
    client.send_json(&with_token("bad", "p")).await;
    assert_eq!(status(&client.json().await), 401);
    post_as(&app, "good", "p", 2).await;
    assert_eq!(client.json().await["body"], 2, "a failure takes nothing away");
    client.send_json(&with_token("elsewhere", "p2")).await;
    assert_eq!(status(&client.json().await), 200);
    post_as(&app, "good", "p", 3).await;
    let request = json!({
        "action": "subscription_create", "body": { "queue_name": "q" },
        "headers": { "Client-ID": CLIENT_ID, "X-Project-ID": "p2" },
    });
    client.send_json(&request).await;
    assert_eq!(status(&client.json().await), 201);
    post_as(&app, "elsewhere", "p2", 4).await;
    assert_eq!(client.json().await["body"], 4, "messages of another project come no more");
}

#[tokio::test]
async fn without_a_strategy_everybody_is_welcome() {
    let app = TestApp::start(Store::Memory, "").await;
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    client.send_json(&with_token("any", "p")).await;
    let welcome = client.json().await;
    assert_eq!((status(&welcome), &welcome["body"]["message"]), (200, &json!("Authentified.")));
}

#[tokio::test]
async fn a_connection_ends_with_its_token_unless_it_brings_another_one() {
    let (keystone, app) = guarded("").await;
    let mut short = described("p", &["member"]);
    // The service's clock stands there; the test moves it.
    short["expires_at"] = json!("2027-01-15T08:00:01.000000Z");
    keystone.knows("short", short);
    let mut client = WebSocketClient::connect(app.websocket, "p").await;
    let mut other = WebSocketClient::connect(app.websocket, "p").await;
    for one in [&mut client, &mut other] {
        one.send_json(&with_token("short", "p")).await;
        assert_eq!(status(&one.json().await), 200);
    }
    other.send_json(&with_token("good", "p")).await;
    assert_eq!(status(&other.json().await), 200);
    // What it waits for is not waited for any longer.
    client.send_json(&client.request("claim_create", &json!({ "queue_name": "q", "wait": 60 }))).await;
    app.pass(2);
    let frame = client.closed().await.expect("a code");
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4003, "Authentication expired."));
    let post = json!({ "queue_name": "q", "messages": [{ "body": 1 }] });
    assert_eq!(other.call("message_post", &post).await.0, 201);
    assert_eq!(other.call("claim_create", &json!({ "queue_name": "q" })).await.0, 201);
}

#[tokio::test]
async fn a_token_may_come_with_the_handshake() {
    let (_keystone, app) = guarded("").await;
    for (token, wanted) in [("good", 101), ("bad", 401)] {
        let headers: Vec<_> = HANDSHAKE.into_iter().chain([("X-Auth-Token", token)]).collect();
        let head = handshake(app.address, "GET /v2/ws", &headers).await;
        assert_eq!(head.status, wanted);
        if wanted == 101 {
            assert_eq!(head.opened("p").call("queue_list", &json!({})).await.0, 200);
        }
    }
}

/// A signature of the specification's table, made with the key `secret`.
fn signed(action: &str, queue: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut headers = json!({
        "Client-ID": CLIENT_ID, "X-Project-ID": "p1", "URL-Expires": "2030-01-01T00:00:00",
        "URL-Methods": ["GET", "POST"],
        "URL-Paths": ["/v2/queues/demo/claims", "/v2/queues/demo/messages"],
        "URL-Signature": "a533892700308d16f6fba527980bea27e3aeca476ed2e3c7cbef6842c12d1666",
    });
    change(&mut headers);
    let body =
        json!({ "queue_name": queue, "messages": [{ "body": 1 }], "message_id": "x", "message_ids": ["x"] });
    json!({ "action": action, "headers": headers, "body": body })
}

#[tokio::test]
async fn a_signature_opens_its_queue_to_its_methods_and_nothing_else() {
    let (_keystone, app) = guarded("[signed_url]\nsecret_key = secret\n").await;
    let mut client = WebSocketClient::connect(app.websocket, "p1").await;
    let plain = |_: &mut Value| {};
    for (request, wanted) in [
        (signed("message_post", "demo", plain), 201),
        (signed("message_list", "demo", plain), 200),
        (signed("message_get_many", "demo", plain), 200),
        (signed("message_list", "other", plain), 403),
        (signed("message_post", "other", plain), 403),
        (signed("message_delete", "demo", plain), 403),
        (signed("queue_list", "demo", plain), 403),
        (signed("claim_create", "demo", plain), 403),
        (signed("message_list", "demo", |headers| headers["X-Project-ID"] = json!("p2")), 403),
        (signed("message_list", "demo", |headers| headers["URL-Methods"] = json!("GET,POST")), 403),
        (
            signed("message_list", "demo", |headers| {
                headers["URL-Paths"] = json!("/v2/queues/demo/messages");
            }),
            403,
        ),
        (
            signed("message_list", "demo", |headers| headers["URL-Expires"] = json!("2031-01-01T00:00:00")),
            403,
        ),
        (signed("message_list", "demo", |headers| headers["URL-Signature"] = json!("")), 403),
        (
            signed("message_list", "demo", |headers| {
                drop(headers.as_object_mut().unwrap().remove("URL-Methods"));
            }),
            403,
        ),
    ] {
        client.send_json(&request).await;
        let reply = client.json().await;
        assert_eq!(status(&reply), wanted, "{request}");
        if wanted == 403 {
            assert_eq!(reply["body"], json!({ "error": "Not authentified." }));
        }
    }
    assert_eq!(client.call("queue_list", &json!({})).await.0, 403, "the connection stays nobody's");
}
