//! Disks that take nothing more: posts are refused with 503, nothing is lost, and all is well once there is room.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::{Answer, send};
use crate::support::{Client, Process};

/// No answer may take longer.
const DEADLINE: Duration = Duration::from_secs(20);

/// Bytes of a message's body.
const BODY: usize = 20_000;

/// A small disk of its own, full to the last byte. Needs root or user namespaces; where a machine forbids both,
/// the test below is what is left.
#[tokio::test]
async fn a_full_disk_is_503_until_there_is_room() {
    let state = tempfile::tempdir().unwrap();
    let disk = state.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    if !can_mount(&disk) {
        println!("this machine lets nobody mount anything; not tried");
        return;
    }
    let mount = format!("mount -t tmpfs -o size=8m none '{}' && exec \"$@\"", disk.display());
    let under = ["unshare", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    let server = Process::start_under(&under, state.path(), &stores_in(&disk)).await;
    // The mount is visible to the server alone, and to those who look through its eyes.
    let seen = format!("/proc/{}/root{}/ballast", server.pid().as_raw_pid(), disk.display());
    let ballast = PathBuf::from(seen);
    let full = || assert!(fill(&ballast) > 0, "the disk was full before");
    refused_and_recovered(&server, full, || std::fs::remove_file(&ballast).unwrap()).await;
}

/// Files that may not be written any more, by a limit on the server's process.
#[tokio::test]
async fn a_disk_that_refuses_writes_is_503_until_it_takes_them() {
    let state = tempfile::tempdir().unwrap();
    let under = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
    let server = Process::start_under(&under, state.path(), "").await;
    let limit = |current: Option<u64>| {
        let maximum = prlimit(Some(server.pid()), Resource::Fsize, Rlimit { current, maximum: None });
        assert_eq!(maximum.expect("a limit of the server").maximum, None);
    };
    let stored = refused_and_recovered(&server, || limit(Some(0)), || limit(None)).await;
    server.kill();
    let server = Process::start(state.path(), "").await;
    assert_eq!(numbers(&server.client("p")).await, stored);
}

/// Posts before, while and after writes are refused: all messages in the end.
async fn refused_and_recovered(server: &Process, refuse: impl Fn(), relent: impl Fn()) -> Vec<u64> {
    let mut poster =
        Poster { client: server.client("p"), next: 0, stored: BTreeSet::new(), refused: BTreeSet::new() };
    for _ in 0..20 {
        assert_eq!(poster.post().await, 201);
    }
    let claim = poster.client.post("/v2/queues/q/claims?limit=3", &json!({})).await.expect(201);
    refuse();
    // A log that was made longer before may take some more.
    while poster.post().await == 201 {}
    meanwhile(server, &mut poster).await;
    relent();
    let start = Instant::now();
    while poster.post().await != 201 {
        assert!(start.elapsed() < DEADLINE, "room does not help: {}", server.log());
    }
    for _ in 0..20 {
        assert_eq!(poster.post().await, 201);
    }
    let client = &poster.client;
    let path = claim.header("location").unwrap();
    assert_eq!(client.get(path).await.expect(200).ids(), claim.ids());
    client.put("/v2/queues/new").await.expect(201);
    client.get("/v2/ping").await.expect(204);
    let there = numbers(client).await;
    poster.compare(&there);
    there
}

/// A client that knows what it posted.
struct Poster {
    client: Client,
    next: u64,
    /// Numbers of messages that must be there.
    stored: BTreeSet<u64>,
    /// Numbers of messages that were refused with 503: a store that took too long may have them.
    refused: BTreeSet<u64>,
}

impl Poster {
    /// Posts a message: the status, 201 or 503.
    async fn post(&mut self) -> u16 {
        let number = self.next;
        self.next += 1;
        let status = post(self.client.clone(), number).await;
        self.note(number, status);
        status
    }

    fn note(&mut self, number: u64, status: u16) {
        match status {
            201 => self.stored.insert(number),
            503 => self.refused.insert(number),
            _ => panic!("a post was answered {status}"),
        };
    }

    /// Many posts at the same time.
    async fn crowd(&mut self) {
        let mut posts = JoinSet::new();
        for number in self.next..self.next + 16 {
            let client = self.client.clone();
            posts.spawn(async move { (number, post(client, number).await) });
        }
        self.next += 16;
        for (number, status) in posts.join_all().await {
            self.note(number, status);
        }
    }

    /// Whether what is there is what was acknowledged, each once.
    fn compare(&self, there: &[u64]) {
        let set: BTreeSet<_> = there.iter().copied().collect();
        assert_eq!(set.len(), there.len(), "doubled: {there:?}");
        let lost: Vec<_> = self.stored.difference(&set).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let known: BTreeSet<_> = self.stored.union(&self.refused).copied().collect();
        assert!(set.is_subset(&known), "not posted, or deleted: {:?}", set.difference(&known));
    }
}

/// What a server whose disk is full still does: it answers everybody.
async fn meanwhile(server: &Process, poster: &mut Poster) {
    poster.crowd().await;
    let client = poster.client.clone();
    within(client.get("/healthcheck/live")).await.expect(200);
    let ping = within(client.get("/v2/ping")).await.status;
    assert!(ping == 204 || ping == 503, "{ping}");
    let listed = within(client.get("/v2/queues/q/messages?echo=true&limit=1")).await.expect(200);
    let number = listed.json()["messages"][0]["body"]["number"].as_u64().unwrap();
    let deleted = within(client.delete(&format!("/v2/queues/q/messages/{}", listed.ids()[0]))).await.status;
    poster.stored.remove(&number);
    if deleted == 503 {
        poster.refused.insert(number);
    } else {
        assert_eq!(deleted, 204);
    }
    for (method, path) in [(Method::PUT, "/v2/queues/other"), (Method::POST, "/v2/queues/q/claims")] {
        let status = within(send(client.request(method, path).body("{}"))).await.status.as_u16();
        assert!(matches!(status, 201 | 204 | 503), "{status} {}", server.log());
    }
}

/// Posts a message with that number: the status.
async fn post(client: Client, number: u64) -> u16 {
    let body = json!({ "number": number, "filling": "x".repeat(BODY) });
    let document = json!({ "messages": [{ "ttl": 3_600, "body": body }] });
    within(client.post("/v2/queues/q/messages", &document)).await.status.as_u16()
}

/// The numbers of all messages, each as often as it is there.
async fn numbers(client: &Client) -> Vec<u64> {
    let mut path = "/v2/queues/q/messages?limit=20&echo=true&include_claimed=true".to_owned();
    let mut numbers = Vec::new();
    loop {
        let page = within(client.get(&path)).await.expect(200).json();
        let messages = page["messages"].as_array().unwrap();
        numbers.extend(messages.iter().map(|message| message["body"]["number"].as_u64().unwrap()));
        match page["links"][0]["href"].as_str() {
            Some(next) => next.clone_into(&mut path),
            None => return numbers,
        }
    }
}

async fn within(answer: impl Future<Output = Answer>) -> Answer {
    tokio::time::timeout(DEADLINE, answer).await.expect("an answer in time")
}

/// Configuration that puts both stores there.
fn stores_in(disk: &Path) -> String {
    let disk = disk.display();
    format!(
        "[drivers:message_store:sqlite]\nuri = sqlite:///{disk}/messages.db\n\
         [drivers:management_store:sqlalchemy]\nuri = sqlite:///{disk}/management.db\n"
    )
}

fn can_mount(place: &Path) -> bool {
    let line = ["--map-root-user", "--mount", "mount", "-t", "tmpfs", "none"];
    Command::new("unshare").args(line).arg(place).output().is_ok_and(|tried| tried.status.success())
}

/// Writes until the disk is full: how many bytes.
fn fill(path: &Path) -> u64 {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    let mut written = 0;
    for size in [4_096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {
            written += size as u64;
        }
    }
    written
}
