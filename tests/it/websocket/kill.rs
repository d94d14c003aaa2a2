//! `kill -9` of nodes at random, under load: whoever subscribes again behind the last marker misses nothing, and gets
//! nothing twice.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::RngExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::sql::common::Kind;
use crate::support::redis::RedisServer;
use crate::support::websocket::{WebSocketClient, status};
use crate::support::{Client, Process, cloud, random};

/// How often nodes are killed; every third time both.
const KILLS: usize = 9;

/// Posts that are acknowledged between two kills, at least.
const POSTS: usize = 40;

const POSTERS: usize = 3;
const LISTENERS: usize = 4;

const PATIENCE: Duration = Duration::from_mins(1);

/// Two servers on the same stores.
struct Nodes {
    processes: [Option<Process>; 2],
    states: [TempDir; 2],
    ini: String,
    shared: Arc<Shared>,
    _redis: RedisServer,
}

/// What nodes, posters and listeners know together.
#[derive(Default)]
struct Shared {
    /// Where the nodes were last: REST and WebSocket.
    addresses: Mutex<Vec<(SocketAddr, SocketAddr)>>,
    /// The next number that no message carries yet.
    next: AtomicU64,
    acknowledged: AtomicUsize,
    /// Numbers whose posts were acknowledged.
    stored: Mutex<Vec<u64>>,
    done: AtomicBool,
}

impl Nodes {
    async fn start() -> Self {
        let redis = RedisServer::start();
        let ini = cloud::ini(&redis.uri(), &cloud::database(Kind::Postgres).await);
        let states = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mut nodes = Self { processes: [None, None], states, ini, shared: Arc::default(), _redis: redis };
        for node in 0..2 {
            nodes.revive(node).await;
        }
        nodes
    }

    fn kill(&mut self, node: usize) {
        self.processes[node].take().expect("it lives").kill();
    }

    async fn revive(&mut self, node: usize) {
        let process = Process::start(self.states[node].path(), &self.ini).await;
        let addresses = (process.address, process.websocket);
        let mut known = self.shared.addresses.lock().unwrap();
        if known.len() <= node {
            known.push(addresses);
        } else {
            known[node] = addresses;
        }
        self.processes[node] = Some(process);
    }
}

impl Shared {
    fn address(&self, turn: usize) -> (SocketAddr, SocketAddr) {
        self.addresses.lock().unwrap()[turn % 2]
    }

    /// Posts one message after another, now to one node and now to the other.
    async fn post(self: Arc<Self>, mut turn: usize) {
        while !self.done.load(Ordering::Relaxed) {
            turn += 1;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let client = Client::new(self.address(turn).0, "p");
            let document = json!({ "messages": [{ "ttl": 3600, "body": number }] });
            let sent = client.request(Method::POST, "/v2/queues/q/messages").json(&document).send().await;
            if sent.is_ok_and(|answer| answer.status() == 201) {
                self.stored.lock().unwrap().push(number);
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Listens to one node until it is gone, then to the other, and so on.
    async fn listen(self: Arc<Self>, mut turn: usize, heard: Arc<Mutex<Vec<u64>>>) {
        let mut from = json!("now");
        loop {
            turn += 1;
            if let Ok(stream) = TcpStream::connect(self.address(turn).1).await
                && let Ok(client) = WebSocketClient::over(stream, "p").await
            {
                follow(client, &mut from, &heard).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Subscribes behind the marker, and moves it with what comes until the connection ends.
async fn follow(mut client: WebSocketClient, from: &mut Value, heard: &Mutex<Vec<u64>>) {
    let body = json!({ "queue_name": "q", "from": from });
    client.send_json(&client.request("subscription_create", &body)).await;
    while let Some(frame) = client.json_or_end().await {
        if frame.get("request").is_some() {
            assert_eq!(status(&frame), 201, "{frame}");
            continue;
        }
        assert!(frame["marker"].is_string(), "{frame}");
        *from = frame["marker"].clone();
        heard.lock().unwrap().push(frame["body"].as_u64().expect("a number"));
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The numbers of all messages of the queue, in order.
async fn listed(client: &Client) -> Vec<u64> {
    let (mut found, mut path) = (Vec::new(), "/v2/queues/q/messages?limit=20&echo=true".to_owned());
    loop {
        let page = client.get(&path).await.expect(200).json();
        let messages = page["messages"].as_array().expect("messages");
        if messages.is_empty() {
            return found;
        }
        found.extend(messages.iter().map(|message| message["body"].as_u64().expect("a number")));
        page["links"][0]["href"].as_str().expect("a link").clone_into(&mut path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_nodes_cost_listeners_nothing() {
    let mut rng = random::seeded();
    let mut nodes = Nodes::start().await;
    let shared = Arc::clone(&nodes.shared);
    let all_heard: Vec<Arc<Mutex<Vec<u64>>>> = (0..LISTENERS).map(|_| Arc::default()).collect();
    let mut listeners = JoinSet::new();
    for (turn, heard) in all_heard.iter().enumerate() {
        listeners.spawn(Arc::clone(&shared).listen(turn, Arc::clone(heard)));
    }
    // With the first message each has a marker. Those that subscribe after one miss it; so until all have heard the same.
    let mut posters = JoinSet::new();
    posters.spawn(Arc::clone(&shared).post(0));
    until("everybody has heard something", || {
        all_heard.iter().all(|heard| !heard.lock().unwrap().is_empty())
    })
    .await;
    for turn in 1..POSTERS {
        posters.spawn(Arc::clone(&shared).post(turn));
    }
    for kill in 0..KILLS {
        let enough = shared.acknowledged.load(Ordering::Relaxed) + POSTS + rng.random_range(0..POSTS);
        until("messages are posted", || shared.acknowledged.load(Ordering::Relaxed) >= enough).await;
        let first = rng.random_range(0..2);
        let killed = if kill % 3 == 2 { vec![first, 1 - first] } else { vec![first] };
        for node in &killed {
            nodes.kill(*node);
        }
        for node in killed {
            nodes.revive(node).await;
        }
    }
    shared.done.store(true, Ordering::Relaxed);
    posters.join_all().await;
    let all = listed(&Client::new(shared.address(0).0, "p")).await;
    let lost: Vec<_> =
        shared.stored.lock().unwrap().iter().copied().filter(|number| !all.contains(number)).collect();
    assert!(lost.is_empty(), "{lost:?} were acknowledged and are not there");
    for heard in &all_heard {
        let first = heard.lock().unwrap()[0];
        let begin = all.iter().position(|number| *number == first).expect("what was heard is there");
        let wanted = &all[begin..];
        until("the rest arrives", || heard.lock().unwrap().len() >= wanted.len()).await;
        assert_eq!(*heard.lock().unwrap(), wanted);
    }
    assert!(listeners.try_join_next().is_none(), "a listener gave up");
}
