//! Which pool a queue gets, and which store its data is in (storage-and-operations.md 2).

use std::sync::Arc;

use uuid::Uuid;

use super::Service;
use super::registry::Known;
use crate::error::{Error, Result};
use crate::model::{Metadata, Pool, PoolName, ProjectId, QueueRef, metadata};
use crate::storage::moving::Moving;
use crate::storage::{self, DataStore, Placing, QueueRecord};

/// How queues are spread over pools: `[DEFAULT] pooling` and `[pooling:catalog]`.
#[derive(Clone, Debug, Default)]
pub struct Pooling {
    /// Keep queues for which there is no pool in the store of the configuration.
    pub virtual_pool: bool,
    /// Refuse the deletion of pools that hold queues.
    pub protect_used: bool,
}

/// No pool takes the queue.
#[derive(Debug, thiserror::Error)]
#[error("No pools registered")]
struct NoPool;

/// Where a new queue goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Into this pool.
    Pool(PoolName),
    /// Into the store of the configuration.
    Default,
    /// Nowhere: no pool takes it.
    Nowhere,
    /// Nowhere: it asks for a flavor that its project does not have.
    NoFlavor(String),
}

impl Service {
    /// The store that holds the queue's data, or both where it is on its way from one to the other.
    /// [`storage::Error::Gone`] where the pool of its record is none any more: the record is stale.
    pub(super) async fn data(&self, known: &Known) -> storage::Result<Arc<dyn DataStore>> {
        let target = self.taker(known).await?;
        match &known.record.placement.motion {
            Some(motion) if motion.sealed => {
                let source = self.inner.pools.store(motion.source.as_ref()).await?;
                Ok(Arc::new(Moving::new(source, target)))
            }
            _ => Ok(target),
        }
    }

    /// The store that takes what is new in the queue.
    pub(super) async fn taker(&self, known: &Known) -> storage::Result<Arc<dyn DataStore>> {
        self.inner.pools.store(known.record.placement.pool.as_ref()).await
    }

    /// Each store that holds data of the queue, with the name that the data has there.
    pub(super) async fn places(&self, known: &Known) -> storage::Result<Vec<(QueueRef, Arc<dyn DataStore>)>> {
        let mut places = vec![(known.queue().clone(), self.taker(known).await?)];
        if let Some(motion) = known.record.placement.motion.as_ref().filter(|motion| motion.sealed) {
            let source = self.inner.pools.store(motion.source.as_ref()).await?;
            places.push((known.queue().sealed(), source));
        }
        Ok(places)
    }

    /// Whether a queue has no place: it is in no pool, and the store of the configuration takes no queues. Such a
    /// queue has no messages until a post gives it a place.
    pub(super) fn lies_nowhere(&self, record: &QueueRecord) -> bool {
        let strict = self.inner.settings.pooling.as_ref().is_some_and(|pooling| !pooling.virtual_pool);
        strict && record.placement.pool.is_none() && record.placement.motion.is_none()
    }

    /// Chooses a place for a queue with that metadata.
    pub(super) async fn choose(&self, project: &ProjectId, metadata: &Metadata) -> storage::Result<Choice> {
        let Some(pooling) = &self.inner.settings.pooling else { return Ok(Choice::Default) };
        let flavor = metadata::flavor(metadata);
        if let Some(name) = flavor
            && self.inner.stores.management.flavor(project, name).await?.is_none()
        {
            return Ok(Choice::NoFlavor(name.to_owned()));
        }
        let pools = self.inner.pools.all().await?;
        let fitting = pools.iter().filter(|pool| pool.flavor.as_deref() == flavor);
        Ok(match weighted(fitting, random) {
            Some(pool) => Choice::Pool(pool.name.clone()),
            None if pooling.virtual_pool => Choice::Default,
            None => Choice::Nowhere,
        })
    }

    /// Refuses a flavor that is no text, and so none that a project has. Without pools nobody looks at flavors.
    pub(super) fn check_flavor_name(&self, metadata: &Metadata) -> std::result::Result<(), String> {
        let pooling = self.inner.settings.pooling.is_some();
        metadata::no_flavor(metadata)
            .filter(|_| pooling)
            .map_or(Ok(()), |value| Err(no_flavor(&value.to_string())))
    }

    /// Gives a queue without a place one: what is known of it then.
    pub(super) async fn place(&self, known: &Known, sentence: &'static str) -> Result<Arc<Known>> {
        let (failed, queue) = (|| Error::unavailable(sentence), known.queue());
        let chosen = self.choose(&queue.project, &known.record.metadata).await.map_err(failed())?;
        let Choice::Pool(pool) = chosen else { return Err(failed()(no_pool())) };
        let placed = self.inner.stores.management.place_queue(queue, &pool).await.map_err(failed())?;
        self.inner.registry.forget(&queue.project, &queue.name);
        let placement = placed.ok_or(storage::Error::Gone).map_err(failed())?;
        let known = Arc::new(Known::new(QueueRecord { placement, ..known.record.clone() }));
        self.open_again(&known, sentence).await?;
        Ok(known)
    }

