//! Health: whether the stores answer, and whether they do what they should.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use super::{Context, Service};
use crate::error::Result;
use crate::model::{
    ClaimId, ClientId, Epoch, MessageId, Metadata, NewMessage, PoolName, ProjectId, QueueName, QueueRef,
};
use crate::policy::Rule;
use crate::storage::{self, ClaimRequest, DataStore, ListQuery};

/// Messages of the probe, as in the reference (storage-and-operations.md 1).
const MESSAGES: i64 = 100;

/// How long a store may take to say that it is there.
pub(super) const PING: Duration = Duration::from_secs(2);

/// What the health probe found.
#[derive(Clone, Debug)]
pub enum HealthReport {
    /// Without pools: the store of the configuration.
    Single(StoreHealth),
    /// With pools: whether the management store answers, and each pool by name.
    Pooled(bool, Vec<(PoolName, StoreHealth)>),
}

/// What the probe found of one store of messages.
#[derive(Clone, Debug, Default)]
pub struct StoreHealth {
    /// Whether it answers, and the management store too.
    pub storage_reachable: bool,
    /// Each operation, in the order it was tried.
    pub operations: Vec<(&'static str, Probe)>,
    /// Free and claimed messages of the whole store; `None` where it cannot say.
    pub volume: Option<(u64, u64)>,
}

/// How one operation of the probe went.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// How long it took.
    pub took: Duration,
    /// Where it failed, the reference under which the log tells why.
    pub failure: Option<Uuid>,
}

impl Service {
    /// Whether the management store answers within 2 seconds, and what [`Service::is_ready`] asks.
    pub async fn ping(&self) -> bool {
        let (managed, ready) = tokio::join!(answers(self.inner.stores.management.ping()), self.is_ready());
        managed && ready
    }

    /// Whether messages can be stored here: the store of the configuration answers within 2 seconds, where it takes
    /// queues. A pool that is broken keeps its own queues away and no others, so it does not count. Nor does the
    /// management store, which all nodes share: known queues do without it, and a load balancer would drain every node.
    pub async fn is_ready(&self) -> bool {
        let strict = self.inner.settings.pooling.as_ref().is_some_and(|pooling| !pooling.virtual_pool);
        strict || answers(self.inner.stores.data.ping()).await
    }

    /// Tries every operation on a queue of its own, in a project of its own, and takes the numbers of the store; with
    /// pools, in each of them.
    pub async fn health(&self, context: &Context) -> Result<HealthReport> {
        context.granted(Rule::HealthGet)?;
        if self.inner.settings.pooling.is_some() {
            return Ok(self.pooled_health().await);
        }
        Ok(HealthReport::Single(self.store_health(&self.inner.stores.data, None).await))
    }

    async fn pooled_health(&self) -> HealthReport {
        let reachable = answers(self.inner.stores.management.ping()).await;
        let names = self.inner.pools.all().await.unwrap_or_default().into_iter().map(|pool| pool.name);
        // All at once: a broken pool takes its time.
        let probes = names.map(|name| {
            let service = self.clone();
            let pool = name.clone();
            (name, self.inner.tasks.spawn(async move { service.pool_health(&pool).await }))
        });
        let mut pools = Vec::new();
        for (name, probe) in probes.collect::<Vec<_>>() {
            pools.push((name, probe.await.unwrap_or_default()));
        }
        HealthReport::Pooled(reachable, pools)
    }

    async fn pool_health(&self, name: &PoolName) -> StoreHealth {
        match self.inner.pools.store(Some(name)).await {
            Ok(store) => self.store_health(&store, Some(name)).await,
            Err(error) => {
                tracing::warn!(error.cause = ?error, "a pool is not healthy");
                StoreHealth::default()
            }
        }
    }

    async fn store_health(&self, store: &Arc<dyn DataStore>, pool: Option<&PoolName>) -> StoreHealth {
        let management = &self.inner.stores.management;
        let reachable = answers(async { tokio::try_join!(management.ping(), store.ping()).map(drop) }).await;
        if !reachable {
            return StoreHealth::default();
        }
        let operations = self.probe(&**store, pool).await;
        let volume = store.volume().await.ok();
        StoreHealth { storage_reachable: true, operations, volume }
    }

    async fn probe(&self, data: &dyn DataStore, pool: Option<&PoolName>) -> Vec<(&'static str, Probe)> {
        let (management, clock) = (&self.inner.stores.management, self.clock());
        let now = clock.now();
        let queue = probe_queue(Epoch(now.micros()));
        let messages = probe_messages(now.micros());
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        let claim = ClaimId::new(now);
        let mut done = Vec::with_capacity(8);
        let create = async {
            management.create_queue(&queue, &Metadata::new(), pool).await?;
            data.open(&queue, now).await
        };
        done.push(("create_queue", tried(create).await));
        done.push(("post_messages", tried(data.post(&queue, messages, now)).await));
        let request = ClaimRequest { id: claim, ttl: 60, grace: 300, limit: 10, dead_letters: None };
        done.push(("claim_messages", tried(data.claim(&queue, &request, clock.now())).await));
        let query = ListQuery { limit: 10, include_claimed: true, ..ListQuery::default() };
        done.push(("list_messages", tried(data.list(&queue, &query, clock.now())).await));
        let delete = data.delete(&queue, ids[0], Some(claim), clock.now());
        done.push(("delete_messages", tried(delete).await));
        done.push(("delete_claim", tried(data.release(&queue, claim, clock.now())).await));
        let delete = data.delete_many(&queue, &ids, None, clock.now());
        done.push(("bulk_delete_messages", tried(delete).await));
        let delete = async {
            management.delete_queue(&queue.project, &queue.name).await?;
            data.drop_queue(&queue).await
        };
        done.push(("delete_queue", tried(delete).await));
        done
    }
}

/// Whether a store answers within 2 seconds.
async fn answers(ping: impl Future<Output = storage::Result<()>>) -> bool {
    match tokio::time::timeout(PING, ping).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(error.cause = ?error, "a store does not answer");
            false
        }
        Err(_) => {
            tracing::warn!("a store does not answer within {PING:?}");
            false
        }
    }
}

async fn tried<T>(operation: impl Future<Output = storage::Result<T>>) -> Probe {
    let start = Instant::now();
    let failure = operation.await.err().map(|error| {
        let reference = Uuid::new_v4();
        tracing::error!(health.reference = %reference, error.cause = ?error, "a health probe failed");
        reference
    });
    Probe { took: start.elapsed(), failure }
}

fn probe_queue(epoch: Epoch) -> QueueRef {
    let name = Uuid::new_v4().to_string();
    let project = ProjectId::new(&Uuid::new_v4().to_string());
    let name = QueueName::parse(&name).expect("a UUID is a legal name");
    QueueRef { project, name, epoch }
}

fn probe_messages(now: i64) -> Vec<NewMessage> {
    let client = ClientId::new(&Uuid::new_v4().to_string());
    let message = |index: i64| NewMessage {
        id: MessageId::new(crate::clock::Timestamp::from_micros(now + index)),
        ttl: 600,
        delay: 0,
        client: client.clone(),
        checksum: None,
        body: Bytes::from_static(b"{\"probe\":true}"),
    };
    (0..MESSAGES).map(message).collect()
}
