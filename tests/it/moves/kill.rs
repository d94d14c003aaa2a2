//! `kill -9` in the middle of a move: after a new start everything is there, and the move goes on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::RngExt as _;
use serde_json::{Value, json};

use super::live::{change_flavor, two_pools, until_arrived};
use crate::api::pools::Admin;
use crate::support::{Client, Process, random};

/// Messages of the queue.
const MESSAGES: u64 = 3_000;

/// How often the server is killed while the queue is on its way.
const CUT_OFF: usize = 3;

/// How often it is killed at most, to hit a move that often: a fast disk may be done before.
const KILLS: usize = 60;

const INI: &str = "[DEFAULT]\nadmin_mode = true\npooling = true\n[sweeper]\ninterval = 1\n";

/// What was acknowledged.
#[derive(Default)]
struct Books {
    left: BTreeSet<u64>,
    /// Paths of claims, and paths and numbers of the messages that they hold.
    held: Vec<(String, Vec<(String, u64)>)>,
}

async fn fill(client: &Client) -> Books {
    let metadata = json!({ "_flavor": "A", "_default_message_delay": 1 });
    client.put_json("/v2/queues/q", &metadata).await.expect(201);
    let mut books = Books::default();
    for first in (0..MESSAGES).step_by(20) {
        let message =
            |n: u64| json!({ "ttl": 3_600, "delay": if n.is_multiple_of(7) { 900 } else { 0 }, "body": n });
        let messages: Vec<_> = (first..first + 20).map(message).collect();
        client.post("/v2/queues/q/messages", &json!({ "messages": messages })).await.expect(201);
        books.left.extend(first..first + 20);
    }
    for _ in 0..10 {
        let claimed =
            client.post("/v2/queues/q/claims?limit=20", &json!({ "ttl": 3_600, "grace": 60 })).await;
        let claimed = claimed.expect(201);
        let path = claimed.header("location").expect("a path").to_owned();
        let document = claimed.json();
        let messages = document["messages"].as_array().expect("messages").iter();
        let messages =
            messages.map(|message| (text(&message["href"]), message["body"].as_u64().expect("a number")));
        books.held.push((path, messages.collect()));
    }
    books
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// The queue holds exactly what the books say, each message once and in order.
async fn audit(client: &Client, books: &Books) {
    let mut path =
        "/v2/queues/q/messages?echo=true&limit=20&include_claimed=true&include_delayed=true".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = client.get(&path).await.expect(200).json();
        let messages = page["messages"].as_array().expect("messages");
        if messages.is_empty() {
            break;
        }
        seen.extend(messages.iter().map(|message| message["body"].as_u64().expect("a number")));
        path = text(&page["links"][0]["href"]);
    }
    let (ready, delayed): (Vec<u64>, Vec<u64>) = seen.iter().partition(|n| **n % 7 != 0);
    assert!(ready.is_sorted(), "{ready:?}");
    assert_eq!(ready.len() + delayed.len(), books.left.len(), "a message is there twice, or lost");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), books.left);
    for (claim, messages) in &books.held {
        let held = client.get(claim).await.expect(200).json();
        let held =
            held["messages"].as_array().expect("messages").iter().map(|message| text(&message["href"]));
        let expected: BTreeSet<_> = messages.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(held.collect::<BTreeSet<_>>(), expected, "a claim holds what it held");
    }
}

/// Deletes a held message of each claim.
async fn delete_some(client: &Client, books: &mut Books) {
    for (_, messages) in &mut books.held {
        if messages.len() > 1
            && let Some((path, n)) = messages.pop()
        {
            client.delete(&path).await.expect(204);
            books.left.remove(&n);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_move_loses_nothing_and_goes_on() {
    let mut rng = random::seeded();
    let state = tempfile::tempdir().unwrap();
    let mut server = Process::start(state.path(), INI).await;
    two_pools(&Admin::of_client(server.client("operations")), ["sqlite://a", "sqlite://b"]).await;
    let mut books = fill(&server.client("operations")).await;
    let mut cut_off = 0;
    for run in 0.. {
        assert!(run < KILLS, "{cut_off} kills came in time");
        let client = server.client("operations");
        change_flavor(&client, if run % 2 == 0 { "B" } else { "A" }).await;
        // Somewhere on the way, and rather early.
        let (begun, mercy) = (Instant::now(), Duration::from_millis(rng.random_range(0..20_u64).pow(2)));
        while begun.elapsed() < mercy {
            delete_some(&client, &mut books).await;
        }
        server.kill();
        server = Process::start(state.path(), INI).await;
        let client = server.client("operations");
        let admin = Admin::of_client(client.clone());
        let on_its_way = admin.get("/v2/migrations").await.expect(200).json();
        let is_cut_off = !on_its_way["migrations"].as_array().expect("a list").is_empty();
        audit(&client, &books).await;
        delete_some(&client, &mut books).await;
        until_arrived(&admin).await;
        audit(&client, &books).await;
        let left = u64::try_from(books.left.len()).unwrap();
        let places = if run % 2 == 0 { ["b", "a"] } else { ["a", "b"] };
        assert_eq!((admin.messages_in(places[0]).await, admin.messages_in(places[1]).await), (left, 0));
        if is_cut_off {
            let log = server.log();
            assert!(log.contains("audit.action=migration.end audit.subject=q"), "{log}");
            cut_off += 1;
            if cut_off == CUT_OFF {
                break;
            }
        }
    }
}
