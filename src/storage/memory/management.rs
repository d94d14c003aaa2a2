//! Queues and their metadata in RAM.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::closed;
use crate::model::{Metadata, ProjectId, QueueName, QueueRef};
use crate::storage::{Management, QueueFilter, QueueRecord, Result};

/// Queues and their metadata, in RAM.
pub struct MemoryManagement(Mutex<Option<Projects>>);

/// The queues of each project, by name.
type Projects = BTreeMap<ProjectId, BTreeMap<String, QueueRecord>>;

impl MemoryManagement {
    /// An empty store.
    pub fn new() -> Self {
        Self(Mutex::new(Some(Projects::new())))
    }

    fn all<T>(&self, act: impl FnOnce(&mut Projects) -> T) -> Result<T> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().map(act).ok_or_else(closed)
    }
}

impl Default for MemoryManagement {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Management for MemoryManagement {
    async fn create_queue(&self, queue: &QueueRef, metadata: &Metadata) -> Result<(QueueRecord, bool)> {
        self.all(|projects| {
            let queues = projects.entry(queue.project.clone()).or_default();
            let name = queue.name.as_str();
            if let Some(record) = queues.get(name) {
                return (record.clone(), false);
            }
            let record = QueueRecord { queue: queue.clone(), metadata: metadata.clone(), revision: 1 };
            queues.insert(name.to_owned(), record.clone());
            (record, true)
        })
    }

    async fn queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        self.all(|projects| projects.get(project)?.get(name.as_str()).cloned())
    }

    async fn replace_metadata(&self, seen: &QueueRecord, metadata: &Metadata) -> Result<Option<QueueRecord>> {
        self.all(|projects| {
            let queues = projects.get_mut(&seen.queue.project)?;
            let record = queues.get_mut(seen.queue.name.as_str())?;
            if record.queue.epoch != seen.queue.epoch || record.revision != seen.revision {
                return None;
            }
            record.metadata.clone_from(metadata);
            record.revision += 1;
            Some(record.clone())
        })
    }

    async fn delete_queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        self.all(|projects| {
            let queues = projects.get_mut(project)?;
            let record = queues.remove(name.as_str());
            if queues.is_empty() {
                projects.remove(project);
            }
            record
        })
    }

    async fn queues(&self, project: &ProjectId, filter: &QueueFilter) -> Result<Vec<QueueRecord>> {
        let after = filter.marker.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.all(|projects| {
            let queues = projects.get(project).into_iter();
            let behind = queues.flat_map(|queues| queues.range::<str, _>((after, Bound::Unbounded)));
            behind
                .map(|(_, record)| record)
                .filter(|record| fits(record, filter))
                .take(filter.limit)
                .cloned()
                .collect()
        })
    }

    async fn count_queues(&self, project: &ProjectId) -> Result<u64> {
        self.all(|projects| projects.get(project).map_or(0, |queues| queues.len() as u64))
    }

    async fn count_all_queues(&self) -> Result<u64> {
        self.all(|projects| projects.values().map(|queues| queues.len() as u64).sum())
    }

    async fn ping(&self) -> Result<()> {
        self.all(|_| ())
    }

    async fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Whether the name and the metadata are wanted.
fn fits(record: &QueueRecord, filter: &QueueFilter) -> bool {
    let name = record.queue.name.as_str();
    filter.name.as_ref().is_none_or(|part| name.contains(part.as_str()))
        && filter.metadata.iter().all(|(key, value)| record.metadata.get(key) == Some(value))
}
