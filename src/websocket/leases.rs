//! The subscriptions of this node's connections: kept alive while their connections live, and ended when somebody else
//! ends them.
//!
//! A connection's subscription is stored with a short lease (decision 26), so that it goes by itself when its node does.
//! Each queue that is subscribed to has one task, its keeper, which extends the leases of all connections in one call and
//! learns with it which subscriptions are gone: deleted, purged, or with their queue. It looks at once where the queue's
//! store rings that somebody ended subscriptions, on whichever node. What is gone because the store was out of reach until
//! the lease ran out, or because it lost its data, is stored again: neither must end pushes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::task::TaskTracker;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::{ProjectId, QueueName, Subscription, SubscriptionId};
use crate::service::{CONNECTION_LEASE, DataOrigin, Service};
use crate::wake::{Bell, Key};

/// How often leases are extended: well before they end.
const EVERY: Duration = Duration::from_secs(20);

/// How soon that is tried again where it failed.
const AGAIN: Duration = Duration::from_secs(2);

/// After so many failures in a row leases have run out, and the log says so.
const WORTH_A_LINE: u32 = 15;

/// The subscriptions of this node's connections, by queue. Cheap to clone.
#[derive(Clone)]
pub(super) struct Leases {
    service: Service,
    tasks: TaskTracker,
    queues: Arc<Mutex<HashMap<Key, Queue>>>,
}

#[derive(Default)]
struct Queue {
    held: HashMap<SubscriptionId, Held>,
    /// Rung when the last one was given up.
    empty: Arc<Notify>,
}

struct Held {
    /// As it was made, but for its end: that is when the lease runs out, as far as is known.
    subscription: Subscription,
    /// Whom to tell when it is gone.
    tell: oneshot::Sender<()>,
}

/// One subscription of one connection. Dropping it ends the subscription.
pub(super) struct Lease {
    leases: Leases,
    place: Key,
    id: SubscriptionId,
    gone: oneshot::Receiver<()>,
    /// Whether somebody else has ended it.
    ended: bool,
}

impl Leases {
    pub(super) fn new(service: Service, tasks: TaskTracker) -> Self {
        Self { service, tasks, queues: Arc::default() }
    }

    /// Keeps a subscription, which was just made in data of that origin, until it is dropped or gone.
    pub(super) fn hold(
        &self,
        project: &ProjectId,
        name: &QueueName,
        made: Subscription,
        origin: Option<DataOrigin>,
    ) -> Lease {
        let (place, id) = ((project.clone(), name.clone()), made.id);
        let (tell, gone) = oneshot::channel();
        let mut queues = self.lock();
        let is_new = !queues.contains_key(&place);
        let queue = queues.entry(place.clone()).or_default();
        queue.held.insert(id, Held { subscription: made, tell });
        if is_new {
            self.tasks.spawn(self.clone().keep(place.clone(), queue.empty.clone(), origin));
        }
        Lease { leases: self.clone(), place, id, gone, ended: false }
    }

    /// Extends the leases of one queue until there are none. `seen` is the origin of the data that had them all.
    async fn keep(self, place: Key, empty: Arc<Notify>, mut seen: Option<DataOrigin>) {
        let (mut changes, mut failures) = (self.service.changes(&place.0, &place.1), 0_u32);
        while let Some(ids) = self.held(&place) {
            // Apart, for a keeper waits most of its time, and looking needs much more room than waiting.
            let (mut ends, pause) = match Box::pin(self.look(&place, &ids, &mut seen)).await {
                Ok(ends) => {
                    failures = 0;
                    (ends, EVERY)
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    // An outage has its own warning, and there may be thousands of queues.
                    if failures == WORTH_A_LINE {
                        tracing::warn!(error.cause = ?error, queue.name = %place.1, "leases are not extended");
                    }
                    (Bell::silent(), AGAIN)
                }
            };
            tokio::select! {
                () = empty.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = changes.rung() => {}
                () = ends.rung() => {}
            }
        }
    }