    /// What a change of its metadata means for the place of a queue. A queue whose pool serves another flavor than it
    /// asks for moves; where nothing fits and it did not ask for anything new, it stays.
    pub(super) async fn placing(&self, seen: &QueueRecord, metadata: &Metadata) -> Result<Option<Placing>> {
        if metadata::no_flavor(metadata) != metadata::no_flavor(&seen.metadata) {
            self.check_flavor_name(metadata).map_err(Error::body)?;
        }
        let failed = || Error::unavailable("Queue could not be updated.");
        if self.inner.settings.pooling.is_none() || seen.placement.motion.is_some() {
            return Ok(None);
        }
        let (was, asked) = (metadata::flavor(&seen.metadata), metadata::flavor(metadata));
        let fits = match &seen.placement.pool {
            Some(pool) => self.flavor_of(pool).await.map_err(failed())?.as_deref() == asked,
            // The store of the configuration has no flavor. What lies in it stays until a flavor is asked for.
            None => !self.lies_nowhere(seen) && (asked.is_none() || asked == was),
        };
        if fits {
            return Ok(None);
        }
        match self.choose(&seen.queue.project, metadata).await.map_err(failed())? {
            Choice::Pool(pool) => self.way_to(seen, pool).await.map_err(failed()),
            Choice::NoFlavor(name) if asked != was => Err(Error::body(no_flavor(&name))),
            Choice::Nowhere if asked != was => Err(failed()(no_pool())),
            Choice::NoFlavor(_) | Choice::Nowhere | Choice::Default => Ok(None),
        }
    }

    /// How the queue gets to that pool: by moving its data, unless that is there already.
    async fn way_to(&self, seen: &QueueRecord, pool: PoolName) -> storage::Result<Option<Placing>> {
        if seen.placement.pool.as_ref() == Some(&pool) {
            return Ok(None);
        }
        if self.lies_nowhere(seen) {
            return Ok(Some(Placing::At(pool)));
        }
        let source = self.inner.pools.store(seen.placement.pool.as_ref()).await?;
        let target = self.inner.pools.store(Some(&pool)).await?;
        let same = source.identity().await? == target.identity().await?;
        Ok(Some(if same { Placing::At(pool) } else { Placing::Move(pool) }))
    }

    async fn flavor_of(&self, name: &PoolName) -> storage::Result<Option<String>> {
        let pools = self.inner.pools.all().await?;
        Ok(pools.into_iter().find(|pool| pool.name == *name).and_then(|pool| pool.flavor))
    }
}

/// What a client reads that asks for a flavor which its project does not have.
pub(super) fn no_flavor(name: &str) -> String {
    format!("Flavor {name} does not exist")
}

/// The failure of a queue that no pool takes.
pub(super) fn no_pool() -> storage::Error {
    storage::Error::unavailable(NoPool)
}

/// One of the pools, each as likely as its weight says; `draw` gives a number below its argument.
fn weighted<'a>(
    pools: impl Iterator<Item = &'a Pool> + Clone,
    draw: impl FnOnce(u64) -> u64,
) -> Option<&'a Pool> {
    let total: u64 = pools.clone().map(|pool| u64::from(pool.weight)).sum();
    let mut left = (total > 0).then(|| draw(total))?;
    let mut pools = pools;
    pools.find(|pool| {
        let rest = left.checked_sub(u64::from(pool.weight));
        left = rest.unwrap_or(left);
        rest.is_none()
    })
}

/// A random number below `limit`; the only place where pools are left to chance.
fn random(limit: u64) -> u64 {
    let number = Uuid::new_v4().as_u128() % u128::from(limit);
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(name: &str, weight: u32) -> Pool {
        let (name, uri, options) = (PoolName::new(name), format!("memory://{name}"), Metadata::new());
        Pool { name, uri, weight, flavor: None, options }
    }

    #[test]
    fn pools_are_chosen_as_often_as_they_weigh() {
        let pools = [pool("a", 0), pool("b", 2), pool("c", 0), pool("d", 3), pool("e", 0)];
        let chosen = |number| weighted(pools.iter(), |_| number).unwrap().name.to_string();
        assert_eq!((0..5).map(chosen).collect::<String>(), "bbddd");
        let heavy = [pool("a", u32::MAX), pool("b", u32::MAX)];
        let last = weighted(heavy.iter(), |limit| limit - 1).unwrap();
        assert_eq!(last.name.as_str(), "b");
    }

    #[test]
    fn without_weight_there_is_no_choice() {
        let never = |_| -> u64 { panic!("nothing to draw from") };
        assert_eq!(weighted([].iter(), never), None);
        assert_eq!(weighted([pool("a", 0), pool("b", 0)].iter(), never), None);
    }

    #[test]
    fn chance_stays_below_its_limit_and_reaches_all_of_it() {
        let drawn: std::collections::BTreeSet<_> = (0..1_000).map(|_| random(3)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }
}
