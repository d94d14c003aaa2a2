//! The sweep: frees the space of what expired, finishes what a crash cut off.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Service;
use crate::storage::{self, STEP, Swept};
use crate::telemetry::{self, Metric};

/// Queues compared in one step of the reconciler.
const PAGE: usize = 100;

/// Between two looks at unfinished moves where no sweep is wanted.
const PAUSE: Duration = Duration::from_secs(10);

/// Seconds for which the changes of queues and pools are kept for other nodes.
const CHANGES_KEPT: u64 = 3_600;

/// The background work on the stores.
pub struct Sweeper {
    service: Service,
    /// Between two rounds of the sweep; zero: none, `zaqar gc` does it.
    interval: Duration,
    /// Between two rounds of the reconciler; zero: none.
    reconcile_interval: Duration,
}

impl Sweeper {
    /// The sweeper of that service.
    pub fn new(service: Service, interval: Duration, reconcile_interval: Duration) -> Self {
        Self { service, interval, reconcile_interval }
    }

    /// Sweeps until `stop`, first at once: a crash may have left work.
    pub async fn run(self, stop: CancellationToken) {
        let mut reconciled = Instant::now();
        loop {
            let round = async {
                self.round().await;
                if !self.reconcile_interval.is_zero() && reconciled.elapsed() >= self.reconcile_interval {
                    reconciled = Instant::now();
                    if let Err(error) = self.reconcile().await {
                        tracing::warn!(error.cause = ?error, "stores could not be reconciled");
                    }
                }
                tokio::time::sleep(if self.interval.is_zero() { PAUSE } else { self.interval }).await;
            };
            if stop.run_until_cancelled(round).await.is_none() {
                return;
            }
        }
    }

    async fn round(&self) {
        if !self.interval.is_zero() {
            let start = Instant::now();
            if let Err(error) = self.sweep().await {
                tracing::warn!(error.cause = ?error, "the sweep was cut short");
            }
            telemetry::observe(Metric::SweepSeconds, &[], start.elapsed());
        }
        if let Err(error) = self.service.move_unfinished().await {
            tracing::warn!(error.cause = ?error, "unfinished moves could not be read");
        }
        let stores = &self.service.inner.stores;
        let old = self.service.inner.clock.now().minus_seconds(CHANGES_KEPT);
        if let Err(error) = stores.management.forget_changes(old).await {
            tracing::debug!(error.cause = ?error, "old changes could not be removed");
        }
        if let Ok(queues) = self.service.inner.stores.management.count_all_queues().await {
            telemetry::gauge(Metric::Queues, &[], queues);
        }
    }

    /// Frees the space of everything that has expired by now, in bounded steps: the sum of what was done.
    pub async fn sweep(&self) -> storage::Result<Swept> {
        let mut sum = Swept::default();
        loop {
            let swept = self.service.inner.stores.data.sweep(self.service.inner.clock.now(), STEP).await?;
            telemetry::count(Metric::MessagesExpired, &[], swept.messages);
            telemetry::count(Metric::ClaimsExpired, &[], swept.claims);
            sum.messages += swept.messages;
            sum.claims += swept.claims;
            if !swept.more {
                return Ok(sum);
            }
        }
    }

    /// Drops data whose queue was deleted while the service was interrupted: how many queues.
    ///
    /// The other direction, a queue without data, is mended by the first call that finds the data missing.
    /// Data newer than its queue's record (a management database restored from an old copy) is named in the
    /// log and left alone.
    pub async fn reconcile(&self) -> storage::Result<u64> {
        let stores = &self.service.inner.stores;
        let (mut after, mut dropped) = (None, 0);
        loop {
            let page = stores.data.opened(after.as_ref(), PAGE).await?;
            for queue in &page {
                let record = stores.management.queue(&queue.project, &queue.name).await?;
                match record.map(|record| record.queue.epoch) {
                    Some(epoch) if epoch == queue.epoch => {}
                    Some(epoch) if epoch < queue.epoch => tracing::error!(
                        queue.name = %queue.name,
                        project.id = %queue.project,
                        "the queue's data is newer than its record; was the management database restored?"
                    ),
                    _ => {
                        stores.data.drop_queue(queue).await?;
                        dropped += 1;
                    }
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.clone()),
                _ => return Ok(dropped),
            }
        }
    }
}
