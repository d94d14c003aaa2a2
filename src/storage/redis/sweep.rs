//! Freeing the space of what is gone: a walk over all queues that goes on from call to call.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use super::library::Operation;
use super::scan::{self, Scan};
use super::{RedisStore, codec, keys};
use crate::clock::Timestamp;
use crate::storage::{Result, Swept};

/// The most keys that one call looks at.
const LOOKS: usize = 20_000;

/// The walk that is under way.
#[derive(Default)]
pub(super) struct Sweeping(Mutex<Option<Walk>>);

struct Walk {
    scan: Scan,
    /// Queues in which something is to be done.
    due: Vec<String>,
    /// Queues with outgoing messages.
    unfinished: BTreeSet<String>,
}

impl Sweeping {
    fn take(&self) -> Option<Walk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A walk to be gone on with; one that another caller began meanwhile is forgotten.
    fn keep(&self, walk: Walk) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(walk);
    }
}

impl RedisStore {
    /// Frees what time has ended, at most `budget` messages; ends with `more` until all queues were visited.
    pub(super) async fn sweep_step(&self, now: Timestamp, budget: usize) -> Result<Swept> {
        if !self.inspected.load(Ordering::Relaxed) {
            let done = self.inspect().await;
            self.inspected.store(done, Ordering::Relaxed);
        }
        let mut walk = match self.sweeping.take() {
            Some(walk) => walk,
            None => Walk {
                scan: Scan::begin(&self.connection, "zaqar1:*:[qo]").await?,
                due: Vec::new(),
                unfinished: BTreeSet::new(),
            },
        };
        let (mut swept, mut left, mut looked) = (Swept::default(), budget, 0);
        while left > 0 && looked < LOOKS {
            if let Some(base) = walk.due.last() {
                let more = self.sweep_queue(base, now, &mut left, &mut swept).await?;
                if !more {
                    walk.due.pop();
                }
                continue;
            }
            let Some(found) = walk.scan.next().await? else {
                self.unfinished.walked(walk.unfinished);
                return Ok(swept);
            };
            looked += found.len();
            walk.unfinished.extend(scan::bases(found.clone(), keys::OUTGOING));
            walk.due = self.due(scan::bases(found, keys::QUEUE), now).await?;
        }
        self.sweeping.keep(walk);
        swept.more = true;
        Ok(swept)
    }

    /// Those of the queues in which something may be due.
    async fn due(&self, mut bases: Vec<String>, now: Timestamp) -> Result<Vec<String>> {
        let times = self.ask_fields(&bases, codec::SWEEP).await?;
        let come: Vec<bool> =
            times.into_iter().map(|time| codec::has_come(time, now)).collect::<Result<_>>()?;
        let mut come = come.into_iter();
        bases.retain(|_| come.next().unwrap_or(false));
        Ok(bases)
    }

    /// A step in one queue: whether there is more.
    async fn sweep_queue(
        &self,
        base: &str,
        now: Timestamp,
        left: &mut usize,
        swept: &mut Swept,
    ) -> Result<bool> {
        let mut call = self.library.begin(Operation::Sweep, base, 32).await?;
        call.command.arg(now.micros()).arg(*left);
        let [expired, ended, touched, more] = codec::parts(self.library.finish(base, call).await?)?;
        swept.messages += codec::count(&expired)?;
        swept.claims += codec::count(&ended)?;
        *left = left.saturating_sub(usize::try_from(codec::count(&touched)?).unwrap_or(usize::MAX));
        codec::flag(&more)
    }
}
