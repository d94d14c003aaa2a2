//! The sweep: frees the space of what expired, finishes what a crash cut off.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Service;
use crate::storage::{self, DataStore, STEP, Swept};
use crate::telemetry::{self, Metric};

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
                    if let Err(error) = self.service.reconcile().await {
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
            self.sweep().await;
            telemetry::observe(Metric::SweepSeconds, &[], start.elapsed());
        }
        self.service.move_unfinished().await;
        if let Err(error) = self.service.resume_moves().await {
            tracing::warn!(error.cause = ?error, "queues on their way could not be read");
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

    /// Frees the space of everything that has expired by now, in bounded steps: the sum of what was done. A store that
    /// fails is left for the next round.
    pub async fn sweep(&self) -> Swept {
        let mut sum = Swept::default();
        for (pool, store) in self.service.every_store().await {
            if let Err(error) = self.sweep_store(&*store, &mut sum).await {
                tracing::warn!(error.cause = ?error, ?pool, "the sweep was cut short");
            }
        }
        sum
    }

    async fn sweep_store(&self, store: &dyn DataStore, sum: &mut Swept) -> storage::Result<()> {
        loop {
            let swept = store.sweep(self.service.inner.clock.now(), STEP).await?;
            telemetry::count(Metric::MessagesExpired, &[], swept.messages);
            telemetry::count(Metric::ClaimsExpired, &[], swept.claims);
            sum.messages += swept.messages;
            sum.claims += swept.claims;
            if !swept.more {
                return Ok(());
            }
        }
    }
}
