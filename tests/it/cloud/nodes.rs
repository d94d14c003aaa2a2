//! Two nodes of the service on the same stores: what one changes the other heeds.

mod ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::ledger::{Ledger, Listing};
use super::until;
use crate::sql::common::Kind;
use crate::support::Client;
use crate::support::client::send;
use crate::support::nodes::Nodes;

/// Queues that are deleted and created again, each in turn.
const QUEUES: usize = 3;

/// How often.
const ROUNDS: usize = 24;

/// Deletions of a queue that follow one another at once, in every third round.
const BURST: usize = 6;

/// Messages that have to be posted after a deletion before what is there is compared.
const POSTS: usize = 8;

fn path(queue: usize) -> String {
    format!("/v2/queues/q{queue}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_message_disappears_unless_its_queue_was_deleted_after_it() {
    let nodes = Nodes::start(Kind::MariaDb).await;
    let (ledger, stop) = (Arc::new(Ledger::default()), Arc::new(AtomicBool::new(false)));
    let mut workers = JoinSet::new();
    for queue in 0..QUEUES {
        let worker = |client| Worker { client, queue, ledger: ledger.clone(), stop: stop.clone() };
        let client = nodes.second.client("p");
        workers.spawn(worker(client.clone()).produce());
        workers.spawn(worker(client.clone()).produce());
        workers.spawn(worker(client.clone()).consume());
        workers.spawn(worker(client).list());
    }
    let client = nodes.first.client("p");
    for round in 0..ROUNDS {
        let queue = round % QUEUES;
        let times = if round / QUEUES % 3 == 2 { BURST } else { 1 };
        for time in 0..times {
            delete(&client, &ledger, queue).await;
            // Else the next post creates it.
            if (round + time) % 2 == 0 {
                let status = client.put(&path(queue)).await.status.as_u16();
                assert!(matches!(status, 201 | 204), "{status}");
            }
        }
        let enough = ledger.posts(queue) + POSTS;
        until("messages are posted", async || ledger.posts(queue) >= enough).await;
        compare(&[&nodes.second, &nodes.first][round % 2].client("p"), &ledger, queue).await;
    }
    stop.store(true, Ordering::Relaxed);
    workers.join_all().await;
    for queue in 0..QUEUES {
        for node in [&nodes.first, &nodes.second] {
            compare(&node.client("p"), &ledger, queue).await;
        }
    }
    println!("{}", ledger.summary());
}

async fn delete(client: &Client, ledger: &Ledger, queue: usize) {
    let begin = Instant::now();
    client.delete(&path(queue)).await.expect(204);
    ledger.deleted(queue, begin);
}

/// Reads the whole queue, and holds it against what was acknowledged before.
async fn compare(client: &Client, ledger: &Ledger, queue: usize) {
    let mut listing = Listing::begin();
    let mut path = format!("{}/messages?limit=20&echo=true&include_claimed=true", path(queue));
    loop {
        let page = client.get(&path).await.expect(200);
        if !take(&mut listing, &page.json()) {
            break;
        }
        page.json()["links"][0]["href"].as_str().expect("a link").clone_into(&mut path);
    }
    ledger.check(queue, &listing);
}

/// Takes in a page; false where it is empty.
fn take(listing: &mut Listing, page: &Value) -> bool {
    let messages = page["messages"].as_array().expect("messages");
    listing.found.extend(messages.iter().map(|message| message["id"].as_str().expect("an id").to_owned()));
    !messages.is_empty()
}

/// A client of the node that deletes nothing.
struct Worker {
    client: Client,
    queue: usize,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
}

impl Worker {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    async fn produce(self) {
        let document = json!({ "messages": [{ "ttl": 3600, "body": 1 }, { "ttl": 3600, "body": 2 }] });
        while self.goes_on() {
            let begin = Instant::now();
            let answer = self.client.post(&format!("{}/messages", path(self.queue)), &document).await;
            // On a busy machine the queue may be deleted at every attempt: then nothing is acknowledged.
            if answer.status != 503 {
                self.ledger.posted(self.queue, begin, answer.expect(201).ids());
            }
        }
    }

    /// Claims, and deletes half of what it gets.
    async fn consume(self) {
        let terms = json!({ "ttl": 3600, "grace": 60 });
        while self.goes_on() {
            let answer = self.client.post(&format!("{}/claims?limit=2", path(self.queue)), &terms).await;
            if answer.status == 204 {
                continue;
            }
            let messages = answer.expect(201).json()["messages"].clone();
            for (index, message) in messages.as_array().expect("messages").iter().enumerate() {
                let id = message["id"].as_str().expect("an id");
                self.ledger.claimed(id);
                if index % 2 == 0 {
                    self.ledger.deleting(id);
                    let href = message["href"].as_str().expect("a link");
                    // The claim may be gone with its queue.
                    let status = self.client.delete(href).await.status.as_u16();
                    assert!(matches!(status, 204 | 400 | 403 | 404), "{status}");
                }
            }
        }
    }

    async fn list(self) {
        while self.goes_on() {
            let listing = format!("{}/messages?limit=20&echo=true", path(self.queue));
            self.client.get(&listing).await.expect(200);
            self.client.get(&format!("{}/stats", path(self.queue))).await.expect(200);
            self.client.get("/v2/queues?detailed=true").await.expect(200);
        }
    }
}

/// How often a queue's metadata is changed.
const CHANGES: u64 = 9;

/// Half of the changes have to be seen within a second; a machine that does much else may take twice that.
const SEEN: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_metadata_are_seen_at_once_and_within_a_second() {
    let nodes = Nodes::start(Kind::Postgres).await;
    let (own, other) = (nodes.first.client("p"), nodes.second.client("p"));
    own.put_json("/v2/queues/q", &json!({ "_default_message_ttl": 100 })).await.expect(201);
    assert_eq!(given_ttl(&other).await, 100);
    let mut took = Vec::new();
    for change in 1..=CHANGES {
        let ttl = 100 + change;
        let patch = json!([{ "op": "replace", "path": "/metadata/_default_message_ttl", "value": ttl }]);
        own.patch_queue("q", &patch).await.expect(200);
        let start = Instant::now();
        assert_eq!(given_ttl(&own).await, ttl);
        until("the other node heeds it", async || given_ttl(&other).await == ttl).await;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    println!("seen after {took:?}");
    assert!(took[took.len() / 2] < SEEN, "{took:?}");
}

/// The ttl of a message that was posted without one.
async fn given_ttl(client: &Client) -> u64 {
    let document = json!({ "messages": [{ "body": 1 }] });
    let id = client.post("/v2/queues/q/messages", &document).await.expect(201).ids().remove(0);
    let read = client.request(Method::GET, &format!("/v2/queues/q/messages/{id}"));
    send(read).await.expect(200).json()["ttl"].as_u64().expect("a ttl")
}
