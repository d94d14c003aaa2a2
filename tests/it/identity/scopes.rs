//! Tokens of other scopes than a project.

use serde_json::{Value, json};

use super::common::guarded;
use crate::support::fake_keystone::described;

/// What stands under `token` for an administrator with that scope in place of a project.
fn scoped(scope: &str, value: Value) -> Value {
    let mut token = described("p", &["admin", "reader"]);
    let token = token.as_object_mut().unwrap();
    token.remove("project");
    token.insert(scope.to_owned(), value);
    json!(token)
}

#[tokio::test]
async fn a_token_of_the_system_reaches_what_belongs_to_no_project() {
    let guarded = guarded("[DEFAULT]\nadmin_mode = true\npooling = true\n").await;
    guarded.keystone.knows("system", scoped("system", json!({"all": true})));
    for (path, status) in
        [("/v2/pools", 200), ("/v2/migrations", 200), ("/v2/health", 200), ("/v2/ping", 204)]
    {
        guarded.get(path, "system").await.expect(status);
    }
    let pool = json!({"weight": 1, "uri": "memory://"});
    let request = guarded.request(reqwest::Method::PUT, "/v2/pools/one", "system").json(&pool);
    let status = crate::support::client::send(request).await.status.as_u16();
    assert!([201, 400].contains(&status), "it was let in: {status}");
    for path in ["/v2/queues", "/v2/queues/q", "/v2/queues/q/messages", "/v2/flavors", "/v2/"] {
        let answer = guarded.get(path, "system").await.expect(400);
        assert_eq!(answer.json()["title"], "Project-Id Missing", "{path}");
    }
    // A header does not give it a project either.
    let forged = guarded.request(reqwest::Method::GET, "/v2/queues", "system").header("x-project-id", "p");
    crate::support::client::send(forged).await.expect(400);
}

#[tokio::test]
async fn a_token_of_a_domain_or_of_nothing_has_no_project_anywhere() {
    let guarded =
        guarded("[DEFAULT]\nadmin_mode = true\npooling = true\nenable_deprecated_api_versions = 1,1.1\n")
            .await;
    guarded.keystone.knows("domain", scoped("domain", json!({"id": "d", "name": "D"})));
    guarded.keystone.knows("nothing", scoped("methods", json!(["password"])));
    for token in ["domain", "nothing"] {
        for path in
            ["/v1/queues", "/v1/pools", "/v1.1/queues", "/v2/queues", "/v2/ping", "/v2/pools", "/v2/health"]
        {
            let answer = guarded.get(path, token).await.expect(400);
            assert_eq!(answer.json()["title"], "Project-Id Missing", "{token} {path}");
        }
    }
}