    /// The subscriptions to a queue; where there are none, nothing is kept of it either.
    fn held(&self, place: &Key) -> Option<Vec<SubscriptionId>> {
        let mut queues = self.lock();
        let held = &queues.get(place)?.held;
        if held.is_empty() {
            queues.remove(place);
            return None;
        }
        Some(held.keys().copied().collect())
    }

    /// Extends these leases, and restores those that have run out or that the store has lost: the bell of what is ended
    /// after that.
    async fn look(&self, place: &Key, ids: &[SubscriptionId], seen: &mut Option<DataOrigin>) -> Result<Bell> {
        let (now, ends) = (self.service.clock().now(), self.service.ends(&place.0, &place.1).await?);
        // Before the leases: what then has them all, or has them restored, is this data or a later one.
        let before = self.service.data_origin(&place.0, &place.1).await?;
        let gone = self.service.extend_connections(&place.0, &place.1, ids).await?;
        let gone: HashSet<_> = gone.into_iter().collect();
        let lost = !gone.is_empty() && {
            let after = self.service.data_origin(&place.0, &place.1).await?;
            [seen.as_ref(), before.as_ref()].into_iter().any(|earlier| was_lost(earlier, after.as_ref()))
        };
        for lapsed in self.sort_out(place, ids, &gone, lost, now) {
            let lives = self.service.restore_connection(&place.0, &place.1, &lapsed).await?;
            match self.lock().get_mut(place) {
                Some(queue) if lives => queue.prolong(lapsed.id, now),
                Some(queue) => queue.end(lapsed.id),
                None => {}
            }
        }
        // Not before all is restored: what fails is tried again.
        *seen = before;
        Ok(ends)
    }

    /// Notes what lives on, and ends what somebody has ended; what has lapsed instead, or was lost.
    fn sort_out(
        &self,
        place: &Key,
        asked: &[SubscriptionId],
        gone: &HashSet<SubscriptionId>,
        lost: bool,
        now: Timestamp,
    ) -> Vec<Subscription> {
        let (mut lapsed, mut queues) = (Vec::new(), self.lock());
        let Some(queue) = queues.get_mut(place) else { return lapsed };
        for id in asked {
            match queue.held.get(id) {
                _ if !gone.contains(id) => queue.prolong(*id, now),
                // By now: the store may have taken its time.
                Some(held) if lost || held.subscription.expires <= self.service.clock().now() => {
                    lapsed.push(held.subscription.clone());
                }
                _ => queue.end(*id),
            }
        }
        lapsed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the data of then is lost and was made anew.
fn was_lost(then: Option<&DataOrigin>, now: Option<&DataOrigin>) -> bool {
    then.zip(now).is_some_and(|(then, now)| then.was_lost(now))
}

impl Queue {
    /// Notes that a lease was extended.
    fn prolong(&mut self, id: SubscriptionId, now: Timestamp) {
        if let Some(held) = self.held.get_mut(&id) {
            held.subscription.expires = now.plus_seconds(CONNECTION_LEASE);
        }
    }

    /// Tells the connection whose subscription is gone.
    fn end(&mut self, id: SubscriptionId) {
        if let Some(held) = self.held.remove(&id) {
            // Whoever does not listen any more has ended it too.
            let _ = held.tell.send(());
        }
    }
}

impl Lease {
    /// The queue.
    pub(super) fn place(&self) -> &Key {
        &self.place
    }

    /// Ready when somebody else has ended the subscription.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.ended {
            self.ended = Future::poll(std::pin::Pin::new(&mut self.gone), cx).is_ready();
        }
        if self.ended { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut queues = self.leases.lock();
        if let Some(queue) = queues.get_mut(&self.place) {
            queue.held.remove(&self.id);
            if queue.held.is_empty() {
                queue.empty.notify_one();
            }
        }
        drop(queues);
        if self.ended {
            return;
        }
        let (service, (project, name), id) = (self.leases.service.clone(), self.place.clone(), self.id);
        self.leases.tasks.spawn(async move {
            if let Err(error) = service.leave(&project, &name, id).await {
                tracing::debug!(error.cause = ?error, queue.name = %name, "a lease is left to run out");
            }
        });
    }
}
