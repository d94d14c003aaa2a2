//! What this node knows of queues: their records, read once and kept (decision 13).
//!
//! * Absence is never kept.
//! * A record is kept only if nothing changed between its reading and its keeping, so that a slow reader cannot bring
//!   back what a change just removed.
//! * A record that another node changed is read again before its next use; one that is older than [`FRESH`] serves
//!   and is read again beside. Where reading fails, the last record serves for [`OUTAGE`], and only one request in
//!   [`RETRY`] finds that out; the end of an outage makes all records doubtful.
//!
//! That a kept record may be stale does no harm to messages: the store refuses calls of another epoch.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;

use super::Service;
use super::attributes::Attributes;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{ProjectId, QueueName, QueueRef};
use crate::storage::{self, QueueRecord};
use crate::wake::{Bell, News, Wakes, Who};

/// The most records kept; at some 500 bytes each.
const CAPACITY: u64 = 50_000;

/// Seconds for which a record serves without being read again.
const FRESH: u64 = 10;

/// Seconds for which a record serves while the management store cannot be read.
const OUTAGE: u64 = 600;

/// Seconds after which a record that could not be read is tried again, beside.
const RETRY: u64 = 1;

/// A queue as operations use it.
#[derive(Debug)]
pub(super) struct Known {
    /// The record as it was read.
    pub(super) record: QueueRecord,
    /// What its reserved attributes mean.
    pub(super) attributes: Attributes,
}

impl Known {
    pub(super) fn new(record: QueueRecord) -> Self {
        let attributes = Attributes::read(&record);
        Self { record, attributes }
    }

    /// The queue as data calls name it.
    pub(super) fn queue(&self) -> &QueueRef {
        &self.record.queue
    }
}

/// A record in memory.
struct Kept {
    known: Arc<Known>,
    /// When it was read.
    read: Timestamp,
    /// When it is to be read again beside, in microseconds; moved on by whoever does.
    refresh: AtomicI64,
    /// Set when somebody said that it changed.
    doubted: AtomicBool,
}

impl Kept {
    fn serves_in_outage(&self, now: Timestamp) -> bool {
        self.read.plus_seconds(OUTAGE) > now
    }

    /// It could not be read: it serves, so that not every request waits for the deadline of the store.
    fn put_off(&self, now: Timestamp) {
        self.refresh.store(now.plus_seconds(RETRY).micros(), Ordering::Relaxed);
        self.doubted.store(false, Ordering::Relaxed);
    }

    /// Whether the caller is the one to read it again.
    fn is_due(&self, now: Timestamp) -> bool {
        let due = self.refresh.load(Ordering::Relaxed);
        let next = now.plus_seconds(FRESH).micros();
        due <= now.micros()
            && self.refresh.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

type Key = (ProjectId, QueueName);

/// The records that this node keeps.
pub(super) struct Registry {
    records: Cache<Key, Arc<Kept>>,
    /// Counts changes; locked while a record is kept or removed, never over a store call.
    changes: Mutex<u64>,
    /// Rings for a queue whose record may have changed: it may be there now, or gone, or lie elsewhere.
    wakes: Wakes,
}

impl Default for Registry {
    fn default() -> Self {
        Self { records: Cache::new(CAPACITY), changes: Mutex::new(0), wakes: Wakes::new() }
    }
}

impl Registry {
    /// Forgets the queue, because it was changed here or found to be stale.
    pub(super) fn forget(&self, project: &ProjectId, name: &QueueName) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        *changes += 1;
        self.records.invalidate(&(project.clone(), name.clone()));
        self.wakes.ring(project, name, News::Anything);
    }

    /// Notes that another node says the queue changed: its record serves only where it cannot be read again.
    pub(super) fn doubt(&self, project: &ProjectId, name: &QueueName) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        *changes += 1;
        if let Some(kept) = self.records.get(&(project.clone(), name.clone())) {
            kept.doubted.store(true, Ordering::Relaxed);
        }
        self.wakes.ring(project, name, News::Anything);
    }

    /// A bell that rings from now on where the queue may have been created, deleted or moved, or its metadata changed,
    /// here or on another node.
    pub(super) fn watch(&self, project: &ProjectId, name: &QueueName) -> Bell {
        self.wakes.watch(project, name, Who::Reader)
    }

    /// Notes that the stores of any queues may be others now.
    pub(super) fn stores_changed(&self) {
        self.wakes.ring_all();
    }

    /// Notes that any queue may have changed unnoticed.
    pub(super) fn doubt_all(&self) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        *changes += 1;
        for (_, kept) in &self.records {
            kept.doubted.store(true, Ordering::Relaxed);
        }
        self.wakes.ring_all();
    }

    fn changes(&self) -> u64 {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was read, or forgets the queue where there is none, unless something changed since `before`.
    fn settle(&self, key: Key, read: Timestamp, known: Option<&Arc<Known>>, before: u64) {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if *changes != before {
            return;
        }
        match known {
            Some(known) => {
                let refresh = AtomicI64::new(read.plus_seconds(FRESH).micros());
                let kept = Kept { known: known.clone(), read, refresh, doubted: AtomicBool::new(false) };
                self.records.insert(key, Arc::new(kept));
            }
            None => self.records.invalidate(&key),
        }
    }
}

