//! Two nodes of the service on the same stores.

use tempfile::TempDir;

use super::redis::RedisServer;
use super::{Process, cloud};
use crate::sql::common::Kind;

/// Two servers in processes of their own: messages in one Redis, queues in one database.
pub(crate) struct Nodes {
    pub(crate) first: Process,
    pub(crate) second: Process,
    pub(crate) redis: RedisServer,
    _states: [TempDir; 2],
}

impl Nodes {
    pub(crate) async fn start(kind: Kind) -> Self {
        let (redis, states) = (RedisServer::start(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
        let ini = cloud::ini(&redis.uri(), &cloud::database(kind).await);
        let first = Process::start(states[0].path(), &ini).await;
        let second = Process::start(states[1].path(), &ini).await;
        Self { first, second, redis, _states: states }
    }
}
