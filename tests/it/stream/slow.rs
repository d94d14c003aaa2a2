//! Readers that do not read.

use serde_json::json;

use crate::support::Process;
use crate::support::events::EventStream;

/// Messages that are posted while nobody reads the slow stream, and their size in bytes.
const MESSAGES: usize = 1_500;
const SIZE: usize = 60_000;

/// What the service may hold for a reader who is so far behind: far less than what it has not read.
const ALLOWED: u64 = 40 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_costs_no_memory_and_loses_nothing() {
    let state = tempfile::tempdir().unwrap();
    let process = Process::start(state.path(), "[drivers]\nmessage_store = sqlite\n").await;
    let client = process.client("p");
    let mut slow = EventStream::open(&client, "q").await;
    let mut fast = EventStream::open(&client, "q").await;
    let filler = "x".repeat(SIZE);
    let mut before = 0;
    for n in 0..MESSAGES {
        client.post_bodies("q", &[json!([n, filler])]).await;
        assert_eq!(fast.bodies(1).await[0][0], n);
        if n == MESSAGES / 10 {
            before = process.memory();
        }
    }
    let grown = process.memory().saturating_sub(before);
    assert!(grown < ALLOWED, "{} MiB more", grown >> 20);
    for n in 0..MESSAGES {
        assert_eq!(slow.bodies(1).await[0][0], n);
    }
}
