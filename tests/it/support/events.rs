//! A reader of server-sent events, as the standard says that they are read.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::Client;

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// An open stream.
pub(crate) struct EventStream {
    response: Response,
    read: Vec<u8>,
    /// What a browser would send as `Last-Event-ID`.
    pub(crate) last_id: String,
    /// Comments so far.
    pub(crate) comments: usize,
    /// What `retry:` said last.
    pub(crate) retry: Option<u64>,
}

impl EventStream {
    /// Opens the stream of that queue from now on, and waits until it has begun.
    pub(crate) async fn open(client: &Client, queue: &str) -> Self {
        Self::from(client.request(Method::GET, &path(queue))).await
    }

    /// Opens it behind the event of that id.
    pub(crate) async fn resume(client: &Client, queue: &str, last_id: &str) -> Self {
        Self::from(client.request(Method::GET, &path(queue)).header("last-event-id", last_id)).await
    }

    /// Sends that request, which opens a stream, and waits until it has begun.
    pub(crate) async fn from(request: RequestBuilder) -> Self {
        let response = request.header("accept", "text/event-stream").send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        let mut stream =
            Self { response, read: Vec::new(), last_id: String::new(), comments: 0, retry: None };
        while stream.last_id.is_empty() {
            let block = stream.block().await.expect("a beginning");
            assert!(stream.take(&block).is_none(), "the beginning is no message");
        }
        stream
    }

    /// A header of the answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).map(|value| value.to_str().expect("text"))
    }

    /// The next message; `None` where the stream ends.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let block = self.block().await?;
            if let Some(data) = self.take(&block) {
                return Some(serde_json::from_str(&data).expect("a JSON text"));
            }
        }
    }

    /// The bodies of the next messages.
    pub(crate) async fn bodies(&mut self, count: usize) -> Vec<Value> {
        let mut bodies = Vec::new();
        while bodies.len() < count {
            bodies.push(self.next().await.expect("more messages")["body"].take());
        }
        bodies
    }

    /// Reads until the next comment.
    pub(crate) async fn comment(&mut self) {
        let before = self.comments;
        while self.comments == before {
            let block = self.block().await.expect("the stream goes on");
            assert!(self.take(&block).is_none(), "nothing comes but comments");
        }
    }

    /// The lines up to the next empty one.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                return Some(String::from_utf8(block).expect("UTF-8"));
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("it does not fall silent");
            // A stream whose server died ends with an error.
            self.read.extend_from_slice(&chunk.ok().flatten()?);
        }
    }

    /// Takes in a block: the data of an event, if it is one.
    fn take(&mut self, block: &str) -> Option<String> {
        let mut data = Vec::new();
        for line in block.lines().filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => self.comments += 1,
                "id" => value.clone_into(&mut self.last_id),
                "retry" => self.retry = value.parse().ok(),
                "data" => data.push(value),
                _ => panic!("{line}"),
            }
        }
        (!data.is_empty()).then(|| data.join("\n"))
    }
}

/// The path of a queue's stream.
pub(crate) fn path(queue: &str) -> String {
    format!("/v2/queues/{queue}/messages/stream")
}
