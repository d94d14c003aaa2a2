//! The queue between the threads that log and the thread that writes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most bytes that wait in one queue; what comes on top is dropped.
pub(super) const LIMIT: usize = 1 << 20;

/// Memory that an empty queue keeps.
const KEEP: usize = 64 << 10;

/// Records in order, as bytes with the place where each ends.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<usize>,
}

impl Batch {
    /// Appends one record.
    pub(super) fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// The records.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    /// Empties it, and gives back memory that only a flood needed.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.bytes.shrink_to(KEEP);
        self.ends.shrink_to(KEEP / 64);
    }
}

/// What the writing thread is to do besides writing its batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Orders {
    /// Records that found no room since the last batch.
    pub(super) dropped: u64,
    /// Open the output again first.
    pub(super) reopen: bool,
    /// End after this batch.
    pub(super) stop: bool,
}

/// A queue of one output, bounded by [`LIMIT`].
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Signalled when there is something to do, if the writer sleeps.
    work: Condvar,
    /// Signalled when the writer has written everything.
    idle: Condvar,
}

#[derive(Default)]
struct State {
    batch: Batch,
    orders: Orders,
    /// The writer waits for work.
    sleeping: bool,
    /// The writer is at work on a batch that it took.
    writing: bool,
}

impl State {
    fn is_empty(&self) -> bool {
        self.batch.ends.is_empty() && self.orders == Orders::default()
    }
}

impl Queue {
    /// Appends a record, or counts it as dropped.
    pub(super) fn push(&self, record: &[u8]) {
        let mut state = self.lock();
        if state.batch.bytes.len() + record.len() > LIMIT {
            state.orders.dropped += 1;
        } else {
            state.batch.push(record);
        }
        self.wake(&state);
    }

    /// Has the writer open its output again.
    pub(super) fn reopen(&self) {
        let mut state = self.lock();
        state.orders.reopen = true;
        self.wake(&state);
    }

    /// Has the writer end once everything is written.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.orders.stop = true;
        self.wake(&state);
    }

    /// Waits until everything is written: false where that took longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let busy = |state: &mut State| state.writing || !state.is_empty();
        let result = self.idle.wait_timeout_while(self.lock(), limit, busy);
        !result.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// For the writer: waits for work and takes all of it, into an empty `batch`.
    pub(super) fn take(&self, batch: &mut Batch) -> Orders {
        batch.clear();
        let mut state = self.lock();
        state.writing = false;
        if state.is_empty() {
            self.idle.notify_all();
        }
        state.sleeping = true;
        state = self.work.wait_while(state, |state| state.is_empty()).unwrap_or_else(PoisonError::into_inner);
        state.sleeping = false;
        state.writing = true;
        std::mem::swap(&mut state.batch, batch);
        std::mem::take(&mut state.orders)
    }

    /// For the writer: it will take no more.
    pub(super) fn end(&self) {
        self.lock().writing = false;
        self.idle.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the writer where it sleeps; a needless signal would be a system call for each record.
    fn wake(&self, state: &State) {
        if state.sleeping {
            self.work.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_in_order_and_whole() {
        let queue = Queue::default();
        queue.push(b"one");
        queue.push(b"");
        queue.push(b"two");
        let mut batch = Batch::default();
        assert_eq!(queue.take(&mut batch), Orders::default());
        assert_eq!(batch.records().collect::<Vec<_>>(), [&b"one"[..], b"", b"two"]);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let queue = Queue::default();
        for _ in 0..5 {
            queue.push(&vec![b'x'; LIMIT / 4]);
        }
        queue.push(b"");
        let mut batch = Batch::default();
        assert_eq!(queue.take(&mut batch), Orders { dropped: 1, ..Orders::default() });
        assert_eq!(batch.ends.len(), 5);
        queue.stop();
        assert_eq!(queue.take(&mut batch), Orders { stop: true, ..Orders::default() });
        assert!(batch.bytes.is_empty() && batch.bytes.capacity() <= KEEP);
    }

    #[test]
    fn a_flush_ends_in_time_where_nobody_writes() {
        let queue = Queue::default();
        assert!(queue.flush(Duration::ZERO));
        queue.push(b"x");
        assert!(!queue.flush(Duration::ZERO));
    }
}
