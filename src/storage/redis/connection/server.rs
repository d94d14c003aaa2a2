//! One server and the connections to it, made again when they break.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::{Instant, timeout_at};

use super::error::Cause;
use super::link::{Answer, Failure, Link, Request};
use super::profile::{Place, Profile};

/// The pause after the second failed attempt to connect; doubled with each one after it. After the first there
/// is none: a server that has just started again is found at once.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// A server that has not been reached.
#[derive(Clone, Debug)]
pub(super) struct Unreached {
    pub(super) cause: Cause,
    /// The next attempt is made no earlier.
    pub(super) retry: Instant,
}

/// One server.
pub(super) struct Server {
    pub(super) place: Place,
    profile: Arc<Profile>,
    links: Vec<ArcSwapOption<Link>>,
    next: AtomicUsize,
    /// One attempt to connect at a time.
    attempts: tokio::sync::Mutex<Attempts>,
    troubled: AtomicBool,
    trouble: Mutex<Option<Instant>>,
}

/// The failed attempts to connect since the last good one.
struct Attempts {
    failed: u32,
    last: Option<Unreached>,
}

impl Server {
    pub(super) fn new(place: Place, profile: Arc<Profile>) -> Arc<Self> {
        let links = (0..profile.links).map(|_| ArcSwapOption::empty()).collect();
        let attempts = tokio::sync::Mutex::new(Attempts { failed: 0, last: None });
        let (next, troubled, trouble) = Default::default();
        Arc::new(Self { place, profile, links, next, attempts, troubled, trouble })
    }

    /// Sends a request on one of the connections, made for it if need be.
    pub(super) async fn exchange(
        &self,
        request: Request<'_>,
        deadline: Instant,
    ) -> Result<Result<Answer, Failure>, Unreached> {
        let link = self.link(deadline).await?;
        let answer = link.exchange(request, deadline).await;
        if let Err(Failure::NotSent(cause)) = answer {
            // The connection broke before; the next one is tried without a pause.
            return Err(Unreached { cause, retry: Instant::now() });
        }
        Ok(answer)
    }

    /// A living connection, taken in turn.
    pub(super) async fn link(&self, deadline: Instant) -> Result<Arc<Link>, Unreached> {
        let slot = &self.links[self.next.fetch_add(1, Ordering::Relaxed) % self.links.len()];
        if let Some(link) = living(slot) {
            return Ok(link);
        }
        let late =
            |_| Unreached { cause: Cause::new("no connection could be made in time"), retry: deadline };
        let mut attempts = timeout_at(deadline, self.attempts.lock()).await.map_err(late)?;
        // Whoever had the turn before may have made it.
        if let Some(link) = living(slot) {
            return Ok(link);
        }
        if let Some(last) = attempts.last.clone().filter(|last| Instant::now() < last.retry) {
            return Err(last);
        }
        match self.profile.connect(&self.place, deadline).await {
            Ok(link) => {
                *attempts = Attempts { failed: 0, last: None };
                let link = Arc::new(link);
                slot.store(Some(Arc::clone(&link)));
                Ok(link)
            }
            Err(cause) => Err(attempts.fail(cause, self.profile.longest_pause)),
        }
    }

    /// The first failure of an outage is logged, the others are not.
    pub(super) fn failed(&self, store: &str, cause: &dyn std::fmt::Display) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.is_none() {
            *trouble = Some(Instant::now());
            self.troubled.store(true, Ordering::Release);
            tracing::warn!(store, server = %self.place, %cause, "Redis fails");
        }
    }

    /// The end of an outage, if there was one, is logged.
    pub(super) fn served(&self, store: &str) {
        if self.troubled.load(Ordering::Acquire) {
            self.recovered(store, "Redis serves again");
        }
    }

    /// The server is not used any more.
    pub(super) fn retire(&self, store: &str) {
        self.recovered(store, "Redis is served by another server");
        for link in &self.links {
            if let Some(link) = link.swap(None) {
                link.end("the server is not the master any more");
            }
        }
    }

    fn recovered(&self, store: &str, message: &str) {
        let since = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.troubled.store(false, Ordering::Release);
        if let Some(since) = since {
            tracing::info!(store, server = %self.place, seconds = since.elapsed().as_secs_f64(), "{message}");
        }
    }

    /// How long the server has failed.
    pub(super) fn outage(&self) -> Duration {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Attempts {
    fn fail(&mut self, cause: Cause, longest: Duration) -> Unreached {
        let pause = match self.failed {
            0 => Duration::ZERO,
            failed => (FIRST_PAUSE * 2_u32.saturating_pow(failed.min(16) - 1)).min(longest),
        };
        self.failed = self.failed.saturating_add(1);
        let failure = Unreached { cause, retry: Instant::now() + pause };
        self.last = Some(failure.clone());
        failure
    }
}

fn living(slot: &ArcSwapOption<Link>) -> Option<Arc<Link>> {
    slot.load_full().filter(|link| link.is_alive())
}
