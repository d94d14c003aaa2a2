//! Who may do what under rules of the operator, with the real project and queue as the target.

use reqwest::Method;
use serde_json::json;

use super::{Folder, under};
use crate::support::client::{Answer, send};
use crate::support::{Client, Store, TestApp};

/// A request by somebody with these roles.
async fn as_one_of(client: &Client, roles: &str, method: Method, path: &str) -> Answer {
    send(client.request(method, path).header("x-roles", roles)).await
}

#[tokio::test]
async fn rules_of_the_operator_decide() {
    let rules = "\"queues:create\": \"role:writer and not role:suspended\"\n\
                 \"queues:get\": [[\"role:reader\"], [\"rule:special\"]]\n\
                 special: \"'open':%(queue_name)s\"\n";
    let (_folder, app) = under(rules).await;
    let client = app.client("p");
    for (roles, status) in
        [("", 403), ("reader", 403), ("Writer", 201), ("writer, suspended", 403), ("x,writer", 204)]
    {
        as_one_of(&client, roles, Method::PUT, "/v2/queues/q").await.expect(status);
    }
    as_one_of(&client, "reader", Method::GET, "/v2/queues/q").await.expect(200);
    as_one_of(&client, "writer", Method::GET, "/v2/queues/q").await.expect(403);
    // A queue that is not there is shown as one without metadata.
    as_one_of(&client, "writer", Method::GET, "/v2/queues/open").await.expect(200);
    client.post_bodies("q", &[json!(1)]).await;
}

#[tokio::test]
async fn targets_are_the_projects_and_queues_of_requests() {
    let rules = "\"messages:create\": \"rule:admin_or_owner and 'mine':%(queue_name)s\"\n\
                 \"queues:get_all\": \"project_id:friend\"\n\"queues:stats\": \"user_id:alice and 'p':%(project_id)s\"\n";
    let (_folder, app) = under(rules).await;
    let client = app.client("p");
    client.post_bodies("mine", &[json!(1)]).await;
    client.post("/v2/queues/other/messages", &json!({ "messages": [{ "body": 1 }] })).await.expect(403);
    client.get("/v2/queues").await.expect(403);
    app.client("friend").get("/v2/queues").await.expect(200);
    let stats = |user| send(client.request(Method::GET, "/v2/queues/mine/stats").header("x-user-id", user));
    stats("alice").await.expect(200);
    stats("bob").await.expect(403);
}

#[tokio::test]
async fn the_new_defaults_are_for_those_who_ask_for_them() {
    let folder = Folder::with("");
    let new =
        folder.ini().replace("[DEFAULT]", "enforce_new_defaults = true\nenforce_scope = false\n[DEFAULT]");
    let (old, new) =
        (TestApp::start(Store::Memory, &folder.ini()).await, TestApp::start(Store::Memory, &new).await);
    for (roles, method, path, before, after) in [
        ("", Method::PUT, "/v2/queues/q", 201, 403),
        ("reader", Method::PUT, "/v2/queues/q", 204, 403),
        ("member", Method::PUT, "/v2/queues/q", 204, 201),
        ("service", Method::PUT, "/v2/queues/q", 204, 204),
        ("reader", Method::GET, "/v2/queues/q", 200, 200),
        ("stranger", Method::GET, "/v2/queues/q", 200, 403),
        ("", Method::GET, "/v2/ping", 204, 204),
        ("member", Method::GET, "/v2/pools", 403, 403),
        ("admin", Method::GET, "/v2/pools", 200, 200),
    ] {
        as_one_of(&old.client("p"), roles, method.clone(), path).await.expect(before);
        as_one_of(&new.client("p"), roles, method, path).await.expect(after);
    }
}

#[tokio::test]
async fn with_scopes_the_stores_of_all_are_not_for_administrators_of_a_project() {
    let folder = Folder::with("");
    let ini = folder.ini().replace("[DEFAULT]", "enforce_new_defaults = true\n[DEFAULT]");
    let app = TestApp::start(Store::Memory, &ini).await;
    for path in ["/v2/pools", "/v2/health"] {
        as_one_of(&app.client("p"), "admin", Method::GET, path).await.expect(403);
    }
    as_one_of(&app.client("p"), "admin", Method::GET, "/v2/queues").await.expect(200);
}
