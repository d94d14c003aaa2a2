//! Long polling: `wait=<seconds>` on claims, lists and pops.

mod nodes;
mod rest;

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::Client;
use crate::support::client::{Answer, send};

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends a request and lets it wait.
fn asks(client: &Client, method: Method, path: &str) -> JoinHandle<Answer> {
    let claims = method == Method::POST;
    let request = client.request(method, path);
    let request = if claims { request.json(&json!({ "ttl": 100, "grace": 60 })) } else { request };
    #[expect(clippy::disallowed_methods, reason = "ends with its answer, or with the test's runtime")]
    tokio::spawn(async move { send(request).await })
}

/// The answer of somebody who waited.
async fn answer(waiting: JoinHandle<Answer>) -> Answer {
    let answer = tokio::time::timeout(PATIENCE, waiting).await.expect("an answer in time");
    answer.expect("no panic")
}
