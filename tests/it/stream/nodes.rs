//! Two nodes on one Redis: what is posted at one is streamed by the other, and readers change sides.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sql::common::Kind;
use crate::support::events::EventStream;
use crate::support::redis::{RedisServer, Setup};
use crate::support::{Client, Process, TestApp, cloud};

struct Nodes {
    nodes: Vec<Process>,
    ini: String,
    states: Vec<TempDir>,
    _redis: RedisServer,
}

impl Nodes {
    async fn start() -> Self {
        let redis = RedisServer::start();
        let ini = cloud::ini(&redis.uri(), &cloud::database(Kind::MariaDb).await);
        let mut nodes = Self { nodes: Vec::new(), ini, states: Vec::new(), _redis: redis };
        nodes.add().await;
        nodes.add().await;
        nodes
    }

    async fn add(&mut self) {
        let state = tempfile::tempdir().unwrap();
        self.nodes.push(Process::start(state.path(), &self.ini).await);
        self.states.push(state);
    }

    fn client(&self, node: usize) -> Client {
        self.nodes[node].client("p")
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<Value> {
    range.map(|n| json!(n)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_takes_the_other_streams() {
    let nodes = Nodes::start().await;
    let (here, there) = (nodes.client(0), nodes.client(1));
    // There is no such queue yet; its creation elsewhere is heard of.
    let mut stream = EventStream::open(&here, "q").await;
    for round in 0..5 {
        there.post_bodies("q", &numbers(10 * round..10 * round + 10)).await;
        assert_eq!(stream.bodies(10).await, numbers(10 * round..10 * round + 10));
    }
    there.delete("/v2/queues/q").await.expect(204);
    there.post_bodies("q", &[json!("new")]).await;
    assert_eq!(stream.bodies(1).await, [json!("new")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_resumes_elsewhere_has_everything_once_and_in_order() {
    const ALL: u32 = 600;
    let mut nodes = Nodes::start().await;
    nodes.add().await;
    // The last node stays, and takes the posts.
    let poster = nodes.nodes.pop().unwrap();
    let client = poster.client("p");
    let (mut seen, mut reader) = (Vec::new(), EventStream::open(&nodes.client(0), "q").await);
    let posting = async {
        for n in 0..ALL {
            client.post_bodies("q", &[json!(n)]).await;
        }
    };
    let reading = async {
        while seen.len() < ALL as usize {
            let Some(mut message) = reader.next().await else {
                reader = EventStream::resume(&nodes.client(0), "q", &reader.last_id).await;
                continue;
            };
            seen.push(message["body"].take());
            // In the midst of it the node ends, now by a kill, now in order.
            if seen.len() % 150 == 100 {
                let victim = nodes.nodes.remove(0);
                if seen.len() % 300 == 100 {
                    victim.kill();
                } else {
                    assert!(victim.terminate().await.success());
                }
                nodes.add().await;
            }
        }
    };
    tokio::join!(posting, reading);
    assert_eq!(seen, numbers(0..ALL));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_waits_for_a_store_that_is_away() {
    let mut redis = RedisServer::with(Setup::default().durable("always"));
    let ini =
        "[drivers]\nmessage_store = redis\nmanagement_store = memory\n[drivers:message_store:redis]\nuri = ";
    let now = zaqar::clock::Timestamp::from_micros(1_800_000_000_000_000);
    let app = TestApp::start_at(now, &format!("{ini}{}\n", redis.uri())).await;
    let client = app.client("p");
    let mut stream = EventStream::open(&client, "q").await;
    for round in 0..3 {
        client.post_bodies("q", &[json!(round)]).await;
        assert_eq!(stream.bodies(1).await, [json!(round)]);
        let unread = [json!([round, 1]), json!([round, 2])];
        client.post_bodies("q", &unread).await;
        redis.kill();
        let away = json!({ "messages": [{ "ttl": 300, "body": "lost" }] });
        client.post("/v2/queues/q/messages", &away).await.expect(503);
        redis.restart();
        let start = Instant::now();
        while !client.get("/v2/queues/q/messages").await.status.is_success() {
            assert!(start.elapsed() < Duration::from_mins(1), "the service finds its store again");
        }
        assert_eq!(stream.bodies(2).await, unread, "read before or after");
    }
}
