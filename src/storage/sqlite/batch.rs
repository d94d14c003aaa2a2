//! What the calls of one transaction share.

use super::db::Db;
use super::queue::Queue;
use super::{Fault, Outcome};
use crate::model::QueueRef;
use crate::wake::News;

/// A transaction of the writer with what it has read so far, so that many calls on a queue read and store its
/// row once.
pub(super) struct Batch<'b, 'c> {
    /// The writer's connection, in the transaction.
    pub(super) db: &'b Db<'c>,
    queues: Vec<Loaded>,
    last_key: Option<i64>,
    rings: Vec<Ring>,
}

/// What is to be rung once the transaction is on disk.
pub(super) struct Ring {
    pub(super) queue: QueueRef,
    pub(super) news: News,
}

struct Loaded {
    /// The queue by which a call named it.
    queue: Option<QueueRef>,
    seen: Queue,
    row: Queue,
    ready: Option<usize>,
    ended: bool,
}

/// A queue in a transaction: what an operation works on.
pub(super) struct Open<'b, 'c> {
    /// The writer's connection, in the transaction.
    pub(super) db: &'b Db<'c>,
    /// The queue's numbers; what changes here is stored with the batch.
    pub(super) row: &'b mut Queue,
    last_key: &'b mut Option<i64>,
    ready: &'b mut Option<usize>,
    ended: &'b mut bool,
}

impl<'b, 'c> Batch<'b, 'c> {
    /// A transaction that has just begun.
    pub(super) fn new(db: &'b Db<'c>) -> Self {
        Self { db, queues: Vec::new(), last_key: None, rings: Vec::new() }
    }

    /// The queue, or [`Fault::Gone`] where it is not stored under its epoch.
    pub(super) fn queue(&mut self, queue: &QueueRef) -> Outcome<Open<'_, 'c>> {
        let known = self.queues.iter().position(|loaded| loaded.queue.as_ref() == Some(queue));
        if let Some(at) = known {
            return Ok(self.open(at));
        }
        let row = Queue::current(self.db, queue)?;
        let at = self.load(row);
        self.queues[at].queue = Some(queue.clone());
        Ok(self.open(at))
    }

    /// The queue of that key, dropped or not.
    pub(super) fn queue_of_key(&mut self, key: i64) -> Outcome<Open<'_, 'c>> {
        let row = Queue::by_key(self.db, key)?.ok_or(Fault::Gone)?;
        let at = self.load(row);
        Ok(self.open(at))
    }

    /// Keeps a row as it was read, unless the transaction has changed it already: where it is kept.
    fn load(&mut self, row: Queue) -> usize {
        if let Some(at) = self.queues.iter().position(|loaded| loaded.row.key == row.key) {
            return at;
        }
        self.queues.push(Loaded { queue: None, seen: row.clone(), row, ready: None, ended: false });
        self.queues.len() - 1
    }

    fn open(&mut self, at: usize) -> Open<'_, 'c> {
        let Loaded { row, ready, ended, .. } = &mut self.queues[at];
        Open { db: self.db, row, last_key: &mut self.last_key, ready, ended }
    }

    /// Stores the numbers of every queue and forgets them; for the end, and before rows of `queues` are
    /// changed otherwise.
    pub(super) fn save(&mut self) -> rusqlite::Result<()> {
        for loaded in self.queues.drain(..) {
            loaded.row.save(self.db, &loaded.seen)?;
            let Some(queue) = loaded.queue else { continue };
            let news = [loaded.ready.map(News::Ready), loaded.ended.then_some(News::Ended)];
            self.rings.extend(news.into_iter().flatten().map(|news| Ring { queue: queue.clone(), news }));
        }
        Ok(())
    }

    /// Notes that the queue's data may lie elsewhere from now on.
    pub(super) fn ring_out(&mut self, queue: &QueueRef) {
        self.rings.push(Ring { queue: queue.clone(), news: News::Anything });
    }

    /// What is to be rung; for the end.
    pub(super) fn into_rings(self) -> Vec<Ring> {
        self.rings
    }
}

impl Open<'_, '_> {
    /// Notes that so many messages are available now; with 0, that one may be earlier than was known.
    pub(super) fn ring(&mut self, ready: usize) {
        *self.ready = Some(self.ready.unwrap_or(0).saturating_add(ready));
    }

    /// Notes that somebody ended subscriptions.
    pub(super) fn ring_keepers(&mut self) {
        *self.ended = true;
    }

    /// The key of a new message.
    pub(super) fn next_key(&mut self) -> rusqlite::Result<i64> {
        if self.last_key.is_none() {
            let last = self.db.first("SELECT max(key) FROM messages", [], |row| row.get(0))?;
            *self.last_key = last.flatten();
        }
        let key = self.last_key.unwrap_or(0) + 1;
        *self.last_key = Some(key);
        Ok(key)
    }
}
