//! Real Redis servers: alone, under Sentinels, in a Cluster; on free ports of 127.0.0.1, killed with the test.

pub(crate) mod cluster;
pub(crate) mod sentinel;
pub(crate) mod server;

use std::time::{Duration, Instant};

pub(crate) use cluster::RedisCluster;
pub(crate) use sentinel::RedisSentinels;
pub(crate) use server::{RedisServer, Setup};

/// How long a deployment may take to become what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
