//! Producers and consumers that go on until their server is killed.

use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::books::{Batch, Books, End};
use super::{Queue, ask, to};
use crate::support::client::Answer;
use crate::support::{Client, random};

/// Clients that post.
const PRODUCERS: usize = 6;

/// Clients that claim.
const CONSUMERS: usize = 10;

/// Seconds that messages and claims live: longer than the test.
const LONG: u64 = 3_600;

/// Creates the queues that need metadata.
pub(super) async fn create_queues(client: &Client) {
    let deadly = json!({ "_max_claim_count": 2, "_dead_letter_queue": "graves" });
    client.put_json(&Queue::Deadly.path(), &deadly).await.expect(201);
    client.put_json(&Queue::Later.path(), &json!({ "_default_message_delay": 900 })).await.expect(201);
}

/// Starts all clients.
pub(super) fn start(client: &Client, books: &Arc<Books>, rng: &mut TestRng) -> JoinSet<()> {
    books.lock().posts = 0;
    let mut tasks = JoinSet::new();
    for (index, rng) in random::workers(rng, PRODUCERS + CONSUMERS).into_iter().enumerate() {
        let worker = Worker { client: client.clone(), books: books.clone(), rng };
        if index < PRODUCERS {
            tasks.spawn(worker.produce());
        } else {
            tasks.spawn(worker.consume());
        }
    }
    tasks
}

/// Waits until every client has noticed the end.
pub(super) async fn finish(mut workers: JoinSet<()>) {
    while let Some(ended) = workers.join_next().await {
        ended.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
    }
}

struct Worker {
    client: Client,
    books: Arc<Books>,
    rng: TestRng,
}

/// The request got no answer: the server is dead.
struct Dead;

type Outcome<T> = Result<T, Dead>;

impl Worker {
    async fn produce(mut self) {
        loop {
            let queue = match self.rng.random_range(0..10) {
                0..4 => Queue::Work(0),
                4..6 => Queue::Work(1),
                6..9 => Queue::Deadly,
                _ => Queue::Later,
            };
            let count = if self.rng.random_bool(0.8) { 1 } else { self.rng.random_range(2..=6) };
            if self.post(queue, count).await.is_err() {
                return;
            }
        }
    }

    async fn post(&mut self, queue: Queue, count: usize) -> Outcome<()> {
        let batch = self.books.lock().draw(queue, count);
        let message = |number: &u64| json!({ "ttl": LONG, "body": { "number": number } });
        let messages: Vec<Value> = batch.numbers.iter().map(message).collect();
        let request =
            to(&self.client, Method::POST, queue, "/messages").json(&json!({ "messages": messages }));
        match self.ask(request).await {
            Some(answer) if answer.status == 201 => {
                let ids = answer.ids();
                self.books.lock().stored(batch, ids.clone());
                // Delayed messages are never claimed; some are deleted so.
                if queue == Queue::Later && self.rng.random_bool(0.5) {
                    self.delete(queue, &ids[0], "").await?;
                }
                Ok(())
            }
            other => {
                self.books.lock().doubtful.push(Batch { queue, ..batch });
                self.unanswered(other.map(|answer| answer.expect(503)).map(drop))
            }
        }
    }

    async fn consume(mut self) {
        loop {
            let queue = match self.rng.random_range(0..10) {
                0..4 => Queue::Work(0),
                4..6 => Queue::Work(1),
                6..9 => Queue::Deadly,
                _ => Queue::Graves,
            };
            if self.claim(queue).await.is_err() {
                return;
            }
        }
    }

