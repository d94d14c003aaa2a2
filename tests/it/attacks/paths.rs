//! Paths and targets that might be one thing to the check and another to the route.

use super::raw::raw;
use super::{MESSAGES, Scene};
use crate::support::client::CLIENT_ID;

/// Ways to write a path to other messages than the shared ones, some of them by way of the shared ones.
const ELSEWHERE: &[&str] = &[
    "/v2/queues/shared/messages/../../secret/messages",
    "/v2/queues/shared/messages/%2e%2e/%2e%2e/secret/messages",
    "/v2/queues/shared/messages/..%2f..%2fsecret%2fmessages",
    "/v2/queues/shared/messages/..%5c..%5csecret%5cmessages",
    "/v2/queues/shared/messages/..;/..;/secret/messages",
    "/v2/queues/shared/messages/..%00/secret/messages",
    "/v2/queues/shared/messages/%252e%252e/secret/messages",
    "/v2/queues/shared/messages//../../secret/messages",
    "/v2/queues/shared/messages/;/../../secret/messages",
    "/v2/queues/shared/messages/.%2e/.%2e/secret/messages",
    "/v2/queues/shared/messages/%c0%ae%c0%ae/secret/messages",
    "/v2/queues/shared/../secret/messages",
    "/v2/queues/shared%2fmessages/../../secret/messages",
    "/v2/queues/secret/messages",
    "/v2/queues/secret/messages/",
    "/v2/queues/secret/messages;/v2/queues/shared/messages",
    "/v2/queues/secret/messages%3f/v2/queues/shared/messages",
    "/v2/queues/secret/messages%23/v2/queues/shared/messages",
    "/v2/queues/secret/messages%00/v2/queues/shared/messages",
    "/v2/queues/secret/messages%0a/v2/queues/shared/messages",
    "/v2/queues/secret/messages/v2/queues/shared/messages",
    "/v2/queues/secret/messages?/v2/queues/shared/messages",
    "/v2/queues/secret/messages?x=/v2/queues/shared/messages",
    "/v2/queues/%73ecret/messages",
    "/v2/queues/shared2/messages",
    "/v2/queues/shared%32/messages",
    "/v2/queues/shared./messages",
    "/v2/queues/shared%2e/messages",
    "/v2/queues/Shared/messages",
    "/v2/queues/shared%20/messages",
    "/v2/queues//secret/messages",
    "//v2/queues/secret/messages",
    "/./v2/queues/secret/messages",
    "/%76%32/queues/secret/messages",
    "/v2%2fqueues%2fsecret%2fmessages",
    "/V2/queues/secret/messages",
    "/v1/queues/secret/messages",
    "/v1.1/queues/secret/messages",
    "/messaging/messaging/v2/queues/secret/messages",
    "/messaging//v2/queues/secret/messages",
    "/messaging/../v2/queues/secret/messages",
    "/messaging/v2/queues/secret/messages",
    "/healthcheck/../v2/queues/secret/messages",
    "http://x/v2/queues/secret/messages",
    "http://x@y/v2/queues/secret/messages",
    "http://x//v2/queues/secret/messages",
    "https://x/v2/queues/secret/messages",
    "http://v2/queues/shared/messages",
];

/// Ways to write the path of the shared messages that are not the one that was signed.
const ODD: &[&str] = &[
    "/v2/queues/shared/messages/",
    "/v2/queues/shared/messages//",
    "/v2/queues/shared/messages/.",
    "/v2/queues/shared/messages/..",
    "/v2/queues/shared/messages;",
    "/v2/queues/shared/messages.",
    "/v2/queues/shared/messages%2f",
    "/v2/queues/shared/%6dessages",
    "/v2/queues/%73hared/messages",
    "/v2/queues//shared/messages",
    "//v2/queues/shared/messages",
    "/V2/queues/shared/messages",
    "/v2/Queues/shared/messages",
    "/v1/queues/shared/messages",
    "/v1.1/queues/shared/messages",
    "/messaging/messaging/v2/queues/shared/messages",
];

#[tokio::test]
async fn no_spelling_of_a_path_leads_out_of_what_was_signed() {
    let scene = Scene::set("[listener]\nmount_prefix = /messaging\n").await;
    let mut headers = scene.url.values().to_vec();
    headers.push(("Client-ID", CLIENT_ID));
    for path in ELSEWHERE.iter().chain(ODD) {
        let sign = if path.contains('?') { '&' } else { '?' };
        let reply = raw(scene.app.address, &format!("GET {path}{sign}echo=true"), &headers).await;
        assert_eq!(reply.status, 404, "{path}: {}", reply.text);
        // With the values in the query there may be no signature at all where they are sent.
        let query = format!("GET {path}{sign}echo=true&{}&Client-ID={CLIENT_ID}", scene.url.query());
        let reply = raw(scene.app.address, &query, &[]).await;
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn the_target_may_be_absolute_and_the_host_anything() {
    let scene = Scene::set("[listener]\nmount_prefix = /messaging\n").await;
    let mut headers = scene.url.values().to_vec();
    headers.push(("Client-ID", CLIENT_ID));
    for target in [
        MESSAGES,
        "http://x/v2/queues/shared/messages",
        "http://evil.example/messaging/v2/queues/shared/messages",
    ] {
        for host in ["x", "evil.example", "v2/queues/secret", "x:99999", "x, y", "[::1]", ""] {
            let mut headers = headers.clone();
            headers.push(("Host", host));
            let reply = raw(scene.app.address, &format!("GET {target}?echo=true"), &headers).await;
            // What is no host may be refused; if not, it plays no part.
            assert!(reply.status == 200 || reply.status == 400, "{target} {host:?}: {}", reply.text);
            assert!(!reply.text.contains("evil.example"), "{}", reply.text);
        }
    }
    for target in ["*", "x", "x:80", "", "http://", "http://x", "ftp://x/v2/queues/secret/messages"] {
        let reply = raw(scene.app.address, &format!("GET {target}"), &headers).await;
        assert!([0, 300, 400, 404].contains(&reply.status), "{target}: {}", reply.text);
    }
}
