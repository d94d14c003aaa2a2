//! What all WebSocket connections of a process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Response};
use tokio_util::task::TaskTracker;

use super::WebSocketSettings;
use super::session::Proven;
use crate::auth::Gate;
use crate::error::Result;
use crate::server::{Phase, Stage};
use crate::service::Service;
use crate::telemetry::{self, Metric};

/// What all WebSocket connections of a process share.
pub struct Hub {
    pub(super) service: Service,
    pub(super) gate: Gate,
    pub(super) settings: WebSocketSettings,
    pub(super) tasks: TaskTracker,
    pub(super) stage: Stage,
    open: Arc<AtomicUsize>,
}

/// The place of one open connection; given back when dropped.
pub(crate) struct Seat(Arc<AtomicUsize>);

impl Hub {
    /// Nobody is connected yet.
    pub fn new(service: Service, gate: Gate, settings: WebSocketSettings) -> Self {
        let (tasks, open) = (TaskTracker::new(), Arc::default());
        Self { service, gate, settings, tasks, stage: Stage::default(), open }
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Closes all connections: with 1001 when what they sent is carried out, and without a word after `patience`.
    /// Returns when they are gone.
    pub(crate) async fn drain(&self, patience: Duration) {
        self.tasks.close();
        self.stage.enter(Phase::Draining);
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections.cut = self.open(), "some WebSocket requests did not finish in time");
            self.stage.enter(Phase::Closing);
            self.tasks.wait().await;
        }
    }

    /// A place for one more connection, if there is one.
    pub(super) fn seat(&self) -> Option<Seat> {
        let most = self.settings.max_connections;
        let taken = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < most).then_some(open + 1)
        });
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
