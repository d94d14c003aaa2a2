//! What is looked at when a store is opened: whether the servers keep what they are given.

use redis::Value;

use super::connection::Node;
use super::{RedisStore, codec};
use crate::storage::Result;

/// Keys that are looked at, at most, for those of the Python driver.
const LOOKS: usize = 10_000;

impl RedisStore {
    /// Warns of servers that may evict or lose messages, and of data that this driver does not read. What a managed
    /// service does not tell is taken as well. False where they cannot be reached.
    pub(super) async fn inspect(&self) -> bool {
        let nodes = match self.reached().await {
            Ok(nodes) => nodes,
            Err(error) => {
                tracing::warn!(error.cause = ?error, "the message store cannot be reached yet");
                return false;
            }
        };
        for node in &nodes {
            inspect_policy(node).await;
            inspect_persistence(node).await;
        }
        for node in &nodes {
            inspect_foreign(node).await;
        }
        true
    }

    /// The servers, if all of them answer.
    async fn reached(&self) -> Result<Vec<Node>> {
        let nodes = self.connection.masters().await?;
        for node in &nodes {
            node.call(&redis::cmd("PING")).await?;
        }
        Ok(nodes)
    }
}

/// The value of a parameter of the server, where it tells.
async fn parameter(node: &Node, name: &str) -> Option<String> {
    let mut get = redis::cmd("CONFIG");
    get.arg("GET").arg(name);
    let [_, value] = codec::parts(node.call(&get).await.ok()?).ok()?;
    codec::text(value).ok()
}

async fn inspect_policy(node: &Node) {
    let Some(policy) = parameter(node, "maxmemory-policy").await else { return };
    if policy != "noeviction" {
        tracing::warn!(
            redis.maxmemory_policy = policy,
            "Redis may evict messages when its memory is full; set maxmemory-policy to noeviction"
        );
    }
}

async fn inspect_persistence(node: &Node) {
    let (log, snapshots) = (parameter(node, "appendonly").await, parameter(node, "save").await);
    if log.as_deref() == Some("no") && snapshots.as_deref() == Some("") {
        tracing::warn!(
            "Redis keeps nothing on disk: a restart loses all messages; set appendonly to yes, or save"
        );
    }
}

/// Counts what the Python driver left, as far as that is cheap.
async fn inspect_foreign(node: &Node) {
    let mut index = redis::cmd("ZCARD");
    index.arg("msgset_index");
    // On a Cluster another server may have this key.
    let mut queues = match node.call(&index).await {
        Ok(Value::Int(count)) => count,
        _ => 0,
    };
    let (mut cursor, mut looked, mut projects) = ("0".to_owned(), 0, 0);
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(&cursor).arg("MATCH").arg("*.queues_set").arg("COUNT").arg(1_000);
        let Ok(answer) = node.call(&scan).await else { break };
        let Ok([next, found]) = codec::parts(answer) else { break };
        projects += codec::list(found).map_or(0, |found| found.len());
        looked += 1_000;
        cursor = codec::text(next).unwrap_or_default();
        if cursor == "0" || cursor.is_empty() || looked >= LOOKS {
            break;
        }
    }
    queues = queues.max(0);
    if queues > 0 || projects > 0 {
        tracing::warn!(
            queues.count = queues,
            projects.count = projects,
            "Redis holds messages of the Python service, which are not read here; drain them there first"
        );
    }
}
