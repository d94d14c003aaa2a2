//! What other nodes change: asked for twice a second, never in a request's path (decision 13).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Service;
use crate::storage::{Change, Changed};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the number of a change is remembered, so that the change counts once; longer than any transaction.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The reader of other nodes' changes.
pub struct Feed {
    service: Service,
    /// Where the next question starts; the store's own value.
    point: i64,
    seen: HashMap<i64, Instant>,
    failing: bool,
}

impl Feed {
    /// The feed of that service.
    pub fn new(service: Service) -> Self {
        Self { service, point: 0, seen: HashMap::new(), failing: false }
    }

    /// Takes in changes until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let endless = async {
            loop {
                self.ask().await;
                tokio::time::sleep(PAUSE).await;
            }
        };
        stop.run_until_cancelled(endless).await;
    }

    /// Asks once. An outage is logged when it begins and when it ends.
    pub async fn ask(&mut self) {
        match self.service.inner.stores.management.changes(self.point).await {
            Ok((changes, point)) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the management store answers again");
                    // A doubt may have been put off while nothing could be read.
                    self.service.inner.registry.doubt_all();
                }
                self.point = point;
                self.take_in(changes);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(error.cause = ?error, "the management store does not answer: known queues go on");
                }
            }
        }
    }

    fn take_in(&mut self, changes: Vec<Change>) {
        let now = Instant::now();
        self.seen.retain(|_, seen| now.duration_since(*seen) < REMEMBERED);
        for change in changes {
            if self.seen.insert(change.number, now).is_some() {
                continue;
            }
            match change.what {
                Changed::Queue(project, name) => self.service.inner.registry.doubt(&project, &name),
                Changed::Pools => self.service.pools_changed(),
            }
        }
    }
}
