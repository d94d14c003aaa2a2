//! Wake-ups: who waits for something to arrive in which queue.
//!
//! A store rings a queue's bells when something may have become available in it, or when the moment at which something
//! will has come nearer. Who waits watches first, looks then, and looks again whenever the bell rang: nothing is missed,
//! and nobody asks in vain.
//!
//! *Readers* each see everything, so every ring calls all of them. *Consumers* take messages away, so a ring calls only
//! as many of them as messages came, those that wait longest first. One that is called and found something calls the
//! next (the baton): a burst is drained however it was counted, and whoever is left learns what is due next. One that
//! was called and leaves without having found anything calls the next too, for it may be the only one that knew.
//! *Keepers* look after subscriptions, and hear of nothing but their ends.

mod line;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::{Notify, mpsc};

use self::line::Line;
use crate::clock::Timestamp;
use crate::model::{ProjectId, QueueName};

/// How one who waits is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Hears every ring: lists, pushes, streams.
    Reader,
    /// Takes messages away (claims, pops): of `ready` messages at most so many consumers wake, first come first served.
    Consumer,
    /// Hears only that subscriptions may have ended: who extends their leases.
    Keeper,
}

/// What a ring tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// So many messages are available; with 0, one will be earlier than was known.
    Ready(usize),
    /// Somebody ended subscriptions.
    Ended,
    /// Anything: the queue may lie elsewhere now, or rings may have been lost.
    Anything,
}

/// A queue by its name: one bell hears all its lives.
pub type Key = (ProjectId, QueueName);

/// Told when the last bell of a queue is gone.
pub type Farewell = mpsc::UnboundedSender<Key>;

/// The bells of one store, by project and name of the queue. Cheap to clone.
#[derive(Clone, Default)]
pub struct Wakes(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// How many bells there are, so that a ring that nobody hears costs nothing.
    bells: AtomicUsize,
    lines: Mutex<Lines>,
    farewell: Option<Farewell>,
}

#[derive(Default)]
struct Lines {
    next_ticket: u64,
    queues: HashMap<Key, Line>,
}

impl Wakes {
    /// No bells yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, for a store that must fetch the rings of a queue from elsewhere while somebody listens.
    pub fn with_farewell(farewell: Farewell) -> Self {
        Self(Arc::new(Inner { farewell: Some(farewell), ..Inner::default() }))
    }

    /// A bell that hears every ring of that queue from now on.
    pub fn watch(&self, project: &ProjectId, name: &QueueName, who: Who) -> Bell {
        let key = (project.clone(), name.clone());
        let notify = Arc::new(Notify::new());
        // Counted first: who looks after this and finds nothing is rung by whoever comes later.
        self.0.bells.fetch_add(1, Ordering::SeqCst);
        let mut lines = self.0.lock();
        lines.next_ticket += 1;
        let ticket = lines.next_ticket;
        lines.queues.entry(key.clone()).or_default().add(ticket, who, notify.clone());
        drop(lines);
        Bell { parts: vec![Part { wakes: self.0.clone(), key, ticket, notify }] }
    }

    /// Calls those whom it concerns: with [`News::Ready`] the queue's readers and as many of its consumers, at least
    /// one; with [`News::Ended`] its keepers; else everybody.
    pub fn ring(&self, project: &ProjectId, name: &QueueName, news: News) {
        if self.0.bells.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(line) = self.0.lock().queues.get_mut(&(project.clone(), name.clone())) {
            line.ring(news);
        }
    }

    /// Calls everybody, because rings may have been lost.
    pub fn ring_all(&self) {
        for line in self.0.lock().queues.values_mut() {
            line.ring(News::Anything);
        }
    }

    /// Whether somebody waits for that queue.
    pub fn is_watched(&self, key: &Key) -> bool {
        self.0.lock().queues.contains_key(key)
    }
}

impl Inner {
    /// No holder panics; and if one did, a bell would ring once too often.
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say_farewell(&self, key: &Key) {
        if let Some(farewell) = &self.farewell {
            // Nobody listens any more where the store was closed.
            let _ = farewell.send(key.clone());
        }
    }
}

/// What one who waits holds. Dropping it stops watching.
pub struct Bell {
    parts: Vec<Part>,
}

struct Part {
    wakes: Arc<Inner>,
    key: Key,
    ticket: u64,
    notify: Arc<Notify>,
}

impl Bell {
    /// One that never rings, where there is nothing to hear.
    pub fn silent() -> Self {
        Self { parts: Vec::new() }
    }

    /// A bell that hears what either hears; for a queue that lies in two stores.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// Resolves when rung since the last look; cancel-safe.
    pub async fn rung(&mut self) {
        if let [part] = self.parts.as_slice() {
            return part.notify.notified().await;
        }
        let mut rings: Vec<_> = self.parts.iter().map(|part| Box::pin(part.notify.notified())).collect();
        std::future::poll_fn(|context| {
            let mut rung = rings.iter_mut().map(|ring| Pin::as_mut(ring).poll(context).is_ready());
            if rung.any(|rung| rung) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// A consumer reports its attempt. With `found` the next consumer in line is called, and this bell has done its
    /// duty: it is to be dropped. For readers it does nothing.
    pub fn served(&mut self, found: bool) {
        for part in &self.parts {
            part.with_line(|line| line.served(part.ticket, found));
        }
    }

    /// Says that the moment has come at which something was said to be due: calls a reader, and the first consumer in
    /// line, once however many of them say so. Whoever is called hears it by [`Bell::rung`].
    pub fn due(&self, at: Timestamp) {
        if let Some(part) = self.parts.first() {
            part.with_line(|line| line.due(part.ticket, at));
        }
    }
}

impl Part {
    fn with_line(&self, act: impl FnOnce(&mut Line)) {
        if let Some(line) = self.wakes.lock().queues.get_mut(&self.key) {
            act(line);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut lines = self.wakes.lock();
        if let Some(line) = lines.queues.get_mut(&self.key) {
            line.remove(self.ticket);
            if line.is_empty() {
                lines.queues.remove(&self.key);
                self.wakes.say_farewell(&self.key);
            }
        }
        drop(lines);
        self.wakes.bells.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
