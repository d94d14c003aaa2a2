//! [`Catalogue`] in SQL.

use async_trait::async_trait;

use super::SqlManagement;
use crate::clock::Timestamp;
use crate::model::{Flavor, Pool, PoolName, ProjectId, QueueRef};
use crate::storage::{
    Catalogue, Change, FlavorStored, MotionRecord, Placement, PoolChange, PoolDeletion, PoolStored, Result,
};

#[async_trait]
impl Catalogue for SqlManagement {
    async fn put_pool(&self, pool: &Pool) -> Result<PoolStored> {
        self.call(|| self.store_pool(pool)).await
    }

    async fn change_pool(&self, name: &PoolName, change: &PoolChange) -> Result<PoolStored> {
        self.call(|| self.alter_pool(name, change)).await
    }

    async fn pool(&self, name: &PoolName) -> Result<Option<Pool>> {
        self.call(|| self.find_pool(name)).await
    }

    async fn pools(&self, after: Option<&PoolName>, limit: usize) -> Result<Vec<Pool>> {
        self.call(|| self.list_pools(after, limit)).await
    }

    async fn pools_of(&self, flavor: &str) -> Result<Vec<Pool>> {
        self.call(|| self.list_pools_of(flavor)).await
    }

    async fn delete_pool(&self, name: &PoolName, protect_used: bool) -> Result<PoolDeletion> {
        // The places in it go with it, and there may be many.
        self.scan(|| self.remove_pool(name, protect_used)).await
    }

    async fn put_flavor(&self, flavor: &Flavor, pools: &[PoolName]) -> Result<FlavorStored> {
        self.call(|| self.store_flavor(flavor, pools)).await
    }

    async fn flavor(&self, project: &ProjectId, name: &str) -> Result<Option<Flavor>> {
        self.call(|| self.find_flavor(project, name)).await
    }

    async fn flavors(&self, project: &ProjectId, after: Option<&str>, limit: usize) -> Result<Vec<Flavor>> {
        self.call(|| self.list_flavors(project, after, limit)).await
    }

    async fn delete_flavor(&self, project: &ProjectId, name: &str) -> Result<bool> {
        self.call(|| self.remove_flavor(project, name)).await
    }

    async fn place_queue(&self, queue: &QueueRef, pool: &PoolName) -> Result<Option<Placement>> {
        self.call(|| self.place(queue, pool)).await
    }

    async fn motions(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<MotionRecord>> {
        self.call(|| self.list_motions(after, limit)).await
    }

    async fn take_motion(&self, queue: &QueueRef, before: Timestamp, now: Timestamp) -> Result<bool> {
        self.call(|| self.take(queue, before, now)).await
    }

    async fn touch_motion(&self, queue: &QueueRef, moved: u64, now: Timestamp) -> Result<()> {
        self.call(|| self.touch(queue, moved, now)).await
    }

    async fn seal_motion(&self, queue: &QueueRef) -> Result<bool> {
        self.call(|| self.seal(queue)).await
    }

    async fn end_motion(&self, queue: &QueueRef) -> Result<bool> {
        self.call(|| self.end(queue)).await
    }

    async fn changes(&self, after: i64) -> Result<(Vec<Change>, i64)> {
        self.call(|| self.changed_since(after)).await
    }

    async fn forget_changes(&self, before: Timestamp) -> Result<()> {
        while self.scan(|| self.prune_changes(before)).await? {}
        Ok(())
    }
}
