//! What load balancers and administrators learn while a store is gone.

use reqwest::Method;

use super::until;
use crate::support::client::send;
use crate::support::redis::{RedisServer, Setup};
use crate::support::{Client, Process, cloud};

async fn status(client: &Client, path: &str) -> u16 {
    send(client.request(Method::GET, path).header("x-roles", "admin")).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checks_follow_redis() {
    let mut redis = RedisServer::with(Setup::default().durable("always"));
    let state = tempfile::tempdir().unwrap();
    let server = Process::start(
        state.path(),
        &format!("[DEFAULT]\nadmin_mode = true\n{}", cloud::messages_in(&redis.uri())),
    )
    .await;
    let client = server.client("p");
    for path in ["/healthcheck", "/healthcheck/live", "/v2/health"] {
        assert_eq!(status(&client, path).await, 200, "{path}");
    }
    assert_eq!(status(&client, "/v2/ping").await, 204);
    redis.kill();
    for (path, expected) in [("/healthcheck", 503), ("/v2/ping", 503), ("/healthcheck/live", 200)] {
        assert_eq!(status(&client, path).await, expected, "{path}");
    }
    let health = send(client.request(Method::GET, "/v2/health").header("x-roles", "admin")).await;
    assert_eq!(health.expect(200).json()["storage_reachable"], false);
    redis.restart();
    until("it is healthy again", async || status(&client, "/healthcheck").await == 200).await;
    let health = send(client.request(Method::GET, "/v2/health").header("x-roles", "admin")).await;
    let health = health.expect(200).json();
    assert_eq!(health["storage_reachable"], true);
    let operations = health["operation_status"].as_object().unwrap();
    assert!(operations.values().all(|operation| operation["succeeded"] == true), "{health}");
}
