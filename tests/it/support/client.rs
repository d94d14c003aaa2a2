//! A client of the REST API, as short to use as a test wants it.

use std::net::SocketAddr;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

/// The client id that requests carry unless they say otherwise.
pub(crate) const CLIENT_ID: &str = "3381af92-2b9e-11e3-b191-71861300734c";

/// Another one.
pub(crate) const OTHER_ID: &str = "3381af92-2b9e-11e3-b191-71861300734d";

/// A client of one project.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    project: String,
    id: &'static str,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) bytes: bytes::Bytes,
}

impl Answer {
    /// The body as JSON; null where there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The answer, after a look at its status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    /// The ids in a `Location: …?ids=`, or of messages in the body.
    pub(crate) fn ids(&self) -> Vec<String> {
        if let Some((_, ids)) = self.header("location").and_then(|location| location.split_once("?ids=")) {
            return ids.split(',').map(str::to_owned).collect();
        }
        let messages = self.json()["messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["id"].as_str().expect("an id").to_owned()).collect()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr, project: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().no_gzip().build().expect("a client");
        Self { http, address, project: project.into(), id: CLIENT_ID }
    }

    /// The same over HTTP/2 without encryption.
    pub(crate) fn speaking_http2(&self) -> Self {
        let http = reqwest::Client::builder().no_proxy().no_gzip().http2_prior_knowledge();
        Self { http: http.build().expect("a client"), ..self.clone() }
    }

    /// The same with another client id.
    pub(crate) fn with_id(&self, id: &'static str) -> Self {
        Self { id, ..self.clone() }
    }

    /// A request with the usual headers.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("client-id", self.id).header("x-project-id", &self.project)
    }

    /// A request without any.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// PUT without a body.
    pub(crate) async fn put(&self, path: &str) -> Answer {
        send(self.request(Method::PUT, path)).await
    }

    pub(crate) async fn put_json(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PATCH, path).json(body)).await
    }

    /// A JSON-patch of a queue's metadata.
    pub(crate) async fn patch_queue(&self, queue: &str, body: &Value) -> Answer {
        let request = self.request(Method::PATCH, &format!("/v2/queues/{queue}"));
        let media_type = "application/openstack-messaging-v2.0-json-patch";
        send(request.header("content-type", media_type).body(body.to_string())).await
    }

    /// Posts messages with these bodies, ttl 300: their ids.
    pub(crate) async fn post_bodies(&self, queue: &str, bodies: &[Value]) -> Vec<String> {
        let messages: Vec<_> =
            bodies.iter().map(|body| serde_json::json!({ "ttl": 300, "body": body })).collect();
        let document = serde_json::json!({ "messages": messages });
        self.post(&format!("/v2/queues/{queue}/messages"), &document).await.expect(201).ids()
    }
}

/// Sends a request and reads the answer.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, bytes: response.bytes().await.expect("a whole body") }
}
