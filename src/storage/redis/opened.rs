//! Which queues there are, page by page.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::scan::{self, Scan};
use super::{RedisStore, keys};
use crate::model::QueueRef;
use crate::storage::Result;

/// How many walks are remembered at once.
const WALKS: usize = 8;

/// Walks that were begun, the latest first.
#[derive(Default)]
pub(super) struct Walks(Mutex<VecDeque<Walk>>);

/// A walk over the queues.
struct Walk {
    scan: Scan,
    /// Found and not given yet.
    found: VecDeque<String>,
    /// The last queue that was given.
    last: Option<QueueRef>,
}

impl Walks {
    fn take(&self, last: &QueueRef) -> Option<Walk> {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = walks.iter().position(|walk| walk.last.as_ref() == Some(last))?;
        walks.remove(at)
    }

    fn keep(&self, walk: Walk) {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walks.push_front(walk);
        walks.truncate(WALKS);
    }
}

impl RedisStore {
    pub(super) async fn opened_page(&self, after: Option<&QueueRef>, limit: usize) -> Result<Vec<QueueRef>> {
        let known = after.and_then(|after| self.walks.take(after));
        let mut walk = match (known, after) {
            (Some(walk), _) => walk,
            (None, Some(after)) => return self.opened_by_name(after, limit).await,
            (None, None) => {
                let scan = Scan::begin(&self.connection, "zaqar1:*:q").await?;
                Walk { scan, found: VecDeque::new(), last: None }
            }
        };
        let mut queues: Vec<QueueRef> = Vec::new();
        while queues.len() < limit {
            if walk.found.is_empty() {
                let Some(found) = walk.scan.next().await? else { break };
                let mut found = scan::bases(found, keys::QUEUE);
                found.sort_unstable();
                found.dedup();
                walk.found = found.into();
            }
            let count = walk.found.len().min(limit - queues.len());
            let some: Vec<String> = walk.found.drain(..count).collect();
            queues.extend(self.named(&some).await?);
        }
        if let Some(last) = queues.last() {
            walk.last = Some(last.clone());
            self.walks.keep(walk);
        }
        Ok(queues)
    }

    /// The queues after that one in the order of their keys, whatever the walk was that gave it.
    async fn opened_by_name(&self, after: &QueueRef, limit: usize) -> Result<Vec<QueueRef>> {
        let after = keys::base(after);
        let mut scan = Scan::begin(&self.connection, "zaqar1:*:q").await?;
        let mut first: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
        while let Some(found) = scan.next().await? {
            first.extend(scan::bases(found, keys::QUEUE).into_iter().filter(|base| *base > after));
            while first.len() > limit {
                first.pop_last();
            }
        }
        self.named(&first.into_iter().collect::<Vec<_>>()).await
    }
}