    async fn claim(&mut self, queue: Queue) -> Outcome<()> {
        let limit = self.rng.random_range(1..=10);
        let request = to(&self.client, Method::POST, queue, &format!("/claims?limit={limit}"));
        let answer = match self.ask(request.json(&json!({ "ttl": LONG, "grace": 60 }))).await {
            Some(answer) if answer.status == 201 => answer,
            Some(answer) if answer.status == 204 => return Ok(()),
            other => return self.unanswered(other.map(|answer| answer.expect(503)).map(drop)),
        };
        let claim = answer
            .header("location")
            .and_then(|path| path.rsplit('/').next())
            .expect("a location")
            .to_owned();
        let messages = answer.json()["messages"].as_array().expect("messages").clone();
        let ids = self.books.lock().claimed(&claim, queue, &messages);
        self.work(queue, &claim, &ids).await
    }

    /// What a consumer does with its claim.
    async fn work(&mut self, queue: Queue, claim: &str, ids: &[String]) -> Outcome<()> {
        let holder = format!("?claim_id={claim}");
        let choice =
            if queue == Queue::Deadly { self.rng.random_range(4..10) } else { self.rng.random_range(0..8) };
        match choice {
            // All done.
            0..4 => self.delete_all(queue, ids, &holder).await,
            // Half of it done, the rest handed back.
            4 => {
                self.delete_all(queue, &ids[..ids.len() / 2], &holder).await?;
                self.release(queue, claim).await
            }
            // Needs longer; stays at work for ever.
            5 => {
                self.renew(queue, claim).await?;
                self.delete(queue, &ids[0], &holder).await
            }
            // Died.
            6 if self.rng.random_bool(0.3) => Ok(()),
            // Failed.
            _ => self.release(queue, claim).await,
        }
    }

    /// Deletes messages one by one with their claim, or all at once.
    async fn delete_all(&mut self, queue: Queue, ids: &[String], holder: &str) -> Outcome<()> {
        if ids.len() > 1 && self.rng.random_bool(0.7) {
            return self.delete_by(queue, ids, &format!("?ids={}", ids.join(","))).await;
        }
        for id in ids {
            self.delete(queue, id, holder).await?;
        }
        Ok(())
    }

    async fn delete(&mut self, queue: Queue, id: &str, holder: &str) -> Outcome<()> {
        self.delete_by(queue, &[id.to_owned()], &format!("/{id}{holder}")).await
    }

    async fn delete_by(&mut self, queue: Queue, ids: &[String], rest: &str) -> Outcome<()> {
        self.books.lock().deleting.extend(ids.iter().cloned());
        if self.call(to(&self.client, Method::DELETE, queue, &format!("/messages{rest}"))).await? {
            self.books.lock().deleted.extend(ids.iter().cloned());
        }
        Ok(())
    }

    async fn release(&mut self, queue: Queue, claim: &str) -> Outcome<()> {
        self.books.lock().release(claim, End::Releasing);
        if self.call(to(&self.client, Method::DELETE, queue, &format!("/claims/{claim}"))).await? {
            self.books.lock().release(claim, End::Released);
        }
        Ok(())
    }

    async fn renew(&mut self, queue: Queue, claim: &str) -> Outcome<()> {
        let request = to(&self.client, Method::PATCH, queue, &format!("/claims/{claim}"));
        self.call(request.json(&json!({ "ttl": LONG, "grace": 60 }))).await.map(drop)
    }

    /// Sends a request, and notes how long its answer took.
    async fn ask(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        let start = Instant::now();
        let answer = ask(request).await;
        let mut books = self.books.lock();
        books.longest = books.longest.max(start.elapsed());
        answer
    }

    /// Sends a request that is answered 204: whether it was.
    async fn call(&mut self, request: reqwest::RequestBuilder) -> Outcome<bool> {
        match self.ask(request).await {
            Some(answer) if answer.status == 204 => Ok(true),
            other => self.unanswered(other.map(|answer| answer.expect(503)).map(drop)).map(|()| false),
        }
    }

    /// Nobody knows whether the request was carried out: there was no answer, or a store that took too long.
    fn unanswered(&mut self, late: Option<()>) -> Outcome<()> {
        self.books.lock().doubts += 1;
        late.ok_or(Dead)
    }
}
