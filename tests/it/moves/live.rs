//! A queue moves between pools while clients post, claim, renew, delete, release and list over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::pools::{Admin, pooled};
use crate::support::client::send;
use crate::support::redis::RedisServer;
use crate::support::{Client, Store, TestApp};

/// Messages in the queue when it sets off.
const BEFORE: u64 = 5_000;

/// How long a move may take, on a machine that builds beside it.
const PATIENCE: Duration = Duration::from_mins(2);

const QUEUE: &str = "/v2/queues/q";

/// What the clients know.
#[derive(Default)]
struct Books {
    /// Acknowledged posts: number and id.
    posted: BTreeMap<u64, String>,
    /// Messages whose deletion was acknowledged.
    deleted: BTreeSet<u64>,
    /// Messages under a claim that somebody works on.
    held: BTreeSet<u64>,
    /// Messages under claims that are kept until the end: the claim's path, and its messages' paths.
    kept: Vec<(String, Vec<(u64, String)>)>,
}

/// The clients of one queue.
#[derive(Clone)]
struct Load {
    client: Client,
    books: Arc<Mutex<Books>>,
    over: Arc<AtomicBool>,
}

fn number(message: &Value) -> u64 {
    message["body"].as_u64().expect("a number")
}

impl Load {
    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// How many messages must be there.
    fn left(&self) -> u64 {
        let books = self.books();
        (books.posted.len() - books.deleted.len()) as u64
    }

    /// Posts the messages of these numbers, every fifth delayed beyond the test.
    async fn post(&self, numbers: std::ops::Range<u64>) {
        let message =
            |n: u64| json!({ "ttl": 3_600, "delay": if n.is_multiple_of(5) { 900 } else { 0 }, "body": n });
        let messages: Vec<_> = numbers.clone().map(message).collect();
        let answer = self.client.post(&format!("{QUEUE}/messages"), &json!({ "messages": messages })).await;
        let ids = answer.expect(201).ids();
        assert_eq!(ids.len() as u64, numbers.end - numbers.start);
        self.books().posted.extend(numbers.zip(ids));
    }

    /// Claims messages: the claim's path, and its messages' numbers and paths.
    async fn claim(&self, limit: u32) -> Option<(String, Vec<(u64, String)>)> {
        let terms = json!({ "ttl": 3_600, "grace": 60 });
        let before = self.books().deleted.clone();
        let answer = self.client.post(&format!("{QUEUE}/claims?limit={limit}"), &terms).await;
        if answer.status == 204 {
            return None;
        }
        let answer = answer.expect(201);
        let claim = answer.header("location").expect("a location").to_owned();
        let document = answer.json();
        let messages = document["messages"].as_array().expect("messages");
        let href = |message: &Value| message["href"].as_str().expect("a path").to_owned();
        let messages: Vec<_> = messages.iter().map(|message| (number(message), href(message))).collect();
        let mut books = self.books();
        for (n, _) in &messages {
            assert!(books.held.insert(*n), "{n} was handed to two workers");
            assert!(!before.contains(n), "{n} came back after its deletion");
        }
        Some((claim, messages))
    }

    /// A worker: claims, renews, deletes most of what it got and gives the rest back.
    async fn work(self) {
        while !self.over.load(Ordering::Relaxed) {
            let Some((claim, messages)) = self.claim(10).await else {
                tokio::task::yield_now().await;
                continue;
            };
            self.client.patch(&claim, &json!({ "ttl": 3_000, "grace": 60 })).await.expect(204);
            for (n, path) in messages.iter().filter(|(n, _)| n % 4 != 1) {
                self.client.delete(path).await.expect(204);
                let mut books = self.books();
                books.held.remove(n);
                books.deleted.insert(*n);
            }
            for (n, _) in messages.iter().filter(|(n, _)| n % 4 == 1) {
                self.books().held.remove(n);
            }
            self.client.delete(&claim).await.expect(204);
        }
    }

