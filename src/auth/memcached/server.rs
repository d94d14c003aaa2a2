//! One server: its connections, and whether it is dead.

use std::io::{Error, ErrorKind, Result};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::address::Address;
use super::connection::{Connection, Request};
use super::{Settings, Stored};

pub(super) struct Server {
    address: Address,
    /// One for each connection that may be open.
    permits: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections that nobody uses, with the time from which on.
    idle: Vec<(Connection, Instant)>,
    /// Since something failed: when the server is tried again.
    dead_until: Option<Instant>,
}

impl Server {
    pub(super) fn new(address: Address, settings: &Settings) -> Self {
        let most = settings.max_connections.min(Semaphore::MAX_PERMITS);
        Self { address, permits: Semaphore::new(most), state: Mutex::default() }
    }

    /// Whether it is worth a request at the moment.
    pub(super) fn is_alive(&self) -> bool {
        self.state().dead_until.is_none_or(|until| Instant::now() >= until)
    }

    /// Makes a request on one of its connections. An error means that it is dead from now on, and was logged; or
    /// that no connection was free.
    pub(super) async fn call(&self, settings: &Settings, request: Request<'_>) -> Result<Option<Stored>> {
        // Waiting for a free connection says nothing against the server.
        let deadline = Instant::now() + settings.timeout;
        let wait = settings.wait.min(settings.timeout);
        let Ok(Ok(_permit)) = timeout(wait, self.permits.acquire()).await else {
            tracing::debug!(cache.server = %self.address, "no connection to the cache of tokens became free");
            return Err(ErrorKind::WouldBlock.into());
        };
        let done = timeout_at(deadline, self.attempt(settings, request)).await;
        match done.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
            Ok(answer) => {
                self.revive();
                Ok(answer)
            }
            Err(error) => {
                self.bury(&error, settings.dead_retry);
                Err(error)
            }
        }
    }

    async fn attempt(&self, settings: &Settings, request: Request<'_>) -> Result<Option<Stored>> {
        if let Some(mut connection) = self.idle(settings.unused) {
            match connection.call(request).await {
                Ok((answer, keep)) => {
                    self.keep(keep.then_some(connection));
                    return Ok(answer);
                }
                // The server may have closed it while nobody looked (a restart): once more, on a new one.
                Err(error) if is_closed(&error) => self.state().idle.clear(),
                Err(error) => return Err(error),
            }
        }
        let open = Connection::open(&self.address, settings.tls.clone(), settings.credentials.as_ref());
        let mut connection = open.await?;
        let (answer, keep) = connection.call(request).await?;
        self.keep(keep.then_some(connection));
        Ok(answer)
    }

    /// A connection that was used within that time; closes those that were not.
    fn idle(&self, unused: Duration) -> Option<Connection> {
        let mut state = self.state();
        let now = Instant::now();
        state.idle.retain(|(_, since)| now.saturating_duration_since(*since) < unused);
        state.idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: Option<Connection>) {
        let now = Instant::now();
        self.state().idle.extend(connection.map(|connection| (connection, now)));
    }

    fn revive(&self) {
        if self.state().dead_until.take().is_some() {
            tracing::info!(cache.server = %self.address, "the cache of tokens answers again");
        }
    }

    /// One line, however many requests failed at once.
    fn bury(&self, error: &Error, dead_retry: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        state.idle.clear();
        let known = state.dead_until.replace(now + dead_retry).is_some_and(|until| now < until);
        drop(state);
        if !known {
            tracing::warn!(
                cache.server = %self.address,
                retry.seconds = dead_retry.as_secs(),
                "a server of the cache of tokens is left alone for a while: {error}"
            );
        }
    }

    /// The lock is held for a few instructions, and never across a wait.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn is_closed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
