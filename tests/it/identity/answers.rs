//! What callers without a valid token are told, and where (storage-and-operations.md 14.2).

use reqwest::Method;
use serde_json::json;

use super::common::guarded;
use crate::support::client::send;
use crate::support::{Client, Store, TestApp};

#[tokio::test]
async fn the_answer_to_a_caller_without_a_valid_token() {
    let guarded = guarded("").await;
    let expected = json!({"error": {"code": 401, "title": "Unauthorized",
                                    "message": "The request you have made requires authentication."}});
    let nobody = Client::new(guarded.app.address, "p");
    for accept in ["*/*", "application/xml", "text/html"] {
        for request in [
            nobody.request(Method::GET, "/v2/queues"),
            guarded.request(Method::GET, "/v2/queues", "unknown"),
            guarded.request(Method::GET, "/v2/queues", ""),
        ] {
            let answer = send(request.header("accept", accept)).await.expect(401);
            assert_eq!(answer.json(), expected);
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let challenge = r#"Keystone uri="http://keystone.example/v3""#;
            assert_eq!(answer.header("www-authenticate"), Some(challenge));
        }
    }
    let head = send(nobody.request(Method::HEAD, "/v2/ping")).await.expect(401);
    assert!(head.bytes.is_empty() && head.header("www-authenticate").is_some());
}

#[tokio::test]
async fn whoever_has_no_token_learns_nothing_of_the_routes() {
    let guarded = guarded("[listener]\nmount_prefix = /messaging\n").await;
    let nobody = Client::new(guarded.app.address, "p");
    let paths = [
        "/v2/",
        "/v2/ping",
        "/v2/health",
        "/nowhere",
        "/v2",
        "/v1/queues",
        "/v1.1/queues",
        "/v2/queues/q/none",
    ];
    for path in
        paths.iter().map(|path| (*path).to_owned()).chain(paths.map(|path| format!("/messaging{path}")))
    {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::from_bytes(b"BREW").unwrap()] {
            send(nobody.bare(method, &path)).await.expect(401);
        }
    }
    // Before the form of the request is looked at.
    let form = nobody.bare(Method::POST, "/v2/queues/q/messages");
    send(form.header("content-type", "application/x-www-form-urlencoded").body("a=b")).await.expect(401);
    // What anybody may know stays open, and any OPTIONS is answered.
    for (path, status) in [("/", 300), ("/messaging/", 300), ("/healthcheck", 200)] {
        let answer = send(nobody.bare(Method::GET, path)).await.expect(status);
        assert_eq!(answer.header("www-authenticate"), None);
    }
    send(nobody.bare(Method::OPTIONS, "/v2/queues")).await.expect(200);
    // With a token, unknown routes are that.
    guarded.keystone.knows_member("t", "p");
    let answer = guarded.get("/nowhere", "t").await.expect(404);
    assert_eq!(answer.header("www-authenticate"), None);
    guarded.get("/messaging/v2/queues", "t").await.expect(200);
}

#[tokio::test]
async fn nobody_has_to_prove_anything_where_that_is_wanted() {
    for strategy in ["", "auth_strategy =\n", "auth_strategy = noauth\n"] {
        let app = TestApp::start(Store::Memory, &format!("[DEFAULT]\n{strategy}")).await;
        app.client("p").get("/v2/queues").await.expect(200);
    }
}

#[tokio::test]
async fn where_to_get_a_token_is_learnt_from_the_catalogue() {
    let guarded = guarded("www_authenticate_uri =\n").await;
    let url = format!("http://{}", guarded.keystone.address);
    let challenge = async || {
        let answer = guarded.get("/v2/queues", "").await.expect(401);
        answer.header("www-authenticate").unwrap().to_owned()
    };
    assert_eq!(challenge().await, format!("Keystone uri=\"{url}/v3\""));
    guarded.keystone.set_endpoints(&[
        ("internal", "RegionOne", url.clone()),
        ("public", "RegionOne", "https://identity.example".to_owned()),
    ]);
    guarded.get("/v2/queues", "unknown").await.expect(401);
    assert_eq!(challenge().await, r#"Keystone uri="https://identity.example/v3""#);
}