    /// Reads the queue by its links: the numbers of its messages, in order.
    async fn read(&self, what: &str) -> Vec<u64> {
        let mut path = format!("{QUEUE}/messages?echo=true&limit=20{what}");
        let mut seen = Vec::new();
        loop {
            let page = self.client.get(&path).await.expect(200).json();
            let messages = page["messages"].as_array().expect("messages");
            if messages.is_empty() {
                return seen;
            }
            seen.extend(messages.iter().map(number));
            path = String::from(page["links"][0]["href"].as_str().expect("a link"));
        }
    }

    /// A reader: none of those that are there all the time is skipped.
    async fn look(self) {
        while !self.over.load(Ordering::Relaxed) {
            let kept: BTreeSet<u64> =
                self.books().kept.iter().flat_map(|(_, messages)| messages.iter().map(|(n, _)| *n)).collect();
            let seen: BTreeSet<u64> = self.read("&include_claimed=true").await.into_iter().collect();
            let skipped: Vec<_> = kept.difference(&seen).collect();
            assert!(skipped.is_empty(), "skipped: {skipped:?}");
        }
    }
}

/// Waits until no queue is on its way.
pub(super) async fn until_arrived(admin: &Admin) {
    let start = Instant::now();
    loop {
        let migrations = admin.get("/v2/migrations").await.expect(200).json();
        if migrations["migrations"].as_array().expect("a list").is_empty() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{migrations}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Pools `a` and `b` at these URIs, each with a flavor of its own name in upper case.
pub(super) async fn two_pools(admin: &Admin, uris: [&str; 2]) {
    for (pool, uri) in ["a", "b"].into_iter().zip(uris) {
        put(admin, &format!("/v2/pools/{pool}"), &json!({ "weight": 1, "uri": uri })).await;
        let flavor = format!("/v2/flavors/{}", pool.to_uppercase());
        put(admin, &flavor, &json!({ "pool_list": [pool] })).await;
    }
}

/// Creates what is needed; a busy disk may need more than one attempt to make a pool's file.
async fn put(admin: &Admin, path: &str, body: &Value) {
    let start = Instant::now();
    loop {
        let answer = admin.put(path, body).await;
        if answer.status != 503 || start.elapsed() > PATIENCE {
            answer.expect(201);
            return;
        }
    }
}

/// Asks for another flavor for `q`.
pub(super) async fn change_flavor(client: &Client, flavor: &str) {
    let patch = json!([{ "op": "replace", "path": "/metadata/_flavor", "value": flavor }]);
    client.patch_queue("q", &patch).await.expect(200);
}

/// The queue, filled, with some claims that are kept.
async fn filled(app: &TestApp) -> Load {
    let client = app.client("operations");
    let metadata = json!({ "_flavor": "A", "_default_message_delay": 1 });
    client.put_json(QUEUE, &metadata).await.expect(201);
    let load = Load { client, books: Arc::default(), over: Arc::default() };
    for first in (0..BEFORE).step_by(20) {
        load.post(first..first + 20).await;
    }
    for _ in 0..10 {
        let kept = load.claim(20).await.expect("messages");
        load.books().kept.push(kept);
    }
    load
}

/// Moves the queue under load from `a` to `b` and, if `back`, to `a` again before it has arrived.
async fn move_under_load(uris: [&str; 2], back: bool) {
    let app = pooled(Store::Sqlite).await;
    let admin = Admin::of(&app);
    two_pools(&admin, uris).await;
    let load = filled(&app).await;
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        tasks.spawn(load.clone().work());
    }
    tasks.spawn(load.clone().look());
    load.post(BEFORE..BEFORE + 10).await;
    change_flavor(&load.client, "B").await;
    for n in 1..20 {
        load.post(BEFORE + n * 10..BEFORE + n * 10 + 10).await;
    }
    if back {
        change_flavor(&load.client, "A").await;
    }
    for n in 20..40 {
        load.post(BEFORE + n * 10..BEFORE + n * 10 + 10).await;
    }
    until_arrived(&admin).await;
    load.over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    audit(&load).await;
    let arrived = if back { ["a", "b"] } else { ["b", "a"] };
    let left = load.left();
    assert_eq!(admin.messages_in(arrived[0]).await, left);
    assert_eq!(admin.messages_in(arrived[1]).await, 0);
    assert!(app.stop().await);
}

/// Everything that was posted and not deleted is there once, claims and delays too.
async fn audit(load: &Load) {
    let kept = std::mem::take(&mut load.books().kept);
    let held: BTreeSet<u64> =
        kept.iter().flat_map(|(_, messages)| messages.iter().map(|(n, _)| *n)).collect();
    let expected: Vec<u64> = {
        let books = load.books();
        books.posted.keys().copied().filter(|n| !books.deleted.contains(n)).collect()
    };
    let mut all = load.read("&include_claimed=true&include_delayed=true").await;
    let ready = load.read("").await;
    let place: BTreeMap<u64, usize> = all.iter().copied().zip(0..).collect();
    assert!(ready.is_sorted_by_key(|n| place[n]), "the order is the same");
    assert!(ready.iter().all(|n| n % 5 != 0 && !held.contains(n)), "delayed or held ones are ready");
    assert!(ready.is_sorted(), "the oldest come first: {ready:?}");
    all.sort_unstable();
    assert_eq!(all, expected);
    for (claim, messages) in kept {
        let answer = load.client.get(&claim).await.expect(200).json();
        assert_eq!(answer["messages"].as_array().expect("messages").len(), messages.len());
        for (n, path) in messages {
            load.client.delete(path.split('?').next().expect("a path")).await.expect(403);
            load.client.delete(&path).await.expect(204);
            load.books().deleted.insert(n);
        }
        load.client.get(&claim).await.expect(404);
    }
    let stats = load.client.get(&format!("{QUEUE}/stats")).await.expect(200).json();
    let left = load.left();
    assert_eq!(stats["messages"]["total"], left);
    assert_eq!(stats["messages"]["claimed"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_moves_between_sqlite_pools_under_load() {
    move_under_load(["sqlite://a", "sqlite://b"], false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_moves_on_and_back_under_load() {
    move_under_load(["memory://a", "sqlite://b"], true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_moves_from_redis_to_sqlite_under_load() {
    let server = RedisServer::start();
    move_under_load([&server.uri(), "sqlite://b"], false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_moves_from_sqlite_to_redis_under_load() {
    let server = RedisServer::start();
    move_under_load(["sqlite://a", &server.uri()], false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_may_be_deleted_on_its_way() {
    for uris in [["memory://a", "memory://b"], ["sqlite://a", "sqlite://b"]] {
        let app = pooled(Store::Sqlite).await;
        let admin = Admin::of(&app);
        two_pools(&admin, uris).await;
        let load = filled(&app).await;
        change_flavor(&load.client, "B").await;
        load.client.delete(QUEUE).await.expect(204);
        let stats = load.client.get(&format!("{QUEUE}/stats")).await.expect(200).json();
        assert_eq!(stats["messages"]["total"], 0);
        until_arrived(&admin).await;
        // A new one has nothing of it.
        load.client.put_json(QUEUE, &json!({ "_flavor": "A" })).await.expect(201);
        assert_eq!(load.read("&include_claimed=true").await, [0; 0]);
        load.client.post_bodies("q", &[json!(1)]).await;
        assert_eq!(load.read("").await, [1]);
        // The mover may be about to notice.
        let start = Instant::now();
        while (admin.messages_in("a").await, admin.messages_in("b").await) != (1, 0) {
            assert!(start.elapsed() < PATIENCE);
        }
        assert!(app.stop().await);
    }
}

#[tokio::test]
async fn only_administrators_see_what_is_on_its_way() {
    let app = pooled(Store::Memory).await;
    app.client("operations").get("/v2/migrations").await.expect(403);
    let admin = Admin::of(&app);
    let list = admin.get("/v2/migrations").await.expect(200).json();
    assert_eq!(list, json!({ "links": [], "migrations": [] }));
    admin.get("/v2/migrations?limit=0").await.expect(400);
    let strange = admin.get("/v2/migrations?marker=nonsense").await.expect(200).json();
    assert_eq!(strange["migrations"], json!([]));
    let plain = TestApp::start(Store::Memory, "").await;
    let request = plain.client("p").request(Method::GET, "/v2/migrations").header("x-roles", "admin");
    send(request).await.expect(404);
}
