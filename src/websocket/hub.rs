//! What all WebSocket connections of a process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::leases::Leases;
use super::{Actions, Offer, WebSocketSettings};
use crate::auth::Gate;
use crate::server::{Phase, Stage};
use crate::service::Service;
use crate::telemetry::{self, Metric};

/// What all WebSocket connections of a process share.
pub struct Hub {
    pub(super) actions: Actions,
    pub(super) gate: Gate,
    pub(super) settings: WebSocketSettings,
    pub(super) tasks: TaskTracker,
    pub(super) leases: Leases,
    pub(super) stage: Stage,
    open: Arc<AtomicUsize>,
}

/// The place of one open connection; given back when dropped.
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Hub {
    /// Nobody is connected yet.
    pub fn new(service: Service, offer: Offer, gate: Gate, settings: WebSocketSettings) -> Self {
        let (tasks, open) = (TaskTracker::new(), Arc::default());
        let leases = Leases::new(service.clone(), tasks.clone());
        let actions = Actions::new(service, offer);
        Self { actions, gate, settings, tasks, leases, stage: Stage::default(), open }
    }

    /// The operations.
    pub(super) fn service(&self) -> &Service {
        self.actions.service()
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Closes all connections: with 1001 when what they sent is carried out, and without a word after `patience`.
    /// Returns when they are gone: how many had to be cut.
    pub(crate) async fn drain(&self, patience: Duration) -> usize {
        self.tasks.close();
        self.stage.enter(Phase::Draining);
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_ok() {
            return 0;
        }
        let cut = self.open();
        self.stage.enter(Phase::Closing);
        self.tasks.wait().await;
        cut
    }

    /// A place for one more connection, if there is one.
    pub(super) fn seat(&self) -> Option<Seat> {
        let most = self.settings.max_connections;
        let taken = self
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < most).then_some(open + 1));
        taken.ok()?;
        telemetry::gauge_change(Metric::WebSocketConnections, &[], 1);
        Some(Seat(self.open.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        telemetry::gauge_change(Metric::WebSocketConnections, &[], -1);
    }
}
