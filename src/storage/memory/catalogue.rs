//! Pools, flavors and the places of queues, in RAM.

use std::ops::Bound;

use async_trait::async_trait;

use super::management::{MemoryManagement, Progress, State};
use crate::clock::Timestamp;
use crate::model::{Flavor, Pool, PoolName, ProjectId, QueueName, QueueRef};
use crate::storage::{
    Catalogue, Change, FlavorStored, MotionRecord, Placement, PoolChange, PoolDeletion, PoolStored, Result,
};

impl State {
    fn store(&mut self, pool: Pool) -> PoolStored {
        if self.pools.values().any(|other| other.uri == pool.uri && other.name != pool.name) {
            return PoolStored::UriTaken;
        }
        self.pools.insert(pool.name.clone(), pool.clone());
        PoolStored::Done(pool)
    }

    fn change(&mut self, name: &PoolName, change: &PoolChange) -> PoolStored {
        let Some(old) = self.pools.get(name).cloned() else { return PoolStored::Missing };
        self.store(Pool {
            weight: change.weight.unwrap_or(old.weight),
            uri: change.uri.clone().unwrap_or(old.uri),
            flavor: change.flavor.clone().unwrap_or(old.flavor),
            options: change.options.clone().unwrap_or(old.options),
            name: old.name,
        })
    }

    fn forbids(&self, pool: &Pool, protect_used: bool) -> Option<PoolDeletion> {
        if let Some(flavor) = &pool.flavor
            && self.pools.values().filter(|other| other.flavor.as_ref() == Some(flavor)).count() == 1
        {
            return Some(PoolDeletion::OnlyPoolOf(flavor.clone()));
        }
        let name = &pool.name;
        let touches = |placement: &Placement| {
            let motion = placement.motion.as_ref();
            motion.is_some_and(|motion| motion.target == *name || motion.source.as_ref() == Some(name))
        };
        if self.records().any(|record| touches(&record.placement)) {
            return Some(PoolDeletion::InMotion);
        }
        let used = self.records().any(|record| record.placement.pool.as_ref() == Some(name));
        (protect_used && used).then_some(PoolDeletion::HoldsQueues)
    }

    fn delete_pool(&mut self, name: &PoolName, protect_used: bool) -> PoolDeletion {
        let Some(pool) = self.pools.get(name) else { return PoolDeletion::Missing };
        if let Some(forbidden) = self.forbids(pool, protect_used) {
            return forbidden;
        }
        self.pools.remove(name);
        for record in self.records_mut() {
            record.placement.pool = record.placement.pool.take().filter(|pool| pool != name);
        }
        PoolDeletion::Deleted
    }

    fn put_flavor(&mut self, flavor: &Flavor, pools: &[PoolName]) -> FlavorStored {
        if let Some(missing) = pools.iter().find(|name| !self.pools.contains_key(name)) {
            return FlavorStored::NoSuchPool(missing.clone());
        }
        if self.flavors.get(&flavor.name).is_some_and(|other| other.project != flavor.project) {
            return FlavorStored::NameTaken;
        }
        self.flavors.insert(flavor.name.clone(), flavor.clone());
        self.tag(&flavor.name, pools);
        FlavorStored::Done
    }

    /// Lets these pools and no others serve the flavor.
    fn tag(&mut self, flavor: &str, pools: &[PoolName]) {
        for pool in self.pools.values_mut() {
            if pools.contains(&pool.name) {
                pool.flavor = Some(flavor.to_owned());
            } else if pool.flavor.as_deref() == Some(flavor) {
                pool.flavor = None;
            }
        }
    }

    fn motion(&self, key: &(ProjectId, QueueName), progress: &Progress) -> Option<MotionRecord> {
        let record = self.projects.get(&key.0)?.get(key.1.as_str())?;
        let (started, touched) = progress.times.unwrap_or_default();
        let motion = record.placement.motion.clone()?;
        Some(MotionRecord { queue: record.queue.clone(), motion, moved: progress.moved, started, touched })
    }

    /// The progress of a queue of that epoch.
    fn progress(&mut self, queue: &QueueRef) -> Option<&mut Progress> {
        self.current(queue)?;
        self.motions.get_mut(&(queue.project.clone(), queue.name.clone()))
    }

    fn seal(&mut self, queue: &QueueRef) -> bool {
        let Some(record) = self.current(queue) else { return false };
        let Some(motion) = &mut record.placement.motion else { return false };
        motion.sealed = true;
        record.placement.pool = Some(motion.target.clone());
        true
    }

