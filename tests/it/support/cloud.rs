//! What clouds run: messages in a deployment of Redis, management on a database server; and the configuration of a
//! service on them.

use super::redis::{RedisCluster, RedisSentinels, RedisServer};
use crate::contract::fixture::upgraded;
use crate::sql::common::Kind;

/// A running deployment of Redis.
pub(crate) enum Redis {
    /// One server.
    Alone(RedisServer),
    /// A master and replicas under Sentinels.
    Sentinels(RedisSentinels),
    /// A Cluster of three masters.
    Cluster(RedisCluster),
}

impl Redis {
    /// Its URI.
    pub(crate) fn uri(&self) -> String {
        match self {
            Self::Alone(server) => server.uri(),
            Self::Sentinels(deployment) => deployment.uri(),
            Self::Cluster(cluster) => cluster.uri(),
        }
    }

    /// Removes all data.
    pub(crate) fn empty(&mut self) {
        match self {
            Self::Alone(server) => drop(server.command(&["FLUSHALL"])),
            Self::Sentinels(deployment) => drop(deployment.master().command(&["FLUSHALL"])),
            Self::Cluster(cluster) => {
                for master in &cluster.masters {
                    master.command(&["FLUSHALL"]);
                }
            }
        }
    }
}

/// The URL of a new database with our tables, on the server that all tests share.
pub(crate) async fn database(kind: Kind) -> String {
    let fresh = kind.fresh().await;
    prepared(fresh.url).await
}

/// The URL of that database, once it has our tables.
pub(crate) async fn prepared(url: String) -> String {
    use zaqar::storage::Management as _;
    upgraded(&url).await.close().await;
    url
}

/// The configuration of a service with its messages in that Redis and its queues in that database. A call may take
/// long there, for a machine that runs other tests.
pub(crate) fn ini(redis: &str, database: &str) -> String {
    messages_in(&patient(redis)) + &queues_in(database)
}

/// The URI with a deadline of calls that no machine reaches.
pub(crate) fn patient(uri: &str) -> String {
    let sign = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{sign}socket_timeout=30")
}

/// The part about messages.
pub(crate) fn messages_in(redis: &str) -> String {
    format!("[drivers]\nmessage_store = redis\n[drivers:message_store:redis]\nuri = {}\n", escaped(redis))
}

/// The part about queues.
pub(crate) fn queues_in(database: &str) -> String {
    format!("[drivers:management_store:sqlalchemy]\nuri = {}\n", escaped(database))
}

/// As a value stands in a configuration file.
fn escaped(value: &str) -> String {
    value.replace('%', "%%").replace('$', "$$")
}
