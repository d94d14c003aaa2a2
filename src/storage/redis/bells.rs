//! Bells that ring on every node of a service: the functions publish, each node listens to the queues it has bells on.
//!
//! A queue has one channel, named after its keys. It is fetched from the first bell on until a while after the last, on a
//! connection of its own to the server that has the queue ([`ear`]); [`fetcher`] decides who listens where. What may have
//! been missed, because a connection broke or a queue changed servers, makes each bell of that queue ring once.

mod ear;
mod fetcher;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::fetcher::Fetcher;
use super::connection::Connection;
use super::keys;
use crate::model::QueueRef;
use crate::wake::{Bell, Key, News, Wakes, Who};

/// What is published where somebody ended subscriptions, in place of a number of messages.
const ENDED: i64 = -2;

/// The bells of a store. Nothing is connected before the first one.
pub(super) struct Bells {
    heard: Arc<Heard>,
    fetch: mpsc::UnboundedSender<Key>,
    timeout: std::time::Duration,
    closed: CancellationToken,
}

/// What is fetched, and who is called.
struct Heard {
    wakes: Wakes,
    channels: Mutex<HashMap<Key, Channel>>,
}

/// A queue whose rings are to be fetched.
#[derive(Default)]
struct Channel {
    /// The number of the ear that listens to it.
    ear: u64,
    /// The server has confirmed it.
    heard: bool,
    /// Somebody relies on it that may have missed something by then.
    late: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Bells {
    pub(super) fn new(connection: &Connection) -> Self {
        let (farewell, farewells) = mpsc::unbounded_channel();
        let (fetch, wanted) = mpsc::unbounded_channel();
        let heard =
            Arc::new(Heard { wakes: Wakes::with_farewell(farewell), channels: Mutex::new(HashMap::new()) });
        let closed = CancellationToken::new();
        let fetcher = Fetcher::new(connection.clone(), heard.clone());
        // Ends with the store, or when that is closed.
        TaskTracker::new().spawn(fetcher.run(wanted, farewells, closed.clone()));
        Self { heard, fetch, timeout: connection.timeout(), closed }
    }

    /// A bell that hears every ring from now on, or rings once as soon as it does.
    pub(super) async fn watch(&self, queue: &QueueRef, who: Who) -> Bell {
        let bell = self.heard.wakes.watch(&queue.project, &queue.name, who);
        let key = (queue.project.clone(), queue.name.clone());
        let Some((confirmed, first)) = self.heard.wait(&key) else { return bell };
        if first && self.fetch.send(key.clone()).is_err() {
            return bell;
        }
        if !matches!(timeout(self.timeout, confirmed).await, Ok(Ok(()))) {
            self.heard.rely_on_late(&key);
        }
        bell
    }

    /// Stops listening; whoever waits is called.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }
}

impl Heard {
    /// What resolves when the queue's rings are fetched, and whether somebody must be told to fetch them; `None` where
    /// they are.
    fn wait(&self, key: &Key) -> Option<(oneshot::Receiver<()>, bool)> {
        let mut channels = self.channels();
        let first = !channels.contains_key(key);
        let channel = channels.entry(key.clone()).or_default();
        if channel.heard {
            return None;
        }
        let (confirm, confirmed) = oneshot::channel();
        channel.waiting.push(confirm);
        Some((confirmed, first))
    }

    fn rely_on_late(&self, key: &Key) {
        if let Some(channel) = self.channels().get_mut(key) {
            channel.late = true;
        }
    }

    /// The rings of no queue can be fetched for now: whoever waits for that goes on, and is called when they can.
    fn disappoint(&self) {
        for channel in self.channels().values_mut().filter(|channel| !channel.waiting.is_empty()) {
            channel.late = true;
            channel.waiting.clear();
        }
    }

    /// From now on that ear listens to the queue.
    fn assign(&self, key: &Key, ear: u64) {
        if let Some(channel) = self.channels().get_mut(key) {
            channel.ear = ear;
        }
    }

    /// The server says to that ear that it will tell every ring of that queue.
    fn confirmed(&self, key: &Key, ear: u64) {
        let mut channels = self.channels();
        let Some(channel) = channels.get_mut(key).filter(|channel| channel.ear == ear) else { return };
        channel.heard = true;
        let (late, waiting) = (std::mem::take(&mut channel.late), std::mem::take(&mut channel.waiting));
        drop(channels);
        for confirm in waiting {
            // Who does not wait any more has gone, or was noted as late.
            let _ = confirm.send(());
        }
        if late {
            self.wakes.ring(&key.0, &key.1, News::Anything);
        }
    }

    /// Nobody tells the rings of that queue any more.
    fn lost(&self, key: &Key) {
        if let Some(channel) = self.channels().get_mut(key) {
            channel.late |= std::mem::take(&mut channel.heard);
            channel.ear = 0;
        }
    }

    /// Gives the queue up, unless somebody waits for it: whether it was given up. Who watches later finds it gone.
    fn give_up(&self, key: &Key) -> bool {
        let mut channels = self.channels();
        !self.wakes.is_watched(key) && channels.remove(key).is_some()
    }

    fn is_wanted(&self, key: &Key) -> bool {
        self.channels().contains_key(key)
    }

    /// A ring as it was published.
    fn ring(&self, key: &Key, said: i64) {
        let news = match usize::try_from(said) {
            Ok(ready) => News::Ready(ready),
            Err(_) if said == ENDED => News::Ended,
            Err(_) => News::Anything,
        };
        self.wakes.ring(&key.0, &key.1, news);
    }

    /// Nothing is fetched any more.
    fn end(&self) {
        self.channels().clear();
        self.wakes.ring_all();
    }

    /// No holder panics.
    fn channels(&self) -> MutexGuard<'_, HashMap<Key, Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The channel of a queue.
fn channel(key: &Key) -> String {
    keys::base_of_names(&key.0, &key.1) + keys::CHANNEL
}

/// The queue of a channel.
fn queue_of(channel: &str) -> Option<Key> {
    keys::names(channel.strip_suffix(keys::CHANNEL)?)
}
