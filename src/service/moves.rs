//! The mover: takes queues from pool to pool while they serve (decision 16).
//!
//! A motion stands in the management store from the change of metadata on that began it. Whoever finds it carries it
//! out: the node that changed the metadata at once, any other node once nobody has touched it for [`STALE`]. All steps
//! may be repeated, by several nodes at once:
//!
//! 1. the source is sealed, and the target adopts what it knew;
//! 2. the record says so: posts go to the target, everything else asks both ([`Moving`]);
//! 3. the source's messages are sent off and delivered, its dead letters too;
//! 4. the empty source is dropped, and the motion ends.

mod list;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use self::list::{Migration, MigrationPage};
use super::Service;
use super::registry::Known;
use crate::model::QueueRef;
use crate::storage::moving::{Delivered, Moving};
use crate::storage::{self, DataStore, Error, Ledger, Motion, Placing};
use crate::telemetry::{self, Audited};

/// Seconds after which a motion that nobody touched is taken over.
const STALE: u64 = 10;

/// The most messages sent off at a time.
const BATCH: usize = 100;

/// About the most bytes of bodies sent off at a time.
const BATCH_BYTES: u64 = 4 << 20;

/// Between two notes of the progress.
const TOUCH: Duration = Duration::from_secs(1);

/// Motions looked at in one step.
const PAGE: usize = 100;

/// The first pause where a store fails; the next ones are longer, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);

const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The queues that this node moves now.
#[derive(Default)]
pub(super) struct Movers(Mutex<HashSet<QueueRef>>);

impl Movers {
    fn begin(&self, queue: &QueueRef) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.clone())
    }

    fn end(&self, queue: &QueueRef) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(queue);
    }
}

/// A mover at work; noted as such until it is dropped.
struct AtWork(Service, QueueRef);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.inner.movers.end(&self.1);
    }
}

/// A motion and the stores it is between.
struct Road {
    queue: QueueRef,
    motion: Motion,
    source: Arc<dyn DataStore>,
    target: Arc<dyn DataStore>,
}

/// How far the mover is with a queue.
enum Stage {
    /// Nothing is left to be done, here or at all.
    Done,
    /// One motion has ended; what the metadata asks for now may be another.
    Arrived,
    /// The service stops; another one goes on.
    Stopped,
}

impl Service {
    /// Moves a queue whose record says that it is on its way; goes on when the caller goes away.
    pub(super) fn set_off(&self, queue: QueueRef) {
        if self.inner.movers.begin(&queue) {
            let work = AtWork(self.clone(), queue);
            self.inner.tasks.spawn(async move { work.0.move_queue(&work.1).await });
        }
    }

