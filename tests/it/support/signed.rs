//! Pre-signed URLs, as their holders use them.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::Client;
use super::client::{Answer, CLIENT_ID, send};

/// The configuration of a service that signs.
pub(crate) const KEY: &str = "[signed_url]\nsecret_key = sekret\n";

/// The values of a pre-signed URL.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) signature: String,
    pub(crate) expires: String,
    pub(crate) methods: String,
    pub(crate) paths: String,
    pub(crate) project: String,
}

impl Signed {
    /// Asks for one.
    pub(crate) async fn share(client: &Client, queue: &str, terms: &Value) -> Self {
        Self::of(&client.post(&format!("/v2/queues/{queue}/share"), terms).await.expect(200).json())
    }

    /// The one in that answer.
    pub(crate) fn of(answer: &Value) -> Self {
        let text = |key: &str| answer[key].as_str().expect("a text").to_owned();
        let list = |key: &str| {
            let items = answer[key].as_array().expect("a list").iter();
            items.map(|item| item.as_str().expect("a text")).collect::<Vec<_>>().join(",")
        };
        Self {
            signature: text("signature"),
            expires: text("expires"),
            methods: list("methods"),
            paths: list("paths"),
            project: text("project"),
        }
    }

    /// Its values by the names of headers.
    pub(crate) fn values(&self) -> [(&'static str, &str); 5] {
        [
            ("URL-Signature", &self.signature),
            ("URL-Expires", &self.expires),
            ("URL-Methods", &self.methods),
            ("URL-Paths", &self.paths),
            ("X-Project-ID", &self.project),
        ]
    }

    /// The request with its headers.
    pub(crate) fn on(&self, request: RequestBuilder) -> RequestBuilder {
        self.values().into_iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// Its values as parameters of a query.
    pub(crate) fn query(&self) -> String {
        self.values().map(|(name, value)| format!("{name}={value}")).join("&")
    }

    /// Sends a request with its headers and a client id, and nothing else.
    pub(crate) async fn send(&self, client: &Client, method: Method, path: &str) -> Answer {
        send(self.on(client.bare(method, path)).header("client-id", CLIENT_ID)).await
    }
}
