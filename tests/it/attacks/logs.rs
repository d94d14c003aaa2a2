//! The log: it names who was proved, and holds nothing that could be used again.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::Process;
use crate::support::client::{CLIENT_ID, send};
use crate::support::fake_keystone::FakeKeystone;
use crate::support::signed::{KEY, Signed};

#[tokio::test]
async fn the_log_names_the_proved_project_and_no_signature_or_token() {
    let (keystone, state) = (FakeKeystone::start().await, tempfile::tempdir().unwrap());
    let token = "a-token-that-is-worth-something";
    keystone.knows_member(token, "alpha");
    let ini = format!("{}{KEY}[DEFAULT]\ndebug = true\n", keystone.ini());
    let process = Process::start(state.path(), &ini).await;
    let client = process.client("");
    let bare = |method, path: &str| client.bare(method, path).header("client-id", CLIENT_ID);
    let share = bare(Method::POST, "/v2/queues/q/share").header("x-auth-token", token);
    let share = share.header("x-project-id", "claimed-project").header("x-user-id", "claimed-user");
    let url = Signed::of(&send(share.json(&json!({}))).await.expect(200).json());
    url.send(&client, Method::GET, "/v2/queues/q/messages").await.expect(200);
    let query = format!("/v2/queues/q/messages?{}&Client-ID={CLIENT_ID}", url.query());
    send(client.bare(Method::GET, &query)).await.expect(200);
    send(client.bare(Method::GET, &query.replace("URL-Methods=GET", "URL-Methods=PUT"))).await.expect(404);
    send(bare(Method::GET, "/v2/queues").header("x-auth-token", "unknown-token")).await.expect(401);
    // The last request, by which one can tell that the others are written.
    send(bare(Method::DELETE, "/v2/queues/q").header("x-auth-token", token)).await.expect(204);
    let log = written(&process, "DELETE").await;
    assert!(log.contains("alpha") && log.contains("user-of-alpha"), "{log}");
    assert!(log.contains("a pre-signed request is refused"), "{log}");
    for hidden in
        [&*url.signature, &*url.expires, CLIENT_ID, token, "unknown-token", "sekret", "s3cret", "claimed-"]
    {
        assert!(!log.contains(hidden), "{hidden}: {log}");
    }
}

/// The log, once it holds that.
async fn written(process: &Process, words: &str) -> String {
    let start = Instant::now();
    loop {
        let log = process.log();
        if log.contains(words) {
            return log;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "not in the log: {words}: {log}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