    /// Takes over motions that nobody works on.
    pub(super) async fn resume_moves(&self) -> storage::Result<()> {
        let management = &self.inner.stores.management;
        let mut after = None;
        loop {
            let page = management.motions(after.as_ref(), PAGE).await?;
            for record in &page {
                let now = self.inner.clock.now();
                let before = now.minus_seconds(STALE);
                if record.touched < before && management.take_motion(&record.queue, before, now).await? {
                    tracing::info!(queue.name = %record.queue.name, "a motion is taken up again");
                    self.set_off(record.queue.clone());
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.queue.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Carries out the motion of a queue, and those that follow from it. What fails is tried again until another node
    /// or the end of the service takes over.
    async fn move_queue(&self, queue: &QueueRef) {
        let mut pause = PAUSE;
        loop {
            let failed = match self.move_on(queue).await {
                Ok(Stage::Done | Stage::Stopped) => return,
                Ok(Stage::Arrived) => match self.judge_again(queue).await {
                    Ok(true) => continue,
                    Ok(false) => return,
                    Err(error) => error,
                },
                // Of a queue that was deleted, or where somebody else was faster, the record will tell.
                Err(error) => error,
            };
            tracing::warn!(error.cause = ?failed, queue.name = %queue.name, "a motion waits for its stores");
            if !self.rest(pause).await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            let touched = self.inner.stores.management.touch_motion(queue, 0, self.inner.clock.now()).await;
            if let Err(error) = touched {
                tracing::debug!(error.cause = ?error, "a motion could not be touched");
            }
        }
    }

    /// Waits so long; false where the service stops meanwhile.
    async fn rest(&self, pause: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < pause {
            if self.inner.tasks.is_closed() {
                return false;
            }
            tokio::time::sleep(PAUSE).await;
        }
        true
    }

    async fn move_on(&self, queue: &QueueRef) -> storage::Result<Stage> {
        let Some(road) = self.road(queue).await? else { return Ok(Stage::Done) };
        if !road.motion.sealed {
            note("migration.begin", &road);
        }
        if !self.seal(&road).await? {
            return Ok(Stage::Done);
        }
        if !self.drain(&road).await? {
            return Ok(Stage::Stopped);
        }
        let source = queue.sealed();
        self.empty_outgoing(&source, &*road.source).await.map_err(Error::unavailable)?;
        road.source.drop_queue(&source).await?;
        let ended = self.inner.stores.management.end_motion(queue).await?;
        self.inner.registry.forget(&queue.project, &queue.name);
        if ended {
            note("migration.end", &road);
        }
        Ok(Stage::Arrived)
    }

    /// The way that the queue of that epoch is on, if it is on one.
    async fn road(&self, queue: &QueueRef) -> storage::Result<Option<Road>> {
        let record = self.inner.stores.management.queue(&queue.project, &queue.name).await?;
        let record = record.filter(|record| record.queue.epoch == queue.epoch);
        let Some(motion) = record.and_then(|record| record.placement.motion) else { return Ok(None) };
        self.road_of(queue, motion).await.map(Some)
    }

    async fn road_of(&self, queue: &QueueRef, motion: Motion) -> storage::Result<Road> {
        let source = self.inner.pools.store(motion.source.as_ref()).await?;
        let target = self.inner.pools.store(Some(&motion.target)).await?;
        Ok(Road { queue: queue.clone(), motion, source, target })
    }

    /// Seals the source, has the target adopt it and the record say so; repeated whatever the record says, for it costs
    /// nothing. False where the motion is over meanwhile.
    async fn seal(&self, road: &Road) -> storage::Result<bool> {
        let (queue, now) = (&road.queue, self.inner.clock.now());
        let ledger = match road.source.seal(queue, now).await {
            // Its data was never opened, or all of it has been moved.
            Err(Error::Gone) => Ledger::default(),
            sealed => sealed?,
        };
        road.target.adopt(queue, &ledger, now).await?;
        let on_its_way = self.inner.stores.management.seal_motion(queue).await?;
        self.inner.registry.forget(&queue.project, &queue.name);
        if !on_its_way {
            self.tidy_after(road).await?;
        }
        Ok(on_its_way)
    }

    /// Drops what was made for a queue that was deleted meanwhile.
    async fn tidy_after(&self, road: &Road) -> storage::Result<()> {
        let queue = &road.queue;
        let record = self.inner.stores.management.queue(&queue.project, &queue.name).await?;
        if record.is_none_or(|record| record.queue.epoch != queue.epoch) {
            road.target.drop_queue(queue).await?;
            road.source.drop_queue(&queue.sealed()).await?;
        }
        Ok(())
    }

    /// Completes the first steps of a motion for a call that found the source sealed before the record said so.
    pub(super) async fn complete_seal(&self, known: &Known) -> storage::Result<()> {
        match &known.record.placement.motion {
            Some(motion) if !motion.sealed => {
                let road = self.road_of(known.queue(), motion.clone()).await?;
                self.seal(&road).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Moves all messages out of the source; false where the service stops before.
    async fn drain(&self, road: &Road) -> storage::Result<bool> {
        let (queue, sealed) = (&road.queue, road.queue.sealed());
        let moving = Moving::new(road.source.clone(), road.target.clone());
        let (mut moved, mut touched, mut batch) = (0, Instant::now(), BATCH);
        loop {
            let now = self.inner.clock.now();
            let sent = match road.source.send_off(&sealed, batch, now).await {
                Err(Error::Gone) => return Ok(true),
                sent => sent?,
            };
            let delivered = moving.deliver(queue, now).await?;
            moved += sent.sent;
            batch = next_batch(delivered);
            let done = sent.left == 0 && delivered.messages == 0;
            if done || touched.elapsed() >= TOUCH {
                self.inner.stores.management.touch_motion(queue, std::mem::take(&mut moved), now).await?;
                touched = Instant::now();
            }
            if done || self.inner.tasks.is_closed() {
                return Ok(done);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Begins another motion, if the queue's metadata asks for another pool by now: whether it does.
    async fn judge_again(&self, queue: &QueueRef) -> storage::Result<bool> {
        let management = &self.inner.stores.management;
        loop {
            let record = management.queue(&queue.project, &queue.name).await?;
            let Some(seen) = record.filter(|record| record.queue.epoch == queue.epoch) else {
                return Ok(false);
            };
            if seen.placement.motion.is_some() {
                return Ok(true);
            }
            let placing = self.placing(&seen, &seen.metadata).await.map_err(Error::unavailable)?;
            let Some(placing) = placing else { return Ok(false) };
            if management.replace_metadata(&seen, &seen.metadata, Some(&placing)).await?.is_some() {
                self.inner.registry.forget(&queue.project, &queue.name);
                return Ok(matches!(placing, Placing::Move(_)));
            }
        }
    }
}

/// How many messages to send off next, so that they are no more than [`BATCH_BYTES`], if they are as large as the last.
fn next_batch(last: Delivered) -> usize {
    let size = last.bytes.checked_div(last.messages).unwrap_or(0).max(1);
    usize::try_from(BATCH_BYTES / size).unwrap_or(BATCH).clamp(1, BATCH)
}

/// Notes in the audit log that a queue moves.
fn note(action: &'static str, road: &Road) {
    let pool = road.motion.source.as_ref().map(ToString::to_string);
    telemetry::audit(&Audited {
        action,
        subject: road.queue.name.as_str(),
        project: road.queue.project.as_str(),
        roles: &[],
        before: pool.unwrap_or_default(),
        after: road.motion.target.to_string(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_messages_go_in_small_batches() {
        let next = |messages, bytes| next_batch(Delivered { messages, bytes });
        assert_eq!(next(0, 0), BATCH);
        assert_eq!(next(100, 100_000), BATCH);
        assert_eq!(next(10, 10 << 20), 4);
        assert_eq!(next(1, 100 << 20), 1);
    }
}
