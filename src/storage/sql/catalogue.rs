//! Placeholder until the SQL store keeps places.
use super::SqlManagement;
use crate::clock::Timestamp;
use crate::model::{Flavor, Pool, PoolName, ProjectId, QueueRef};
use crate::storage::{
    Catalogue, Change, Error, FlavorStored, MotionRecord, Placement, PoolChange, PoolDeletion, PoolStored,
    Result,
};
use async_trait::async_trait;

fn later<T>() -> Result<T> {
    Err(Error::unavailable("not built yet"))
}

#[async_trait]
impl Catalogue for SqlManagement {
    async fn put_pool(&self, _pool: &Pool) -> Result<PoolStored> {
        later()
    }
    async fn change_pool(&self, _name: &PoolName, _change: &PoolChange) -> Result<PoolStored> {
        later()
    }
    async fn pool(&self, _name: &PoolName) -> Result<Option<Pool>> {
        later()
    }
    async fn pools(&self, _after: Option<&PoolName>, _limit: usize) -> Result<Vec<Pool>> {
        later()
    }
    async fn pools_of(&self, _flavor: &str) -> Result<Vec<Pool>> {
        later()
    }
    async fn delete_pool(&self, _name: &PoolName, _protect_used: bool) -> Result<PoolDeletion> {
        later()
    }
    async fn put_flavor(&self, _flavor: &Flavor, _pools: &[PoolName]) -> Result<FlavorStored> {
        later()
    }
    async fn flavor(&self, _project: &ProjectId, _name: &str) -> Result<Option<Flavor>> {
        later()
    }
    async fn flavors(
        &self,
        _project: &ProjectId,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<Flavor>> {
        later()
    }
    async fn delete_flavor(&self, _project: &ProjectId, _name: &str) -> Result<bool> {
        later()
    }
    async fn place_queue(&self, _queue: &QueueRef, _pool: &PoolName) -> Result<Option<Placement>> {
        later()
    }
    async fn motions(&self, _after: Option<&QueueRef>, _limit: usize) -> Result<Vec<MotionRecord>> {
        Ok(Vec::new())
    }
    async fn take_motion(&self, _queue: &QueueRef, _before: Timestamp, _now: Timestamp) -> Result<bool> {
        later()
    }
    async fn touch_motion(&self, _queue: &QueueRef, _moved: u64, _now: Timestamp) -> Result<()> {
        later()
    }
    async fn seal_motion(&self, _queue: &QueueRef) -> Result<bool> {
        later()
    }
    async fn end_motion(&self, _queue: &QueueRef) -> Result<bool> {
        later()
    }
    async fn changes(&self, _after: i64) -> Result<(Vec<Change>, i64)> {
        Ok((Vec::new(), 0))
    }
    async fn forget_changes(&self, _before: Timestamp) -> Result<()> {
        Ok(())
    }
}
