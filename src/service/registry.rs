//! What this node knows of queues: their records, read once and kept.
//!
//! Absence is never kept. A record is kept only if nothing changed between its reading and its keeping, so that
//! a slow reader cannot bring back what a change just removed. That a kept record may still be stale does no
//! harm to messages: the store refuses calls of another epoch.

use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;

use super::attributes::Attributes;
use crate::error::{Error, Result};
use crate::model::{ProjectId, QueueName, QueueRef};
use crate::storage::{Management, QueueRecord};

/// The most records kept; at some 500 bytes each.
const CAPACITY: u64 = 50_000;

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

/// The records that this node keeps.
pub(super) struct Registry {
    records: Cache<(ProjectId, QueueName), Arc<Known>>,
    /// Counts changes; locked while a record is kept or removed, never over a store call.
    changes: Mutex<u64>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { records: Cache::new(CAPACITY), changes: Mutex::new(0) }
    }
}

impl Registry {
    /// The queue, from memory or from the store.
    pub(super) async fn find(
        &self,
        store: &dyn Management,
        project: &ProjectId,
        name: &QueueName,
    ) -> Result<Option<Arc<Known>>> {
        if let Some(known) = self.records.get(&(project.clone(), name.clone())) {
            return Ok(Some(known));
        }
        self.read(store, project, name).await
    }

    /// The queue, from the store.
    pub(super) async fn read(
        &self,
        store: &dyn Management,
        project: &ProjectId,
        name: &QueueName,
    ) -> Result<Option<Arc<Known>>> {
        let before = *self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let record = store.queue(project, name).await.map_err(Error::unavailable(UNREADABLE))?;
        let Some(record) = record else { return Ok(None) };
        let known = Arc::new(Known::new(record));
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if *changes == before {
            self.records.insert((project.clone(), name.clone()), known.clone());
        }
        Ok(Some(known))
    }

    /// Forgets the queue, because it was changed or found to be stale.
    pub(super) fn forget(&self, project: &ProjectId, name: &QueueName) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        *changes += 1;
        self.records.invalidate(&(project.clone(), name.clone()));
    }
}

const UNREADABLE: &str = "Queue metadata could not be retrieved.";
