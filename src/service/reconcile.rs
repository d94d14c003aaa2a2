//! The reconciler: compares the data in the stores with the queues' records (decision 14).
//!
//! A queue without data is mended by the first call that finds the data missing. Here is the other direction: data
//! whose queue was deleted while the service was interrupted, and data that a move or an administrator left behind.

use std::collections::HashMap;

use uuid::Uuid;

use super::Service;
use crate::model::{PoolName, QueueRef};
use crate::storage::{self, DataStore, Placement, QueueRecord, Way};

/// Queues compared in one step.
const PAGE: usize = 100;

/// What is to be done with the data of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    /// It is newer than the record: the management database was restored from an old copy.
    Newer,
    /// Its queue is gone.
    Orphan,
    /// Its queue lies elsewhere.
    Astray,
}

/// Which pool is which store, as far as the stores could be asked. Two pools may be one (decision 15).
type Identities = HashMap<Option<PoolName>, Uuid>;

impl Service {
    /// Drops data that no queue has any more, in every store: of how many queues. A store that fails is left for the
    /// next time.
    pub(super) async fn reconcile(&self) -> storage::Result<u64> {
        let mut identities = Identities::new();
        let mut stores = HashMap::new();
        for (pool, store) in self.every_store().await {
            match store.identity().await {
                Ok(identity) => {
                    identities.insert(pool, identity);
                    stores.insert(identity, store);
                }
                Err(error) => tracing::warn!(error.cause = ?error, ?pool, "a store does not say which it is"),
            }
        }
        let mut dropped = 0;
        for (here, store) in &stores {
            dropped += self.reconcile_store(&**store, *here, &identities).await?;
        }
        Ok(dropped)
    }

    async fn reconcile_store(
        &self,
        store: &dyn DataStore,
        here: Uuid,
        identities: &Identities,
    ) -> storage::Result<u64> {
        let (mut after, mut dropped) = (None, 0);
        loop {
            let page = store.opened(after.as_ref(), PAGE).await?;
            for queue in &page {
                // Read after the data was seen: whoever moves or creates a queue writes its record first.
                let record = self.inner.stores.management.queue(&queue.project, &queue.name).await?;
                let verdict = judge(queue, record.as_ref(), here, identities);
                dropped += u64::from(self.carry_out(store, queue, verdict).await?);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.clone()),
                _ => return Ok(dropped),
            }
        }
    }

    /// Drops the data if that is the verdict; whether it did. Data with messages is never dropped because its queue
    /// lies elsewhere.
    async fn carry_out(
        &self,
        store: &dyn DataStore,
        queue: &QueueRef,
        verdict: Verdict,
    ) -> storage::Result<bool> {
        let complaint = match verdict {
            Verdict::Keep => return Ok(false),
            Verdict::Newer => {
                "the queue's data is newer than its record; was the management database restored?"
            }
            Verdict::Orphan => "",
            Verdict::Astray if self.is_empty(store, queue).await? => "",
            Verdict::Astray => "the queue lies in another pool, but here are messages of it",
        };
        if complaint.is_empty() {
            store.drop_queue(queue).await?;
            return Ok(true);
        }
        tracing::error!(queue.name = %queue.name, project.id = %queue.project, "{complaint}");
        Ok(false)
    }

    async fn is_empty(&self, store: &dyn DataStore, queue: &QueueRef) -> storage::Result<bool> {
        let stats = store.stats(queue, self.inner.clock.now()).await?;
        let letters = store.outgoing(queue, Way::DeadLetters, 1).await?.parcels;
        let parcels = store.outgoing(queue, Way::Pool, 1).await?.parcels;
        Ok(stats.free + stats.claimed == 0 && letters.is_empty() && parcels.is_empty())
    }
}

/// What is to be done with data of that queue, found in the store `here`.
fn judge(queue: &QueueRef, record: Option<&QueueRecord>, here: Uuid, identities: &Identities) -> Verdict {
    let Some(record) = record else { return Verdict::Orphan };
    let epoch = queue.epoch.unsealed();
    if record.queue.epoch != epoch {
        return if record.queue.epoch < epoch { Verdict::Newer } else { Verdict::Orphan };
    }
    let Placement { pool, motion } = &record.placement;
    // A queue that lies nowhere may be given a place again, perhaps this one.
    if pool.is_none() && motion.is_none() {
        return Verdict::Keep;
    }
    let mut places = vec![pool.clone()];
    if let Some(motion) = motion {
        places.extend([motion.source.clone(), Some(motion.target.clone())]);
    }
    // What cannot be asked which store it is may be this one.
    let named = places.iter().any(|place| identities.get(place).is_none_or(|identity| *identity == here));
    if named { Verdict::Keep } else { Verdict::Astray }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Epoch, Metadata, ProjectId, QueueName};
    use crate::storage::Motion;

    const HERE: Uuid = Uuid::from_u128(1);
    const THERE: Uuid = Uuid::from_u128(2);

    fn queue(epoch: Epoch) -> QueueRef {
        QueueRef { project: ProjectId::new("p"), name: QueueName::parse("q").unwrap(), epoch }
    }

    fn identities() -> Identities {
        let name = |name| Some(PoolName::new(name));
        [(None, THERE), (name("here"), HERE), (name("alias"), HERE), (name("there"), THERE)].into()
    }

    fn verdict(epoch: Epoch, pool: Option<&str>, motion: Option<(&str, &str)>) -> Verdict {
        let motion = motion.map(|(source, target)| Motion {
            source: Some(PoolName::new(source)),
            target: PoolName::new(target),
            sealed: true,
        });
        let placement = Placement { pool: pool.map(PoolName::new), motion };
        let record =
            QueueRecord { queue: queue(Epoch(5)), metadata: Metadata::new(), revision: 1, placement };
        judge(&queue(epoch), Some(&record), HERE, &identities())
    }

    #[test]
    fn data_goes_with_its_queue() {
        assert_eq!(judge(&queue(Epoch(5)), None, HERE, &identities()), Verdict::Orphan);
        assert_eq!(verdict(Epoch(4), Some("here"), None), Verdict::Orphan);
        assert_eq!(verdict(Epoch(4).sealed(), Some("here"), None), Verdict::Orphan);
        assert_eq!(verdict(Epoch(6), Some("here"), None), Verdict::Newer);
        assert_eq!(verdict(Epoch(6).sealed(), Some("here"), None), Verdict::Newer);
    }

    #[test]
    fn data_stays_in_every_store_that_its_queue_names() {
        for pool in ["here", "alias", "unreachable"] {
            assert_eq!(verdict(Epoch(5), Some(pool), None), Verdict::Keep, "{pool}");
        }
        let sealed = Epoch(5).sealed();
        assert_eq!(verdict(sealed, Some("there"), Some(("here", "there"))), Verdict::Keep);
        assert_eq!(verdict(sealed, Some("there"), Some(("there", "alias"))), Verdict::Keep);
        assert_eq!(verdict(sealed, Some("there"), Some(("unreachable", "there"))), Verdict::Keep);
        assert_eq!(verdict(Epoch(5), None, None), Verdict::Keep, "it may be given its old place again");
    }

    #[test]
    fn data_elsewhere_is_astray() {
        assert_eq!(verdict(Epoch(5), Some("there"), None), Verdict::Astray);
        assert_eq!(verdict(Epoch(5).sealed(), Some("there"), Some(("there", "there"))), Verdict::Astray);
    }
}
