//! Those who wait for one queue, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Notify;

use super::{News, Who};
use crate::clock::Timestamp;

/// Those who wait for one queue, by their tickets, which rise.
#[derive(Default)]
pub(super) struct Line {
    readers: BTreeMap<u64, Arc<Notify>>,
    keepers: BTreeMap<u64, Arc<Notify>>,
    consumers: BTreeMap<u64, Consumer>,
    /// Consumers that are not called.
    idle: BTreeSet<u64>,
    /// The moment for which a consumer was called last, and has not come back empty since.
    due: Option<Timestamp>,
}

struct Consumer {
    notify: Arc<Notify>,
    /// It was called and has not reported yet.
    called: bool,
    /// Something came while it was called that nobody else was there for.
    again: bool,
    /// It was called at some time and may know what nobody else does.
    knows: bool,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.readers.is_empty() && self.keepers.is_empty() && self.consumers.is_empty()
    }

    pub(super) fn add(&mut self, ticket: u64, who: Who, notify: Arc<Notify>) {
        match who {
            Who::Reader => {
                self.readers.insert(ticket, notify);
            }
            Who::Keeper => {
                self.keepers.insert(ticket, notify);
            }
            Who::Consumer => {
                self.idle.insert(ticket);
                let consumer = Consumer { notify, called: false, again: false, knows: false };
                self.consumers.insert(ticket, consumer);
            }
        }
    }

    /// Takes somebody out. A consumer that knew something calls the next.
    pub(super) fn remove(&mut self, ticket: u64) {
        self.readers.remove(&ticket);
        self.keepers.remove(&ticket);
        self.idle.remove(&ticket);
        if self.consumers.remove(&ticket).is_some_and(|consumer| consumer.knows) {
            self.call(1);
        }
    }

    /// Calls those whom it concerns: see [`Wakes::ring`](super::Wakes::ring).
    pub(super) fn ring(&mut self, news: News) {
        if !matches!(news, News::Ready(_)) {
            self.keepers.values().for_each(|notify| notify.notify_one());
        }
        if news == News::Ended {
            return;
        }
        self.readers.values().for_each(|notify| notify.notify_one());
        self.call(if let News::Ready(ready) = news { ready.max(1) } else { usize::MAX });
    }

    /// Calls idle consumers, first come first served. Where there are too few, those that were called before look
    /// once more, since what came may have come after their look.
    fn call(&mut self, count: usize) {
        let called_before = count > self.idle.len();
        if called_before {
            self.consumers.values_mut().for_each(|consumer| consumer.again = consumer.called);
        }
        for _ in 0..count {
            let Some(ticket) = self.idle.pop_first() else { return };
            if let Some(consumer) = self.consumers.get_mut(&ticket) {
                (consumer.called, consumer.knows) = (true, true);
                consumer.notify.notify_one();
            }
        }
    }

    /// A consumer looked. What it found nothing of it knows now; what it found may be followed by more.
    pub(super) fn served(&mut self, ticket: u64, found: bool) {
        let Some(consumer) = self.consumers.get_mut(&ticket) else { return };
        if found {
            consumer.knows = false;
            self.idle.remove(&ticket);
            self.call(1);
        } else if consumer.called && std::mem::take(&mut consumer.again) {
            consumer.notify.notify_one();
        } else if std::mem::take(&mut consumer.called) {
            self.idle.insert(ticket);
            self.due = None;
        }
    }

    /// Something is due at that moment, which has come.
    pub(super) fn due(&mut self, ticket: u64, at: Timestamp) {
        if let Some(notify) = self.readers.get(&ticket) {
            notify.notify_one();
        } else if self.due != Some(at) {
            self.due = Some(at);
            self.call(1);
        }
    }
}
