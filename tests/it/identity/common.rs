//! A service that asks a fake identity service, and its callers.

use reqwest::{Method, RequestBuilder};

use crate::support::client::{Answer, CLIENT_ID, send};
use crate::support::fake_keystone::FakeKeystone;
use crate::support::{Client, Store, TestApp};

/// The service beside the identity service that it asks.
pub(super) struct Guarded {
    pub(super) keystone: FakeKeystone,
    pub(super) app: TestApp,
}

/// A service with more of `[keystone_authtoken]`, and then other sections.
pub(super) async fn guarded(more: &str) -> Guarded {
    let keystone = FakeKeystone::start().await;
    let app = TestApp::start(Store::Memory, &format!("{}{more}", keystone.ini())).await;
    Guarded { keystone, app }
}

impl Guarded {
    /// A request with that token and nothing else but a client id.
    pub(super) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        request(&self.app, method, path, token)
    }

    /// A GET with that token.
    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        send(self.request(Method::GET, path, token)).await
    }

    /// A PUT with that token.
    pub(super) async fn put(&self, path: &str, token: &str) -> Answer {
        send(self.request(Method::PUT, path, token)).await
    }
}

/// A request with that token and nothing else but a client id.
pub(super) fn request(app: &TestApp, method: Method, path: &str, token: &str) -> RequestBuilder {
    let client = Client::new(app.address, "none");
    client.bare(method, path).header("client-id", CLIENT_ID).header("x-auth-token", token)
}

/// The names of the queues in the answer to a listing.
pub(super) fn names(answer: &Answer) -> Vec<String> {
    let queues = answer.json()["queues"].as_array().cloned().unwrap_or_default();
    queues.iter().map(|queue| queue["name"].as_str().expect("a name").to_owned()).collect()
}