impl Service {
    /// What is known of a queue: from memory, else from the store.
    pub(super) async fn known(&self, project: &ProjectId, name: &QueueName) -> Result<Option<Arc<Known>>> {
        let key = (project.clone(), name.clone());
        let now = self.inner.clock.now();
        let kept = self.inner.registry.records.get(&key).filter(|kept| kept.serves_in_outage(now));
        match kept {
            Some(kept) if !kept.doubted.load(Ordering::Relaxed) => {
                if kept.is_due(now) {
                    self.refresh(key);
                }
                Ok(Some(kept.known.clone()))
            }
            Some(kept) => match self.read(&key).await {
                Err(error) => {
                    tracing::debug!(error.cause = ?error, queue.name = %name, "the last record serves");
                    kept.put_off(self.inner.clock.now());
                    Ok(Some(kept.known.clone()))
                }
                read => read.map_err(Error::unavailable(UNREADABLE)),
            },
            None => self.read(&key).await.map_err(Error::unavailable(UNREADABLE)),
        }
    }

    /// Reads the record and keeps it.
    async fn read(&self, key: &Key) -> storage::Result<Option<Arc<Known>>> {
        let registry = &self.inner.registry;
        let (before, now) = (registry.changes(), self.inner.clock.now());
        let record = self.inner.stores.management.queue(&key.0, &key.1).await?;
        let known = record.map(|record| Arc::new(Known::new(record)));
        registry.settle(key.clone(), now, known.as_ref(), before);
        Ok(known)
    }

    /// Reads the record beside the request that found it old.
    fn refresh(&self, key: Key) {
        let service = self.clone();
        self.inner.tasks.spawn(async move {
            if let Err(error) = service.read(&key).await {
                tracing::debug!(error.cause = ?error, queue.name = %key.1, "a record could not be refreshed");
            }
        });
    }
}

const UNREADABLE: &str = "Queue metadata could not be retrieved.";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::clock::Clock;
    use crate::model::{ClientId, Metadata};
    use crate::service::vault::Vault;
    use crate::service::{Context, Settings};
    use crate::storage::memory::{MemoryManagement, MemoryStore};
    use crate::storage::{Management as _, Stores};

    const START: Timestamp = Timestamp::from_micros(1_795_190_691_123_457);

    /// A service with one queue, whose management store and clock are in the test's hand.
    async fn service() -> (Service, Arc<MemoryManagement>, Clock, Key) {
        let management = Arc::new(MemoryManagement::new());
        let stores = Stores { management: management.clone(), data: Arc::new(MemoryStore::new()) };
        let clock = Clock::manual(START);
        let vault = Vault::new(None, &[], "AES256");
        let service = Service::new(Settings::default(), stores, clock.clone(), vault, TaskTracker::new());
        let context = Context::internal(ProjectId::new("p"), ClientId::new("c"));
        let name = QueueName::parse("q").unwrap();
        service.create(&context, &name, &Metadata::new(), "no").await.unwrap();
        assert!(service.known(&context.project, &name).await.unwrap().is_some());
        (service, management, clock, (context.project, name))
    }

    #[tokio::test]
    async fn a_known_queue_serves_ten_minutes_without_its_store() {
        let (service, management, clock, (project, name)) = service().await;
        management.close().await;
        for seconds in [0, 11, 588] {
            clock.advance(Duration::from_secs(seconds));
            assert!(service.known(&project, &name).await.unwrap().is_some(), "{seconds} s later");
        }
        service.inner.registry.doubt(&project, &name);
        assert!(service.known(&project, &name).await.unwrap().is_some(), "though it is doubted");
        assert!(service.known(&project, &QueueName::parse("other").unwrap()).await.is_err());
        clock.advance(Duration::from_secs(1));
        assert!(service.known(&project, &name).await.is_err());
    }

    #[tokio::test]
    async fn after_an_outage_everything_is_read_again() {
        let (service, management, _, (project, name)) = service().await;
        management.delete_queue(&project, &name).await.unwrap();
        service.inner.registry.doubt_all();
        assert!(service.known(&project, &name).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_asked_for_by_every_request() {
        let (service, management, clock, (project, name)) = service().await;
        management.close().await;
        service.inner.registry.doubt(&project, &name);
        let kept = || service.inner.registry.records.get(&(project.clone(), name.clone())).unwrap();
        assert!(service.known(&project, &name).await.unwrap().is_some());
        assert!(!kept().doubted.load(Ordering::Relaxed));
        assert!(!kept().is_due(clock.now()));
        clock.advance(Duration::from_secs(RETRY));
        assert!(kept().is_due(clock.now()));
    }

    #[tokio::test]
    async fn what_is_doubted_is_read_again_before_its_next_use() {
        let (service, management, _, (project, name)) = service().await;
        management.delete_queue(&project, &name).await.unwrap();
        assert!(service.known(&project, &name).await.unwrap().is_some(), "nobody said so yet");
        service.inner.registry.doubt(&project, &name);
        assert!(service.known(&project, &name).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_old_record_serves_and_is_read_again_beside() {
        let (service, management, clock, (project, name)) = service().await;
        management.delete_queue(&project, &name).await.unwrap();
        clock.advance(Duration::from_secs(FRESH));
        assert!(service.known(&project, &name).await.unwrap().is_some());
        service.inner.tasks.close();
        service.inner.tasks.wait().await;
        assert!(service.known(&project, &name).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_slow_reader_does_not_bring_back_what_a_change_removed() {
        let (service, _, clock, key) = service().await;
        let registry = &service.inner.registry;
        let known = service.known(&key.0, &key.1).await.unwrap().unwrap();
        let before = registry.changes();
        registry.forget(&key.0, &key.1);
        registry.settle(key.clone(), clock.now(), Some(&known), before);
        assert!(registry.records.get(&key).is_none());
    }
}
