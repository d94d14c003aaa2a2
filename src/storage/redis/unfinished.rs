//! Which queues have outgoing messages: remembered here, found again by the sweep's walk.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::Value;

use super::scan::{self, Scan};
use super::{RedisStore, keys};
use crate::model::QueueRef;
use crate::storage::Result;

/// How old the last walk may be: where nobody sweeps, `unfinished` walks itself.
const FRESH: Duration = Duration::from_mins(1);

/// How many queues are asked at once.
const PAGE: usize = 100;

/// Queues that may have outgoing messages.
#[derive(Default)]
pub(super) struct Unfinished(Mutex<Known>);

#[derive(Default)]
struct Known {
    bases: BTreeSet<String>,
    walked: Option<Instant>,
}

impl Unfinished {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call through this store left outgoing messages in that queue.
    pub(super) fn note(&self, queue: &QueueRef) {
        self.known().bases.insert(keys::base(queue));
    }

    /// A walk over all keys has found these.
    pub(super) fn walked(&self, found: BTreeSet<String>) {
        let mut known = self.known();
        known.bases.extend(found);
        known.walked = Some(Instant::now());
    }

    fn forget(&self, base: &str) {
        self.known().bases.remove(base);
    }
}

impl RedisStore {
    pub(super) async fn unfinished_page(&self, limit: usize) -> Result<Vec<QueueRef>> {
        let walked = self.unfinished.known().walked;
        if walked.is_none_or(|at| at.elapsed() > FRESH) {
            self.walk_unfinished().await?;
        }
        let bases: Vec<String> = self.unfinished.known().bases.iter().cloned().collect();
        let mut queues = Vec::new();
        for page in bases.chunks(PAGE) {
            if queues.len() >= limit {
                break;
            }
            let sizes = self.ask("ZCARD", page, keys::OUTGOING).await?;
            let (some, none): (Vec<_>, Vec<_>) =
                page.iter().cloned().zip(sizes).partition(|(_, size)| *size != Value::Int(0));
            for (base, _) in none {
                self.unfinished.forget(&base);
            }
            let some: Vec<String> = some.into_iter().map(|(base, _)| base).collect();
            queues.extend(self.named(&some).await?);
        }
        queues.truncate(limit);
        Ok(queues)
    }

    async fn walk_unfinished(&self) -> Result<()> {
        let mut scan = Scan::begin(&self.connection, "zaqar1:*:o").await?;
        let mut found = BTreeSet::new();
        while let Some(keys) = scan.next().await? {
            found.extend(scan::bases(keys, keys::OUTGOING));
        }
        self.unfinished.walked(found);
        Ok(())
    }
}
