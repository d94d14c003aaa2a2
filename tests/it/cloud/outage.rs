//! A database that is gone or hangs: messages of known queues go on, changes of queues fail in time, and everything
//! works again by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::until;
use crate::support::client::send;
use crate::support::mariadb::MariaDb;
use crate::support::postgres::Postgres;
use crate::support::redis::RedisServer;
use crate::support::statsd::Statsd;
use crate::support::{Client, Process, cloud};

/// Clients, each with a queue of its own.
const CLIENTS: usize = 4;

/// Rounds that they all together do while the database is out of reach.
const ROUNDS: usize = 100;

/// Deadlines of the management store are 3 and 5 s; this is for a machine that does much else.
const BOUND: Duration = Duration::from_secs(20);

/// Half of the requests on messages take less, whatever becomes of the database: they do not wait for it. On an idle
/// machine most take a millisecond.
const PROMPT: Duration = Duration::from_millis(500);

/// What the log says once when the database is gone, and once when it is back.
const LINES: [&str; 2] = ["the management store does not answer", "the management store answers again"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_on_while_mariadb_is_gone_or_hangs() {
    let mut database = MariaDb::start().await;
    let url = cloud::prepared(database.database().await).await;
    let mut service = Service::start(&url).await;
    database.kill();
    service.goes_on(1).await;
    database.restart().await;
    service.recovers(1).await;
    let pid = Pid::from_raw(database.pid()).expect("its id");
    kill_process(pid, Signal::STOP).unwrap();
    service.goes_on(2).await;
    kill_process(pid, Signal::CONT).unwrap();
    service.recovers(2).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_on_while_postgres_is_gone() {
    let mut database = Postgres::start().await;
    let url = cloud::prepared(database.database().await).await;
    let mut service = Service::start_in_a_pool(&url).await;
    database.kill();
    service.goes_on(1).await;
    database.restart().await;
    service.recovers(1).await;
    service.stop().await;
}

/// A service under load.
struct Service {
    process: Process,
    statsd: Statsd,
    load: Arc<Load>,
    clients: JoinSet<()>,
    _redis: RedisServer,
    _state: tempfile::TempDir,
}

/// What the clients and the test tell each other.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    rounds: AtomicUsize,
    took: std::sync::Mutex<Vec<Duration>>,
}

impl Service {
    /// A service whose messages are in the store of its configuration.
    async fn start(url: &str) -> Self {
        let (redis, state, statsd) = (RedisServer::start(), tempfile::tempdir().unwrap(), Statsd::start());
        let ini = cloud::ini(&redis.uri(), url) + &statsd.ini();
        let process = Process::start(state.path(), &ini).await;
        Self::load(process, statsd, redis, state).await
    }

    /// The same with its messages in a pool.
    async fn start_in_a_pool(url: &str) -> Self {
        let (redis, state, statsd) = (RedisServer::start(), tempfile::tempdir().unwrap(), Statsd::start());
        let pooling = "[DEFAULT]\npooling = true\nadmin_mode = true\n";
        let ini = cloud::ini(&redis.uri(), url) + &statsd.ini() + pooling;
        let process = Process::start(state.path(), &ini).await;
        let pool = json!({ "uri": cloud::patient(&(redis.uri() + "?dbid=1")), "weight": 1 });
        let client = process.client("p");
        let register = client.request(Method::PUT, "/v2/pools/one").header("x-roles", "admin");
        send(register.json(&pool)).await.expect(201);
        Self::load(process, statsd, redis, state).await
    }

    async fn load(process: Process, statsd: Statsd, redis: RedisServer, state: tempfile::TempDir) -> Self {
        let (load, mut clients) = (Arc::new(Load::default()), JoinSet::new());
        let client = process.client("p");
        client.put_json("/v2/queues/idle", &json!({ "a": 1 })).await.expect(201);
        for number in 0..CLIENTS {
            client.put(&format!("/v2/queues/q{number}")).await.expect(201);
            clients.spawn(Arc::clone(&load).run(client.clone(), format!("q{number}")));
        }
        let mut service = Self { process, statsd, load, clients, _redis: redis, _state: state };
        service.more().await;
        service.doubt().await;
        service
    }

    /// Changes a queue that nobody uses, so that the node knows its record to be old and has not read it again.
    async fn doubt(&mut self) {
        let client = self.process.client("p");
        let patch = json!([{ "op": "add", "path": "/metadata/b", "value": 1 }]);
        client.patch_queue("idle", &patch).await.expect(200);
        client.get("/v2/queues/idle").await.expect(200);
        self.statsd.asked_for_changes(2).await;
    }

    /// That queue serves too, and one request at most waits for the database.
    async fn doubted_goes_on(&self) {
        let (client, mut took) = (self.process.client("p"), Vec::new());
        for _ in 0..9 {
            let start = Instant::now();
            client.post_bodies("idle", &[json!(1)]).await;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        assert!(took[took.len() / 2] < PROMPT, "{took:?}");
    }

    /// Waits for more rounds of the clients.
    async fn more(&self) {
        let rounds = || self.load.rounds.load(Ordering::Relaxed);
        let enough = rounds() + ROUNDS;
        until("the load goes on", async || rounds() >= enough).await;
    }

    /// The database is out of reach for the time of that number.
    async fn goes_on(&mut self, outage: usize) {
        until("the log tells of it", async || self.told(LINES[0]) == outage).await;
        self.load.took.lock().unwrap().clear();
        self.more().await;
        let mut took = std::mem::take(&mut *self.load.took.lock().unwrap());
        took.sort_unstable();
        let (half, all) = (took[took.len() / 2], took[took.len() - 1]);
        assert!(half < PROMPT && all < BOUND, "half of the requests took {half:?}, one {all:?}");
        self.doubted_goes_on().await;
        self.management_fails_in_time().await;
        self.process.client("p").get("/v2/queues/q0").await.expect(200);
        self.more().await;
    }

    async fn management_fails_in_time(&self) {
        let client = self.process.client("p");
        for (method, path, body) in [
            (Method::PUT, "/v2/queues/new", json!({})),
            (Method::POST, "/v2/queues/new/messages", json!({ "messages": [{ "body": 1 }] })),
            (Method::GET, "/v2/queues", Value::Null),
            (Method::DELETE, "/v2/queues/q0", Value::Null),
            (Method::GET, "/v2/queues/unknown", Value::Null),
        ] {
            let request = client.request(method.clone(), path);
            let start = Instant::now();
            let answer = send(if body.is_null() { request } else { request.json(&body) }).await;
            assert_eq!(answer.status, 503, "{method} {path}");
            assert!(start.elapsed() < BOUND, "{method} {path} took {:?}", start.elapsed());
        }
        let patch = json!([{ "op": "replace", "path": "/metadata/a", "value": 2 }]);
        client.patch_queue("idle", &patch).await.expect(503);
    }

    /// The database is back.
    async fn recovers(&mut self, outage: usize) {
        let client = self.process.client("p");
        let path = format!("/v2/queues/new-{outage}");
        until("queues can be created again", async || client.put(&path).await.status.is_success()).await;
        until("the log tells of it", async || self.told(LINES[1]) == outage).await;
        assert_eq!(self.told(LINES[0]), outage, "{}", self.process.log());
        let metadata = client.get("/v2/queues/idle").await.expect(200).json();
        assert_eq!(metadata["a"], 1, "what was answered 503 was done all the same");
        self.doubt().await;
        self.more().await;
    }

    fn told(&self, line: &str) -> usize {
        self.process.log().lines().filter(|told| told.contains(line)).count()
    }

    async fn stop(self) {
        self.load.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
    }
}

impl Load {
    /// Posts, claims and deletes until it is told to stop.
    async fn run(self: Arc<Self>, client: Client, queue: String) {
        while !self.stop.load(Ordering::Relaxed) {
            let start = Instant::now();
            client.post_bodies(&queue, &[json!(1)]).await;
            self.lap(start);
            let start = Instant::now();
            let terms = json!({ "ttl": 300, "grace": 60 });
            let claimed = client.post(&format!("/v2/queues/{queue}/claims"), &terms).await.expect(201).json();
            self.lap(start);
            let start = Instant::now();
            client.delete(claimed["messages"][0]["href"].as_str().expect("a link")).await.expect(204);
            self.lap(start);
            self.rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lap(&self, start: Instant) {
        self.took.lock().unwrap().push(start.elapsed());
    }
}
