//! The mover of dead letters: from a queue's outgoing list to the queues they are meant for.
//!
//! Each parcel is imported at its target by its number on its line and then forgotten at its source, so that a crash
//! between the two repeats the import, which changes nothing. Moves out of one queue follow one another.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Context, Service};
use crate::error::{Error, Result};
use crate::model::{ClientId, ProjectId, QueueName, QueueRef};
use crate::storage::{self, DataStore, Landing, Line, Outgoing, Parcel, Way};
use crate::telemetry::{self, Metric};

/// The most parcels moved at a time.
const BATCH: usize = 100;

/// The most queues with unfinished moves that one round of the sweep takes up.
const QUEUES: usize = 100;

/// Locks that keep two moves out of one queue from overlapping; a queue always finds the same one.
#[derive(Default)]
pub(super) struct MoveLocks {
    locks: [Mutex<()>; 32],
}

impl MoveLocks {
    fn of(&self, queue: &QueueRef) -> &Mutex<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(queue);
        &self.locks[usize::try_from(hash % self.locks.len() as u64).unwrap_or(0)]
    }
}

impl Service {
    /// Moves what stands in the outgoing list of a queue and waits for it. A move goes on when its caller goes
    /// away; what fails is left for the next round of the sweep.
    pub(super) async fn move_dead_letters(&self, queue: QueueRef, data: Arc<dyn DataStore>) {
        let service = self.clone();
        let moved = self.inner.tasks.spawn(async move { service.empty_outgoing(&queue, &*data).await }).await;
        match moved {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error.cause = ?error, "dead letters wait for the next sweep"),
            Err(lost) => tracing::error!(error.cause = ?lost, "the mover of dead letters failed"),
        }
    }

    /// Takes up moves that a crash or an unreachable store left unfinished.
    pub(super) async fn move_unfinished(&self) {
        for (pool, data) in self.every_store().await {
            match data.unfinished(QUEUES).await {
                Ok(queues) => {
                    for queue in queues {
                        self.move_dead_letters(queue, data.clone()).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(error.cause = ?error, ?pool, "unfinished moves could not be read");
                }
            }
        }
    }

    /// Moves what stands in the outgoing list of that queue in that store.
    pub(super) async fn empty_outgoing(&self, source: &QueueRef, data: &dyn DataStore) -> Result<()> {
        let _turn = self.inner.moves.of(source).lock().await;
        let failed = || Error::unavailable("Dead letters could not be moved.");
        loop {
            let Outgoing { line, parcels } = match data.outgoing(source, Way::DeadLetters, BATCH).await {
                Err(storage::Error::Gone) => return Ok(()),
                outgoing => outgoing.map_err(failed())?,
            };
            if parcels.is_empty() {
                return Ok(());
            }
            let numbers: Vec<_> = parcels.iter().map(|parcel| parcel.number).collect();
            let mut targets: BTreeMap<QueueName, Vec<Parcel>> = BTreeMap::new();
            for parcel in parcels {
                if let Landing::End(target) = &parcel.landing {
                    targets.entry(target.clone()).or_default().push(parcel);
                }
            }
            for (target, parcels) in targets {
                self.deliver(&source.project, &target, line, &parcels).await?;
            }
            telemetry::count(Metric::MessagesDeadLettered, &[], numbers.len() as u64);
            match data.forget(source, Way::DeadLetters, &numbers).await {
                Err(storage::Error::Gone) => return Ok(()),
                forgotten => forgotten.map_err(failed())?,
            }
        }
    }

    /// Puts parcels into their queue, which is created where it is missing.
    async fn deliver(
        &self,
        project: &ProjectId,
        target: &QueueName,
        line: Line,
        parcels: &[Parcel],
    ) -> Result<()> {
        const FAILED: &str = "Dead letters could not be moved.";
        let context = Context::internal(project.clone(), ClientId::new(""));
        self.on_queue_or_new(&context, target, FAILED, |known| async move {
            let now = self.inner.clock.now();
            self.taker(&known).await?.import(known.queue(), line, parcels, now).await
        })
        .await
    }
}
