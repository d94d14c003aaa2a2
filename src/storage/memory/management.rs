//! Queues, their metadata and their places, in RAM.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::RwLock;

use super::closed;
use crate::clock::Timestamp;
use crate::model::{Flavor, Metadata, Pool, PoolName, ProjectId, QueueName, QueueRef};
use crate::storage::{Management, Motion, Placement, Placing, QueueFilter, QueueRecord, Result, Work};

/// Queues, their metadata and their places, in RAM.
pub struct MemoryManagement {
    state: Mutex<Option<State>>,
    /// Read while queues must not be deleted.
    deletions: RwLock<()>,
}

/// What the store knows.
#[derive(Default)]
pub(super) struct State {
    pub(super) projects: Projects,
    pub(super) pools: BTreeMap<PoolName, Pool>,
    pub(super) flavors: BTreeMap<String, Flavor>,
    pub(super) motions: BTreeMap<(ProjectId, QueueName), Progress>,
}

/// The queues of each project, by name.
type Projects = BTreeMap<ProjectId, BTreeMap<String, QueueRecord>>;

/// How far a motion has come; from where to where stands in the queue's record.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) moved: u64,
    /// `None` until somebody works on it.
    pub(super) times: Option<(Timestamp, Timestamp)>,
}

impl State {
    pub(super) fn record(&mut self, project: &ProjectId, name: &QueueName) -> Option<&mut QueueRecord> {
        self.projects.get_mut(project)?.get_mut(name.as_str())
    }

    /// The record of that queue, if it is of that epoch.
    pub(super) fn current(&mut self, queue: &QueueRef) -> Option<&mut QueueRecord> {
        self.record(&queue.project, &queue.name).filter(|record| record.queue.epoch == queue.epoch)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &QueueRecord> {
        self.projects.values().flat_map(BTreeMap::values)
    }

    pub(super) fn records_mut(&mut self) -> impl Iterator<Item = &mut QueueRecord> {
        self.projects.values_mut().flat_map(BTreeMap::values_mut)
    }

    fn place(&mut self, queue: &QueueRef, placing: &Placing) {
        let Some(record) = self.current(queue).filter(|record| record.placement.motion.is_none()) else {
            return;
        };
        match placing {
            Placing::At(pool) => record.placement.pool = Some(pool.clone()),
            Placing::Move(target) => {
                let source = record.placement.pool.clone();
                record.placement.motion = Some(Motion { source, target: target.clone(), sealed: false });
                self.motions.insert((queue.project.clone(), queue.name.clone()), Progress::default());
            }
        }
    }
}

impl MemoryManagement {
    /// An empty store.
    pub fn new() -> Self {
        Self { state: Mutex::new(Some(State::default())), deletions: RwLock::default() }
    }

    pub(super) fn all<T>(&self, act: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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
    async fn create_queue(
        &self,
        queue: &QueueRef,
        metadata: &Metadata,
        pool: Option<&PoolName>,
    ) -> Result<(QueueRecord, bool)> {
        self.all(|state| {
            let queues = state.projects.entry(queue.project.clone()).or_default();
            let name = queue.name.as_str();
            if let Some(record) = queues.get(name) {
                return (record.clone(), false);
            }
            let placement = Placement { pool: pool.cloned(), motion: None };
            let record =
                QueueRecord { queue: queue.clone(), metadata: metadata.clone(), revision: 1, placement };
            queues.insert(name.to_owned(), record.clone());
            (record, true)
        })
    }

    async fn queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        self.all(|state| state.record(project, name).cloned())
    }

    async fn replace_metadata(
        &self,
        seen: &QueueRecord,
        metadata: &Metadata,
        placing: Option<&Placing>,
    ) -> Result<Option<QueueRecord>> {
        self.all(|state| {
            let record = state.current(&seen.queue).filter(|record| record.revision == seen.revision)?;
            record.metadata.clone_from(metadata);
            record.revision += 1;
            if let Some(placing) = placing {
                state.place(&seen.queue, placing);
            }
            state.current(&seen.queue).cloned()
        })
    }

    async fn while_current(&self, queue: &QueueRef, work: Work<'_>) -> Result<bool> {
        let _kept = self.deletions.read().await;
        if self.all(|state| state.current(queue).is_none())? {
            return Ok(false);
        }
        work.await.map(|()| true)
    }

    async fn delete_queue(&self, project: &ProjectId, name: &QueueName) -> Result<Option<QueueRecord>> {
        let _alone = self.deletions.write().await;
        self.all(|state| {
            let queues = state.projects.get_mut(project)?;
            let record = queues.remove(name.as_str());
            if queues.is_empty() {
                state.projects.remove(project);
            }
            state.motions.remove(&(project.clone(), name.clone()));
            record
        })
    }

    async fn queues(&self, project: &ProjectId, filter: &QueueFilter) -> Result<Vec<QueueRecord>> {
        let after = filter.marker.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.all(|state| {
            let queues = state.projects.get(project).into_iter();
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
        self.all(|state| state.projects.get(project).map_or(0, |queues| queues.len() as u64))
    }

    async fn count_all_queues(&self) -> Result<u64> {
        self.all(|state| state.projects.values().map(|queues| queues.len() as u64).sum())
    }

    async fn ping(&self) -> Result<()> {
        self.all(|_| ())
    }

    async fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Whether the name and the metadata are wanted.
fn fits(record: &QueueRecord, filter: &QueueFilter) -> bool {
    let name = record.queue.name.as_str();
    filter.name.as_ref().is_none_or(|part| name.contains(part.as_str()))
        && filter.metadata.iter().all(|(key, value)| record.metadata.get(key) == Some(value))
}
