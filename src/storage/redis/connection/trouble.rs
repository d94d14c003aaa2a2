//! Outages, logged once when they begin and once when they end.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The outages of a server, or of what the Sentinels call the master.
pub(super) struct Trouble {
    /// The URI without its secrets.
    store: Arc<str>,
    /// Beside the time, so that a call that succeeds need not lock.
    open: AtomicBool,
    since: Mutex<Option<Instant>>,
}

impl Trouble {
    pub(super) fn new(store: Arc<str>) -> Arc<Self> {
        Arc::new(Self { store, open: AtomicBool::new(false), since: Mutex::new(None) })
    }

    /// A call failed, on that server.
    pub(super) fn began(&self, server: &dyn Display, cause: &dyn Display) {
        let mut since = self.since();
        if since.is_none() {
            *since = Some(Instant::now());
            self.open.store(true, Ordering::Release);
            tracing::warn!(redis.store = %self.store, redis.server = %server, error = %cause, "Redis fails");
        }
    }

    /// A call succeeded.
    pub(super) fn ended(&self, server: &dyn Display) {
        if self.open.load(Ordering::Acquire) {
            self.close(server, "Redis serves again");
        }
    }

    /// The server is of no concern any more.
    pub(super) fn dropped(&self, server: &dyn Display) {
        self.close(server, "Redis is served by another server");
    }

    fn close(&self, server: &dyn Display, message: &str) {
        let since = self.since().take();
        self.open.store(false, Ordering::Release);
        if let Some(since) = since {
            let outage = since.elapsed().as_millis();
            tracing::info!(redis.store = %self.store, redis.server = %server, outage.ms = outage, "{message}");
        }
    }

    /// How long the outage lasts; zero where there is none.
    pub(super) fn age(&self) -> Duration {
        self.since().map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
