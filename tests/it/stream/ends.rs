//! When a stream ends, and when it does not.

use reqwest::Method;
use serde_json::json;

use crate::support::client::CLIENT_ID;
use crate::support::events::{EventStream, path};
use crate::support::fake_keystone::{FakeKeystone, described};
use crate::support::signed::{KEY, Signed};
use crate::support::{Store, TestApp};

#[tokio::test]
async fn a_quiet_stream_is_kept_alive() {
    let app = TestApp::start(Store::Memory, "[listener]\nkeepalive_timeout = 1\n").await;
    let client = app.client("p");
    let mut stream = EventStream::open(&client, "q").await;
    stream.comment().await;
    client.post_bodies("q", &[json!(1)]).await;
    assert_eq!(stream.bodies(1).await, [json!(1)]);
}

#[tokio::test]
async fn it_ends_when_the_token_does() {
    let keystone = FakeKeystone::start().await;
    let app = TestApp::start(Store::Memory, &keystone.ini()).await;
    for (token, expires_at) in
        [("short", "2027-01-15T08:01:00.000000Z"), ("long", "2027-01-15T09:00:00.000000Z")]
    {
        let mut document = described("p", &["member"]);
        document["expires_at"] = expires_at.into();
        keystone.knows(token, document);
    }
    let client = app.client("none");
    let request = |method, path: &str, token| {
        client.bare(method, path).header("client-id", CLIENT_ID).header("x-auth-token", token)
    };
    let mut short = EventStream::from(request(Method::GET, &path("q"), "short")).await;
    let mut long = EventStream::from(request(Method::GET, &path("q"), "long")).await;
    let post = async |n: u32| {
        let message = json!({ "messages": [{ "ttl": 300, "body": n }] });
        let request = request(Method::POST, "/v2/queues/q/messages", "long").json(&message);
        crate::support::client::send(request).await.expect(201);
    };
    post(1).await;
    assert_eq!(short.bodies(1).await, [json!(1)]);
    app.pass(60);
    post(2).await;
    assert_eq!(short.next().await, None);
    assert_eq!(long.bodies(2).await, [json!(1), json!(2)]);
}

#[tokio::test]
async fn it_ends_when_the_signature_does() {
    let app = TestApp::start(Store::Memory, KEY).await;
    let client = app.client("p");
    let expires = "2027-01-15T08:02:00";
    let terms = json!({ "paths": ["messages"], "methods": ["GET"], "expires": expires });
    let signed = Signed::share(&client, "q", &terms).await;
    // As a browser does it, which cannot send headers.
    let target = format!("{}?{}&Client-ID={CLIENT_ID}", path("q"), signed.query());
    let mut stream = EventStream::from(client.bare(Method::GET, &target)).await;
    client.post_bodies("q", &[json!(1)]).await;
    assert_eq!(stream.bodies(1).await, [json!(1)]);
    let other = format!("{}?{}&Client-ID={CLIENT_ID}", path("r"), signed.query());
    crate::support::client::send(client.bare(Method::GET, &other)).await.expect(404);
    app.pass(120);
    client.post_bodies("q", &[json!(2)]).await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn it_ends_in_order_with_the_service() {
    let app = TestApp::start(Store::Memory, "").await;
    let client = app.client("p");
    let (mut one, mut two) = (EventStream::open(&client, "q").await, EventStream::open(&client, "r").await);
    client.post_bodies("q", &[json!(1)]).await;
    let (clean, seen, last) = tokio::join!(app.stop(), one.next(), two.next());
    assert!(clean, "nothing had to be cut");
    assert_eq!(last, None);
    // What was posted before may be given yet.
    assert!(seen.is_none() || one.next().await.is_none());
}
