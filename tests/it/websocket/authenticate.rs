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
    app.pass(2);
    let frame = client.closed().await.expect("a code");
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4003, "Authentication expired."));
    assert_eq!(other.call("queue_list", &json!({})).await.0, 200);
}

/// Otherwise a token of another project would carry pushes beyond the end of the one that they were granted to.
#[tokio::test]
async fn a_token_of_another_project_ends_the_pushes_from_the_first() {
    let (keystone, app) = guarded("").await;
    keystone.knows("elsewhere", described("p2", &["member"]));
    let mut client = WebSocketClient::connect(app.websocket, "p2").await;
    let mut other = WebSocketClient::connect(app.websocket, "p").await;
    let queue = json!({ "queue_name": "q" });
    for (one, token) in [(&mut client, "good"), (&mut other, "good")] {
        one.send_json(&with_token(token, "p")).await;
        assert_eq!(status(&one.json().await), 200);
    }
    let mut subscribe = client.request("subscription_create", &queue);
    subscribe["headers"]["X-Project-ID"] = json!("p");
    client.send_json(&subscribe).await;
    assert_eq!(status(&client.json().await), 201);
    for (token, project) in [("good", "p"), ("elsewhere", "p2")] {
        client.send_json(&with_token(token, project)).await;
        assert_eq!(status(&client.json().await), 200);
        if project == "p" {
            let body = json!({ "queue_name": "q", "messages": [{ "body": 1 }] });
            assert_eq!(other.call("message_post", &body).await.0, 201);
            assert_eq!(client.json().await["body"], json!(1), "its own project goes on");
        }
    }
    let start = std::time::Instant::now();
    loop {
        let (_, listed) = other.call("subscription_list", &queue).await;
        if listed["subscriptions"] == json!([]) {
            break;
        }
        assert!(start.elapsed().as_secs() < 60, "{listed}");
    }
    let body = json!({ "queue_name": "q", "messages": [{ "body": 2 }] });
    assert_eq!(other.call("message_post", &body).await.0, 201);
    // The next frame is the answer, and no push.
    assert_eq!(client.call("queue_list", &json!({})).await.0, 200);
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