    fn end(&mut self, queue: &QueueRef) -> bool {
        let Some(record) = self.current(queue) else { return false };
        if record.placement.motion.as_ref().is_none_or(|motion| !motion.sealed) {
            return false;
        }
        record.placement.motion = None;
        self.motions.remove(&(queue.project.clone(), queue.name.clone()));
        true
    }
}

fn behind<T: Clone>(after: Option<&T>) -> (Bound<T>, Bound<T>) {
    (after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone())), Bound::Unbounded)
}

#[async_trait]
impl Catalogue for MemoryManagement {
    async fn put_pool(&self, pool: &Pool) -> Result<PoolStored> {
        self.all(|state| state.store(pool.clone()))
    }

    async fn change_pool(&self, name: &PoolName, change: &PoolChange) -> Result<PoolStored> {
        self.all(|state| state.change(name, change))
    }

    async fn pool(&self, name: &PoolName) -> Result<Option<Pool>> {
        self.all(|state| state.pools.get(name).cloned())
    }

    async fn pools(&self, after: Option<&PoolName>, limit: usize) -> Result<Vec<Pool>> {
        self.all(|state| state.pools.range(behind(after)).take(limit).map(|(_, pool)| pool.clone()).collect())
    }

    async fn pools_of(&self, flavor: &str) -> Result<Vec<Pool>> {
        let serves = |pool: &&Pool| pool.flavor.as_deref() == Some(flavor);
        self.all(|state| state.pools.values().filter(serves).cloned().collect())
    }

    async fn delete_pool(&self, name: &PoolName, protect_used: bool) -> Result<PoolDeletion> {
        self.all(|state| state.delete_pool(name, protect_used))
    }

    async fn put_flavor(&self, flavor: &Flavor, pools: &[PoolName]) -> Result<FlavorStored> {
        self.all(|state| state.put_flavor(flavor, pools))
    }

    async fn flavor(&self, project: &ProjectId, name: &str) -> Result<Option<Flavor>> {
        self.all(|state| state.flavors.get(name).filter(|flavor| flavor.project == *project).cloned())
    }

    async fn flavors(&self, project: &ProjectId, after: Option<&str>, limit: usize) -> Result<Vec<Flavor>> {
        let after = after.map(str::to_owned);
        self.all(|state| {
            let behind = state.flavors.range(behind(after.as_ref())).map(|(_, flavor)| flavor);
            behind.filter(|flavor| flavor.project == *project).take(limit).cloned().collect()
        })
    }

    async fn delete_flavor(&self, project: &ProjectId, name: &str) -> Result<bool> {
        self.all(|state| {
            let ours = state.flavors.get(name).is_some_and(|flavor| flavor.project == *project);
            if ours {
                state.flavors.remove(name);
                state.tag(name, &[]);
            }
            ours
        })
    }

    async fn place_queue(&self, queue: &QueueRef, pool: &PoolName) -> Result<Option<Placement>> {
        self.all(|state| {
            let placement = &mut state.current(queue)?.placement;
            placement.pool.get_or_insert_with(|| pool.clone());
            Some(placement.clone())
        })
    }

    async fn motions(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<MotionRecord>> {
        let after = after.map(|queue| (queue.project.clone(), queue.name.clone()));
        self.all(|state| {
            let behind = state.motions.range(behind(after.as_ref()));
            behind.filter_map(|(key, progress)| state.motion(key, progress)).take(limit).collect()
        })
    }

    async fn take_motion(&self, queue: &QueueRef, before: Timestamp, now: Timestamp) -> Result<bool> {
        self.all(|state| {
            let Some(progress) = state.progress(queue) else { return false };
            match &mut progress.times {
                Some((_, touched)) if *touched >= before => false,
                Some((_, touched)) => {
                    *touched = now;
                    true
                }
                times @ None => {
                    *times = Some((now, now));
                    true
                }
            }
        })
    }

    async fn touch_motion(&self, queue: &QueueRef, moved: u64, now: Timestamp) -> Result<()> {
        self.all(|state| {
            if let Some(progress) = state.progress(queue) {
                progress.moved += moved;
                progress.times = Some((progress.times.map_or(now, |(started, _)| started), now));
            }
        })
    }

    async fn seal_motion(&self, queue: &QueueRef) -> Result<bool> {
        self.all(|state| state.seal(queue))
    }

    async fn end_motion(&self, queue: &QueueRef) -> Result<bool> {
        self.all(|state| state.end(queue))
    }

    /// Nothing: what this store holds is changed by its own process alone, which knows of it.
    async fn changes(&self, _after: i64) -> Result<(Vec<Change>, i64)> {
        self.all(|_| (Vec::new(), 0))
    }

    async fn forget_changes(&self, _before: Timestamp) -> Result<()> {
        self.all(|_| ())
    }
}
