//! Health: whether the stores answer, and whether they do what they should.

use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use super::{Context, Service};
use crate::error::{Error, Result};
use crate::model::{
    ClaimId, ClientId, Epoch, MessageId, Metadata, NewMessage, ProjectId, QueueName, QueueRef,
};
use crate::storage::{self, ClaimRequest, ListQuery};

/// Messages of the probe, as in the reference (storage-and-operations.md 1).
const MESSAGES: i64 = 100;

/// How long a store may take to say that it is there.
const PING: Duration = Duration::from_secs(2);

/// What the health probe found.
#[derive(Clone, Debug)]
pub struct HealthReport {
    /// Whether both stores answer.
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
    /// Whether both stores answer within 2 seconds.
    pub async fn ping(&self) -> bool {
        let stores = &self.inner.stores;
        let both = async { tokio::try_join!(stores.management.ping(), stores.data.ping()) };
        match tokio::time::timeout(PING, both).await {
            Ok(Ok(_)) => true,
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

    /// Tries every operation on a queue of its own, in a project of its own, and takes the numbers of the store.
    pub async fn health(&self, context: &Context) -> Result<HealthReport> {
        context.require_role("admin")?;
        let storage_reachable = self.ping().await;
        let operations = if storage_reachable { self.probe().await } else { Vec::new() };
        let volume = self.inner.stores.data.volume().await;
        let volume = volume.map_err(Error::unavailable("Health status could not be read."))?;
        Ok(HealthReport { storage_reachable, operations, volume: Some(volume) })
    }

    async fn probe(&self) -> Vec<(&'static str, Probe)> {
        let (data, management, clock) =
            (&self.inner.stores.data, &self.inner.stores.management, self.clock());
        let now = clock.now();
        let queue = probe_queue(Epoch(now.micros()));
        let messages = probe_messages(now.micros());
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        let claim = ClaimId::new(now);
        let mut done = Vec::with_capacity(8);
        let create = async {
            management.create_queue(&queue, &Metadata::new(), None).await?;
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
