//! The opened stores of the pools: each opened when it is first needed, shared by all calls, closed when its pool is
//! gone or lies elsewhere.
//!
//! Pools are rows of the management store. They are read once and kept; [`Pools::refresh`] reads them again, after
//! changes of this node at once, after those of others within a second (decision 13). While the management store is
//! away, the pools that were read last serve.

mod slot;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::slot::{Slot, Source};
use super::{DataStore, Error, ManagementStore, Result};
use crate::model::{Metadata, Pool, PoolName};

/// How many pools are read at a time.
const PAGE: usize = 100;

/// A store on its way to be opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<Arc<dyn DataStore>>> + Send>>;

/// Opens the store at a URI with these options over those of the configuration.
pub type Opener = Arc<dyn Fn(&str, &Metadata) -> Opening + Send + Sync>;

/// An opener for services without pools.
pub fn opens_nothing() -> Opener {
    Arc::new(|_, _| Box::pin(async { Err(Error::unavailable("this service opens no pools")) }))
}

/// A pool's store cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("pool {0} cannot be used")]
struct Unusable(PoolName, #[source] Error);

/// The stores of the pools, and the store of the configuration, which holds the queues that are in no pool.
pub struct Pools {
    default: Arc<dyn DataStore>,
    management: Arc<dyn ManagementStore>,
    opener: Opener,
    rows: RwLock<Arc<Rows>>,
    /// Locked while the rows are read, so that an older answer cannot replace a newer one.
    reading: tokio::sync::Mutex<()>,
    /// Stores that were tried for pools about to be stored.
    tried: Mutex<Vec<Arc<Slot>>>,
    /// The ends of embedded stores that are being closed, by URI: a file can be opened again only after that.
    leaving: Mutex<Vec<(String, CancellationToken)>>,
    tasks: TaskTracker,
}

/// The pools as they were read.
#[derive(Default)]
struct Rows {
    /// Whether they were read at all.
    read: bool,
    pools: BTreeMap<PoolName, (Pool, Arc<Slot>)>,
}

impl Pools {
    /// No pools yet; `default` is the store of the configuration. Stores are closed in `tasks`.
    pub fn new(
        default: Arc<dyn DataStore>,
        management: Arc<dyn ManagementStore>,
        opener: Opener,
        tasks: TaskTracker,
    ) -> Self {
        let (rows, reading) = (RwLock::default(), tokio::sync::Mutex::default());
        let (tried, leaving) = (Mutex::default(), Mutex::default());
        Self { default, management, opener, rows, reading, tried, leaving, tasks }
    }

    /// The store of a pool, opened if it is not yet; of no pool, that of the configuration. [`Error::Gone`] where there
    /// is no such pool. A store that cannot be opened is not tried again for a second.
    pub async fn store(&self, pool: Option<&PoolName>) -> Result<Arc<dyn DataStore>> {
        let Some(name) = pool else { return Ok(self.default.clone()) };
        let slot = match self.slot(name) {
            Some(slot) => slot,
            None => self.new_slot(name).await?,
        };
        slot.open(&self.opener).await.map_err(|cause| Error::unavailable(Unusable(name.clone(), cause)))
    }

    /// All pools, by name; read where they were not read yet.
    pub async fn all(&self) -> Result<Vec<Pool>> {
        if !self.rows().read {
            self.follow().await?;
        }
        Ok(self.rows().pools.values().map(|(pool, _)| pool.clone()).collect())
    }

    /// The store of the configuration and that of each pool that was read so far, opened where possible.
    pub async fn every(&self) -> Vec<(Option<PoolName>, Result<Arc<dyn DataStore>>)> {
        let mut every = vec![(None, Ok(self.default.clone()))];
        for name in self.rows().pools.keys() {
            every.push((Some(name.clone()), self.store(Some(name)).await));
        }
        every
    }

    /// The store at a URI, for a look before a pool is stored so; what follows is [`Pools::refresh`], whether it was
    /// stored or not.
    pub async fn reach(&self, uri: &str, options: &Metadata) -> Result<Arc<dyn DataStore>> {
        let source = Source { uri: uri.to_owned(), options: options.clone() };
        let known = self.rows().pools.values().find(|(_, slot)| slot.is_at(&source)).map(|row| row.1.clone());
        let slot = known.unwrap_or_else(|| {
            let slot = self.place(source);
            self.tried().push(slot.clone());
            slot
        });
        slot.open(&self.opener).await
    }

    /// Reads the pools again, after [`Pools::reach`] and what came of it. Stores of pools that are gone or lie elsewhere
    /// are closed when their calls have ended.
    pub async fn refresh(&self) -> Result<()> {
        self.read(true).await
    }

    /// The same for everybody else: what callers of [`Pools::reach`] look at stays open.
    pub async fn follow(&self) -> Result<()> {
        self.read(false).await
    }

    async fn read(&self, settle: bool) -> Result<()> {
        let _turn = self.reading.lock().await;
        let mut pools = Vec::new();
        loop {
            let page = self.management.pools(pools.last().map(|pool: &Pool| &pool.name), PAGE).await?;
            let full = page.len() == PAGE;
            pools.extend(page);
            if !full {
                break;
            }
        }
        self.take_in(pools, settle);
        Ok(())
    }

    fn take_in(&self, pools: Vec<Pool>, settle: bool) {
        let old = self.rows();
        let mut slots: Vec<_> = old.pools.values().map(|(_, slot)| slot.clone()).collect();
        let tried = if settle { std::mem::take(&mut *self.tried()) } else { self.tried().clone() };
        slots.extend(tried.iter().cloned());
        let mut new = Rows { read: true, pools: BTreeMap::new() };
        for pool in pools {
            let source = Source::of(&pool);
            let slot = slots.iter().find(|slot| slot.is_at(&source)).cloned();
            let slot = slot.unwrap_or_else(|| {
                let slot = self.place(source);
                slots.push(slot.clone());
                slot
            });
            new.pools.insert(pool.name.clone(), (pool, slot));
        }
        let used = |slot: &Arc<Slot>| new.pools.values().any(|(_, used)| Arc::ptr_eq(used, slot));
        let looked_at = |slot: &Arc<Slot>| !settle && tried.iter().any(|tried| Arc::ptr_eq(tried, slot));
        slots.retain(|slot| !used(slot) && !looked_at(slot));
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        for slot in slots {
            if slot.source().is_embedded() {
                self.leaving().push((slot.source().uri.clone(), slot.ended()));
            }
            self.tasks.spawn(slot.retire());
        }
    }

    /// A new place, behind the store that may still be leaving it.
    fn place(&self, source: Source) -> Arc<Slot> {
        let mut leaving = self.leaving();
        leaving.retain(|(_, ended)| !ended.is_cancelled());
        let before = leaving.iter().rfind(|(uri, _)| *uri == source.uri).map(|(_, ended)| ended.clone());
        Arc::new(Slot::new(source, before))
    }

    fn leaving(&self) -> std::sync::MutexGuard<'_, Vec<(String, CancellationToken)>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every store in order.
    pub async fn close(&self) {
        let rows = std::mem::take(&mut *self.rows.write().unwrap_or_else(PoisonError::into_inner));
        for (_, slot) in rows.pools.values() {
            slot.close().await;
        }
        self.default.close().await;
    }

    fn rows(&self) -> Arc<Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tried(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Slot>>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, name: &PoolName) -> Option<Arc<Slot>> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.pools.get(name).map(|(_, slot)| slot.clone())
    }

    /// The slot of a pool that was registered since the pools were read.
    async fn new_slot(&self, name: &PoolName) -> Result<Arc<Slot>> {
        self.follow().await?;
        self.slot(name).ok_or(Error::Gone)
    }
}

#[cfg(test)]
mod tests;
