//! The subscriptions of this node's connections: kept alive while their connections live, and ended when somebody else
//! ends them.
//!
//! A connection's subscription is stored with a short lease (decision 26), so that it goes by itself when its node does.
//! Each queue that is subscribed to has one task, which extends the leases of all connections in one call and learns
//! with it which subscriptions are gone: deleted, purged, or with their queue.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::task::TaskTracker;

use crate::model::{ProjectId, QueueName, SubscriptionId};
use crate::service::Service;

/// How often leases are extended: well before they end, also where one call fails.
const EVERY: Duration = Duration::from_secs(12);

/// The subscriptions of this node's connections, by queue. Cheap to clone.
#[derive(Clone)]
pub(super) struct Leases {
    service: Service,
    tasks: TaskTracker,
    queues: Arc<Mutex<HashMap<Place, Queue>>>,
}

/// A queue, by project and name.
type Place = (ProjectId, QueueName);

#[derive(Default)]
struct Queue {
    /// Whom to tell when a subscription is gone.
    held: HashMap<SubscriptionId, oneshot::Sender<()>>,
    /// Rung when the last one was given up.
    empty: Arc<Notify>,
}

/// One subscription of one connection. Dropping it ends the subscription.
pub(super) struct Lease {
    leases: Leases,
    place: Place,
    id: SubscriptionId,
    gone: oneshot::Receiver<()>,
    /// Whether somebody else has ended it.
    ended: bool,
}

impl Leases {
    pub(super) fn new(service: Service, tasks: TaskTracker) -> Self {
        Self { service, tasks, queues: Arc::default() }
    }

    /// Keeps a subscription, which was just made, until it is dropped or gone.
    pub(super) fn hold(&self, project: &ProjectId, name: &QueueName, id: SubscriptionId) -> Lease {
        let place = (project.clone(), name.clone());
        let (tell, gone) = oneshot::channel();
        let mut queues = self.lock();
        let is_new = !queues.contains_key(&place);
        let queue = queues.entry(place.clone()).or_default();
        queue.held.insert(id, tell);
        if is_new {
            self.tasks.spawn(self.clone().keep(place.clone(), queue.empty.clone()));
        }
        Lease { leases: self.clone(), place, id, gone, ended: false }
    }

    /// Extends the leases of one queue until there are none.
    async fn keep(self, place: Place, empty: Arc<Notify>) {
        let mut changes = self.service.changes(&place.0, &place.1);
        loop {
            tokio::select! {
                () = empty.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = changes.rung() => {}
            }
            let ids: Vec<_> = {
                let mut queues = self.lock();
                let Some(queue) = queues.get(&place) else { return };
                if queue.held.is_empty() {
                    queues.remove(&place);
                    return;
                }
                queue.held.keys().copied().collect()
            };
            match self.service.extend_connections(&place.0, &place.1, &ids).await {
                Ok(gone) => self.end(&place, &gone),
                Err(error) => {
                    tracing::warn!(error.cause = ?error, queue.name = %place.1, "leases were not extended");
                }
            }
        }
    }

    /// Tells those whose subscriptions are gone.
    fn end(&self, place: &Place, gone: &[SubscriptionId]) {
        let mut queues = self.lock();
        let Some(queue) = queues.get_mut(place) else { return };
        for tell in gone.iter().filter_map(|id| queue.held.remove(id)) {
            // Whoever does not listen any more has ended it too.
            let _ = tell.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
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
