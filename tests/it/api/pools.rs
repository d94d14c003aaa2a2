//! Pools over REST: how they are registered, and which queue lies where.

mod admin;
mod health;
mod spread;
mod troubles;

use serde_json::{Value, json};

use crate::support::client::{Answer, send};
use crate::support::{Client, Store, TestApp};

/// A service with pools, without a virtual one.
pub(crate) async fn pooled(store: Store) -> TestApp {
    TestApp::start(store, "[DEFAULT]\nadmin_mode = true\npooling = true\n").await
}

/// A service with pools and a virtual one.
pub(super) async fn with_virtual_pool() -> TestApp {
    let ini = "[DEFAULT]\nadmin_mode = true\npooling = true\n[pooling:catalog]\nenable_virtual_pool = true\n";
    TestApp::start(Store::Memory, ini).await
}

/// An administrator's client.
pub(crate) struct Admin(pub(crate) Client);

impl Admin {
    pub(crate) fn of(app: &TestApp) -> Self {
        Self(app.client("operations"))
    }

    /// The same by a client of that project.
    pub(crate) fn of_client(client: Client) -> Self {
        Self(client)
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let method = method.parse().expect("a method");
        let request = self.0.request(method, path).header("x-roles", "admin");
        send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }

    /// Registers a pool in RAM, without a flavor.
    pub(crate) async fn pool(&self, name: &str, weight: u32) {
        let body = json!({ "weight": weight, "uri": format!("memory://{name}") });
        self.put(&format!("/v2/pools/{name}"), &body).await.expect(201);
    }

    /// Registers pools in RAM and a flavor of them.
    pub(crate) async fn flavor(&self, flavor: &str, pools: &[&str]) {
        for pool in pools {
            self.pool(pool, 1).await;
        }
        let body = json!({ "pool_list": pools });
        self.put(&format!("/v2/flavors/{flavor}"), &body).await.expect(201);
    }

    /// The number of messages in a pool, from the health report.
    pub(crate) async fn messages_in(&self, pool: &str) -> u64 {
        let health = self.get("/v2/health").await.expect(200).json();
        health[pool]["message_volume"]["total"].as_u64().expect("a number")
    }
}
