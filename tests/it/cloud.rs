//! The whole service on what clouds run: messages in Redis, queues in a database on a server; and what becomes of it
//! when one of them is slow, hangs or is gone.

mod begin;
mod broken;
mod health;
mod nodes;
mod outage;
mod slow;
mod warm;

use std::time::{Duration, Instant};

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until the condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
